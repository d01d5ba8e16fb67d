"""`Flow`: which steps there are, and what the failure of one means for the others."""

from collections.abc import Sequence
from typing import Final, Literal

from orchestration.errors import GraphError, Problem, UsageError
from orchestration.flow.steps import FlowStep
from orchestration.flow.upstream import Upstream
from orchestration.graph import Graph, nearest
from orchestration.steps.reading import checked_list, checked_name

ON_ERROR: Final = ("fail_fast", "continue")


class Flow:
    """A dependency graph of steps. It describes only: any number of its runs can go on at once.

    Args:
        name: how its runs are called.
        steps: in the order in which results are listed; who waits for whom is said by `depends_on`.
        on_error: `fail_fast` ends everything when one has failed for good; `continue` blocks only what waits for it.
        description: for people.

    Raises:
        GraphError: an id is given twice or is unknown, or steps wait for each other in a circle.
        UsageError: something else is not possible.
    """

    def __init__(
        self,
        name: str,
        steps: Sequence[FlowStep],
        *,
        on_error: Literal["fail_fast", "continue"] = "fail_fast",
        description: str = "",
    ) -> None:
        self.name = checked_name(name, "a flow")
        checked_list(steps, f"the steps of flow {name}")
        self.steps = tuple(steps)
        self.on_error = on_error
        self.description = description
        for step in self.steps:
            _check_step(step)
        if on_error not in ON_ERROR:
            raise UsageError(f"flow {name}: on_error is {on_error!r:.40}; it is one of {', '.join(ON_ERROR)}")
        self._waits = self._written_waits()
        self.graph = Graph.build((step.id, step.depends_on) for step in self.steps)
        self.upstream = Upstream(self.graph)
        self._check_branches()

    def _check_branches(self) -> None:
        waits = {step.id: set(step.depends_on) for step in self.steps}
        problems = [
            Problem(
                f"{step.id} chooses {other}, which does not wait for it",
                hint=_hint(other, waits, step.id),
                about=step.id,
            )
            for step in self.steps
            for other in step.chooses
            if step.id not in waits.get(other, ())
        ]
        if problems:
            raise GraphError(problems[0].message, hint=problems[0].hint, problems=problems)

    def _written_waits(self) -> list[Sequence[str] | str]:
        return [step.depends_on for step in self.steps]

    @property
    def is_as_written(self) -> bool:
        """Whether all steps still wait for what they waited for when this was made, as `graph` has it."""
        return self._waits == self._written_waits()

    def __repr__(self) -> str:
        """Name and number of steps."""
        return f"<Flow {self.name}: {len(self.steps)} steps>"


def _check_step(step: object) -> None:
    if not isinstance(step, FlowStep):
        raise UsageError(f"{step!r:.80} is no step of a flow", hint="steps are FlowStep(id, function, …)")


def _hint(other: str, known: dict[str, set[str]], by: str) -> str | None:
    return f"add {by} to its depends_on" if other in known else nearest(other, known)
