"""Tasks as they enter a run, and the parts that a task of a hybrid agent becomes."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from orchestration.attempts import Assignment
from orchestration.errors import UnknownAgent
from orchestration.events import TaskExpanded
from orchestration.kinds import Failure, RunWhen
from orchestration.models import ShellAgent, Task
from orchestration.records import dataclass

Assign: TypeAlias = Callable[[Task, str], Assignment]
"""Who does a task, by the name of an agent; an agent that is not there is an error in the assignment."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A task as it enters a run: under which id, who does it, on which of the run's tasks it waits.

    `external` marks a task outside of the selection, which is looked at and never started; `part_of` names the task
    that it is a part of, `gives_way` the failures after which another part goes on.
    """

    id: str
    assignment: Assignment
    needs: tuple[str, ...] = ()
    external: bool = False
    part_of: str | None = None
    gives_way: frozenset[Failure] = frozenset()


def parts_of(parent: Planned, event: TaskExpanded, assign: Assign | None) -> list[Planned]:
    """The parts that an event tells of, each with whoever does it."""
    return [_part(parent, item, assign) for item in event.items]


def _part(parent: Planned, item: Mapping[str, Any], assign: Assign | None) -> Planned:
    task = _task_of(parent.assignment.task, item)
    if item.get("command") is not None:
        whole = parent.assignment.agent
        given = {
            name: getattr(whole, name) for name in ("env", "pass_env", "secrets", "timeout") if hasattr(whole, name)
        }
        agent = ShellAgent(command=item["command"], **given)
        assignment = Assignment(task, item["role"], agent)
    elif assign is None:
        assignment = Assignment(task, item["agent"], UnknownAgent(f"there is no agent {item['agent']!r} here"))
    else:
        assignment = assign(task, item["agent"])
    draws_on = tuple(item.get("draws_on", ()))
    assignment = Assignment(task, assignment.agent_name, assignment.agent, assignment.fallback, draws_on)
    gives_way = frozenset(Failure(kind) for kind in item.get("gives_way", ()))
    return Planned(item["id"], assignment, tuple(item.get("needs", ())), part_of=parent.id, gives_way=gives_way)


def _task_of(task: Task, item: Mapping[str, Any]) -> Task:
    """The parent's task as one part of it does it: the parent has waited, was approved, and has its own policies."""
    changes: dict[str, Any] = {
        "id": item["id"],
        "agent": item.get("agent"),
        "mode": None,
        "run_when": RunWhen.ALL_SUCCEEDED,
        "when": None,
        "approve": None,
        "budget": None,
    }
    if item.get("prompt"):
        changes["description"] = f"{task.description}\n\n{item['prompt']}".strip()
    if not item.get("checks", True):
        changes |= {"verify": (), "deliverables": (), "outputs": (), "expects_changes": False}
    return task.model_copy(update=changes)
