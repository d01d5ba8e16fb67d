"""Which tasks of the backlog are meant."""

from collections.abc import Sequence
from typing import Final, Self

from orchestration.errors import Problem, UnknownTask, UsageError
from orchestration.graph import nearest
from orchestration.loading import Project, check_fit
from orchestration.models import Task
from orchestration.records import dataclass

MAX_TOLD: Final = 20
"""Labels or phases that an error lists."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Criteria of which all given ones must hold; of several values of one criterion, any.

    Nothing given means the whole backlog. Labels, phases and priorities are compared without regard to case.
    """

    task_ids: tuple[str, ...] | None = None
    labels: tuple[str, ...] = ()
    phases: tuple[str, ...] = ()
    priorities: tuple[str, ...] = ()

    @classmethod
    def of(cls, task_ids: Sequence[str] | None) -> Self:
        """The tasks with these ids, or all."""
        return cls(None if task_ids is None else tuple(task_ids))

    def choose(self, project: Project) -> list[Task]:
        """The tasks that are meant, in declaration order.

        Raises:
            UnknownTask: names every id that the backlog does not have.
        """
        check_known(project, self.task_ids or ())
        wanted = None if self.task_ids is None else frozenset(self.task_ids)
        return [task for task in project.tasks if (wanted is None or task.id in wanted) and self._fits(task)]

    def _fits(self, task: Task) -> bool:
        return (
            _any_of(self.labels, task.labels)
            and _any_of(self.phases, [task.phase or ""])
            and _any_of(self.priorities, [task.priority.value])
        )

    def check_words(self, project: Project) -> None:
        """Refuse labels and phases that no task has: they are misspelt, or what they mean is missing.

        Raises:
            UsageError: names the first of them, with the nearest known one.
            InvalidProject: they may be in what could not be read.
        """
        if not (self.labels or self.phases):
            return
        labels = {label.lower(): label for task in project.tasks for label in task.labels}
        phases = {task.phase.lower(): task.phase for task in project.tasks if task.phase}
        for wanted, known, what in ((self.labels, labels, "label"), (self.phases, phases, "phase")):
            for word in wanted:
                if word.lower() not in known:
                    check_fit(project)
                    told = f"known: {', '.join(sorted(known.values())[:MAX_TOLD])}" if known else "no task has any"
                    hint = nearest(word.lower(), known) or told
                    raise UsageError(f"no task has the {what} {word!r:.80}", hint=hint)


def _any_of(wanted: Sequence[str], has: Sequence[str]) -> bool:
    return not wanted or bool({word.lower() for word in wanted} & {word.lower() for word in has})


def check_known(project: Project, task_ids: Sequence[str]) -> None:
    """Refuse ids that the backlog does not have.

    Raises:
        UnknownTask: names each of them, with the nearest known id.
        InvalidProject: they may be in what could not be read.
    """
    known = project.graph.index
    unknown = [task_id for task_id in dict.fromkeys(task_ids) if task_id not in known]
    if unknown:
        check_fit(project)
        problems = [Problem(f"there is no task {task_id}", hint=nearest(task_id, known)) for task_id in unknown]
        message = f"there is no task {', '.join(unknown)}"
        raise UnknownTask(message, hint=problems[0].hint or "see `orch list`", problems=problems)
