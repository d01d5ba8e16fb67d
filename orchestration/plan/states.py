"""The states of a task and the one table of moves between them. The table is the specification.

`ready` is not here: that a waiting task could start, or that a retry's time has come, is computed from the plan, never
stored. An event is offered to the table by its *word*: its type, and where one type can mean several moves, what it
says (`task_error:final`, `task_input_given:retry`). A word that the table does not have for a state is illegal, and an
illegal event changes nothing.
"""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, Final

from orchestration.events import (
    STORED,
    AttemptInterrupted,
    TaskAdopted,
    TaskError,
    TaskEvent,
    TaskInputGiven,
    TaskNeedsInput,
)
from orchestration.kinds import ExecutionStatus


class State(StrEnum):
    """What a task of a run is doing."""

    WAITING = "waiting"
    RUNNING = "running"
    EXPANDED = "expanded"
    RETRYING = "retrying"
    NEEDS_INPUT = "needs_input"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"
    BLOCKED = "blocked"


FINAL: Final = frozenset({State.SUCCEEDED, State.FAILED, State.CANCELLED, State.SKIPPED, State.BLOCKED})

STATUS: Final[Mapping[State, ExecutionStatus]] = {
    State.WAITING: ExecutionStatus.PENDING,
    State.RUNNING: ExecutionStatus.IN_PROGRESS,
    State.EXPANDED: ExecutionStatus.IN_PROGRESS,
    State.RETRYING: ExecutionStatus.IN_PROGRESS,
    State.NEEDS_INPUT: ExecutionStatus.NEEDS_INPUT,
    State.SUCCEEDED: ExecutionStatus.SUCCESS,
    State.FAILED: ExecutionStatus.FAILED,
    State.CANCELLED: ExecutionStatus.CANCELLED,
    State.SKIPPED: ExecutionStatus.SKIPPED,
    State.BLOCKED: ExecutionStatus.BLOCKED,
}
"""What each state is called where users see it."""

_ANY_OPEN: Final = (State.WAITING, State.RUNNING, State.EXPANDED, State.RETRYING, State.NEEDS_INPUT)

TRANSITIONS: Final[Mapping[str, Mapping[State, State]]] = {
    "task_adopted:success": {State.WAITING: State.SUCCEEDED, State.RETRYING: State.SUCCEEDED},
    "task_adopted:failed": {State.WAITING: State.FAILED, State.RETRYING: State.FAILED},
    "task_adopted:cancelled": {State.WAITING: State.CANCELLED, State.RETRYING: State.CANCELLED},
    "task_adopted:skipped": {State.WAITING: State.SKIPPED, State.RETRYING: State.SKIPPED},
    "task_adopted:blocked": {State.WAITING: State.BLOCKED, State.RETRYING: State.BLOCKED},
    "condition_decided": {State.WAITING: State.WAITING},
    "task_started": {State.WAITING: State.RUNNING, State.RETRYING: State.RUNNING},
    "usage_recorded": {State.RUNNING: State.RUNNING},
    "task_expanded": {State.RUNNING: State.EXPANDED, State.EXPANDED: State.EXPANDED},
    "task_completed": {
        State.RUNNING: State.SUCCEEDED,
        State.EXPANDED: State.SUCCEEDED,
        State.NEEDS_INPUT: State.SUCCEEDED,
    },
    "task_error": dict.fromkeys((State.RUNNING, State.EXPANDED, State.NEEDS_INPUT), State.RETRYING),
    "task_error:final": dict.fromkeys((State.RUNNING, State.EXPANDED, State.NEEDS_INPUT), State.FAILED),
    "retry_scheduled": {State.RETRYING: State.RETRYING},
    "attempt_interrupted:rerun": {State.RUNNING: State.RETRYING},
    "attempt_interrupted:fail": {State.RUNNING: State.FAILED},
    "attempt_interrupted:ask": {State.RUNNING: State.NEEDS_INPUT},
    "task_needs_input": dict.fromkeys((State.WAITING, State.RUNNING, State.EXPANDED), State.NEEDS_INPUT),
    "task_needs_input:result": dict.fromkeys((State.RUNNING, State.EXPANDED, State.NEEDS_INPUT), State.NEEDS_INPUT),
    "task_input_given:complete": {State.NEEDS_INPUT: State.NEEDS_INPUT},
    "task_input_given:fail": {State.NEEDS_INPUT: State.NEEDS_INPUT},
    "task_input_given:approve": {State.NEEDS_INPUT: State.WAITING},
    "task_input_given:approve result": {State.NEEDS_INPUT: State.NEEDS_INPUT},
    "task_input_given:reject": {State.NEEDS_INPUT: State.NEEDS_INPUT},
    "task_input_given:cancel": {state: state for state in _ANY_OPEN},
    "task_input_given:retry": {
        State.FAILED: State.WAITING,
        State.SUCCEEDED: State.WAITING,
        State.CANCELLED: State.WAITING,
        State.BLOCKED: State.WAITING,
        State.NEEDS_INPUT: State.WAITING,
    },
    "task_skipped": {State.WAITING: State.SKIPPED, State.RETRYING: State.SKIPPED},
    "task_blocked": {State.WAITING: State.BLOCKED},
    "task_cancelled": dict.fromkeys(_ANY_OPEN, State.CANCELLED),
}
"""Word of an event → state before → state after."""


def _action(event: TaskInputGiven) -> str:
    """What was done; approving what an attempt made is another move than letting it begin."""
    return "approve result" if event.action == "approve" and event.attempt is not None else event.action


_SAYS: Final[Mapping[type[TaskEvent], Callable[[Any], str]]] = {
    TaskError: lambda event: "task_error:final" if event.final else "task_error",
    TaskAdopted: lambda event: f"task_adopted:{event.status}",
    TaskNeedsInput: lambda event: "task_needs_input" if event.result is None else "task_needs_input:result",
    TaskInputGiven: lambda event: f"task_input_given:{_action(event)}",
    AttemptInterrupted: lambda event: f"attempt_interrupted:{event.then}",
}


ROWS: Final[Mapping[type[TaskEvent], Mapping[State, State] | None]] = {
    kind: None if kind in _SAYS else TRANSITIONS[kind.type] for kind in STORED if issubclass(kind, TaskEvent)
}
"""Type of an event → its row; None where it depends on what the event says."""


def word_of(event: TaskEvent) -> str:
    """The row of the table that the event is offered to."""
    says = _SAYS.get(type(event))
    return event.type if says is None else says(event)
