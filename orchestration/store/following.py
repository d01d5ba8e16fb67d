"""What follows from an event in the derived tables: one rule, kept by both stores.

The tables (a run's status, a task's standing, who works on what) only say again, quickly, what the events say. So they
change in the transaction that stores the event, by these functions and by nothing else.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeGuard

from orchestration.events import (
    OUTSIDE,
    AttemptEnd,
    AttemptInterrupted,
    Event,
    RunCompleted,
    RunPaused,
    RunResumed,
    RunStarted,
    TaskAdopted,
    TaskBlocked,
    TaskCancelled,
    TaskCompleted,
    TaskError,
    TaskEvent,
    TaskInputGiven,
    TaskSkipped,
)
from orchestration.kinds import ExecutionStatus, OnCrash, RunStatus

_TASK_ENDS: Final[Mapping[type[Event], Callable[[Any], ExecutionStatus | None]]] = {
    TaskCompleted: lambda _: ExecutionStatus.SUCCESS,
    TaskError: lambda event: ExecutionStatus.FAILED if event.final else None,
    TaskCancelled: lambda _: ExecutionStatus.CANCELLED,
    TaskSkipped: lambda _: ExecutionStatus.SKIPPED,
    TaskBlocked: lambda event: None if event.reason == OUTSIDE else ExecutionStatus.BLOCKED,
    AttemptInterrupted: lambda event: ExecutionStatus.FAILED if event.then is OnCrash.FAIL else None,
}

_RUN_STATUS: Final[Mapping[type[Event], Callable[[Any], RunStatus]]] = {
    RunStarted: lambda _: RunStatus.RUNNING,
    RunResumed: lambda _: RunStatus.RUNNING,
    RunPaused: lambda _: RunStatus.PAUSED,
    RunCompleted: lambda event: event.status,
}

CHANGING: Final = frozenset({*_TASK_ENDS, *_RUN_STATUS, TaskInputGiven, TaskAdopted})
"""The kinds of events from which something can follow; the others only join the log."""


STAYS_DONE: Final = frozenset({ExecutionStatus.SUCCESS, ExecutionStatus.SKIPPED})
"""Standings from another run that a task's reopening leaves: what was done there is done, and is adopted here."""


def end_status(event: Event) -> ExecutionStatus | None:
    """How the event ends its task, which becomes its standing; None where the task goes on, or has ended elsewhere."""
    rule = _TASK_ENDS.get(type(event))
    return rule(event) if rule and not (isinstance(event, AttemptEnd) and event.is_taken_over) else None


def is_untried(event: TaskEvent) -> bool:
    """Whether the event ends its task without an attempt at it: it leaves alone what another run did.

    A run that is cancelled, or in which something else failed, says nothing of a task that was done elsewhere.
    """
    return isinstance(event, TaskSkipped | TaskBlocked | TaskCancelled) and event.attempt is None


def leaves_task(event: Event) -> TypeGuard[TaskEvent]:
    """Whether the run has nothing more to do with the task, though it has not ended it itself: its claim is over.

    Else two runs that adopt what a third one did would wait for each other: each for the claims of the other.
    """
    return isinstance(event, TaskAdopted) or (isinstance(event, AttemptEnd) and event.is_taken_over)


def reopens_task(event: Event) -> TypeGuard[TaskInputGiven]:
    """Whether somebody asked to try the task again, so that its standing counts no longer."""
    return isinstance(event, TaskInputGiven) and event.action == "retry"


def run_status(event: Event) -> RunStatus | None:
    """The status that the event gives its run; None where it leaves it alone."""
    rule = _RUN_STATUS.get(type(event))
    return rule(event) if rule else None


def of_backlog(kind: str) -> bool:
    """Whether the tasks of a run of this kind are those of the backlog: how they end is how they stand."""
    return kind == "batch"


def leaves_tasks(event: Event) -> bool:
    """Whether the run gives back all that it claims."""
    return isinstance(event, RunPaused | RunCompleted)


def ended_attempt(event: Event) -> tuple[str, int] | None:
    """The task and the number of the attempt that the event ends, of which there may be one end only."""
    if isinstance(event, AttemptEnd) and event.attempt is not None:
        return event.task_id, event.attempt
    return None
