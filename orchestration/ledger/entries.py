"""What is known of one task of a run, and what each event about it means for that."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from orchestration.events import (
    AttemptEnd,
    AttemptInterrupted,
    ConditionDecided,
    Event,
    RetryScheduled,
    TaskAdopted,
    TaskBlocked,
    TaskCancelled,
    TaskCompleted,
    TaskError,
    TaskExpanded,
    TaskInputGiven,
    TaskNeedsInput,
    TaskSkipped,
    TaskStarted,
    UsageRecorded,
)
from orchestration.kinds import ExecutionStatus, OnCrash
from orchestration.records import dataclass
from orchestration.results import AttemptRecord, Outcome

_IN_PROGRESS, _SUCCESS = ExecutionStatus.IN_PROGRESS, ExecutionStatus.SUCCESS
"""Bound once: until Python 3.12, finding a member in its class takes longer than all that is done with it here."""

_AFTER_CRASH = {
    OnCrash.RERUN: ExecutionStatus.IN_PROGRESS,
    OnCrash.FAIL: ExecutionStatus.FAILED,
    OnCrash.ASK: ExecutionStatus.NEEDS_INPUT,
}


@dataclass(slots=True)
class Entry:
    """What is known of one task so far; `open` is the start of its open attempt, `closed` are records of the others.

    So many of the first attempts as `history` says were made before the task was opened again: they say nothing of how
    it stands now. `said_at` is when the last event about the task happened, `due_at` when it may be tried again.
    """

    status: ExecutionStatus = ExecutionStatus.PENDING
    agent: str | None = None
    reason: str | None = None
    queued_at: datetime | None = None
    ended_at: datetime | None = None
    open: TaskStarted | None = None
    closed: tuple[AttemptRecord, ...] = ()
    adopted: TaskAdopted | None = None
    given: TaskInputGiven | None = None
    prompt: str | None = None
    by: tuple[str, ...] = ()
    cause: str | None = None
    awaiting: Outcome | None = None
    asked_at: datetime | None = None
    parts: Sequence[str] = ()
    history: int = 0
    said_at: datetime | None = None
    due_at: datetime | None = None

    @property
    def attempts(self) -> tuple[AttemptRecord, ...]:
        """All attempts; the record of an open one is made only if somebody asks before it has ended."""
        begun = self.open
        if begun is not None:
            self.open = None
            self.closed += (AttemptRecord(begun.attempt or 0, begun.agent, begun.at),)
        return self.closed

    def change_last(self, record: AttemptRecord) -> None:
        """More is known of the latest attempt."""
        self.closed = (*self.closed[:-1], record)


def _start(entry: Entry, event: TaskStarted) -> None:
    entry.status, entry.agent, entry.reason, entry.ended_at = _IN_PROGRESS, event.agent, None, None
    entry.queued_at = event.queued_at or entry.queued_at
    if entry.open is not None:
        _ = entry.attempts  # one that never ended
    entry.open = event


def _end(entry: Entry, event: AttemptEnd) -> None:
    entry.status, entry.reason = _status_after(event)
    entry.ended_at = event.at if entry.status.is_final else None
    entry.prompt = entry.awaiting = None
    if isinstance(event, TaskCancelled):
        entry.cause = event.cause
    if event.attempt is not None:
        begun = entry.open
        if begun is None:
            entry.change_last(_record(entry.closed[-1], event, entry))
        else:
            entry.open = None
            entry.closed += (_record(AttemptRecord(begun.attempt or 0, begun.agent, begun.at), event, entry),)
    elif not isinstance(event, TaskCancelled):
        entry.closed = (*entry.attempts, _record(AttemptRecord(0, event.agent, event.at), event, entry))


def _complete(entry: Entry, event: TaskCompleted) -> None:
    """What nearly every attempt of nearly every run ends with, in fewer steps."""
    begun = entry.open
    if begun is None or event.attempt is None:
        _end(entry, event)
        return
    at = event.at
    entry.status, entry.ended_at = _SUCCESS, at
    entry.reason = entry.prompt = entry.awaiting = entry.open = None
    duration, outcome = event.duration_seconds, event.outcome
    entry.closed += (AttemptRecord(begun.attempt or 0, begun.agent, begun.at, at, duration, _SUCCESS, None, outcome),)


def _adopt(entry: Entry, event: TaskAdopted) -> None:
    entry.adopted, entry.status = event, event.status
    entry.agent, entry.reason, entry.ended_at = event.agent, event.reason, event.at
    entry.history = len(entry.attempts)  # what was tried here before says nothing of it


def _use(entry: Entry, event: UsageRecorded) -> None:
    last = entry.attempts[-1]
    entry.change_last(replace(last, outcome=replace(last.outcome, usage=event.usage)))


def _expand(entry: Entry, event: TaskExpanded) -> None:
    entry.status = ExecutionStatus.IN_PROGRESS
    in_order = sorted(event.items, key=lambda item: item.get("place", 0))
    entry.parts = [*entry.parts, *(item["id"] for item in in_order)]


def _schedule(entry: Entry, event: RetryScheduled) -> None:
    entry.status, entry.reason = ExecutionStatus.IN_PROGRESS, event.reason
    entry.due_at = event.due_at


def _ask(entry: Entry, event: TaskNeedsInput) -> None:
    entry.status, entry.prompt, entry.reason = ExecutionStatus.NEEDS_INPUT, event.prompt, event.reason
    entry.awaiting, entry.asked_at = event.result, event.at
    if event.attempt is not None:
        last = entry.attempts[-1]
        took = max(0.0, (event.at - last.started_at).total_seconds()) if event.result is not None else 0.0
        entry.change_last(replace(last, status=ExecutionStatus.NEEDS_INPUT, duration_seconds=took))


def _answer(entry: Entry, event: TaskInputGiven) -> None:
    entry.given = event
    if event.action == "retry" or (event.action == "approve" and event.attempt is None):
        entry.status, entry.reason, entry.ended_at, entry.prompt = ExecutionStatus.PENDING, None, None, None
        entry.awaiting = entry.adopted = None
        entry.history = len(entry.attempts)


def _skip(entry: Entry, event: TaskSkipped) -> None:
    entry.status, entry.reason, entry.ended_at = ExecutionStatus.SKIPPED, event.reason, event.at


def _block(entry: Entry, event: TaskBlocked) -> None:
    entry.status, entry.reason, entry.ended_at = ExecutionStatus.BLOCKED, event.reason, event.at
    entry.by = event.by


NOTES: Mapping[type[Event], Callable[[Entry, Any], None]] = {
    TaskStarted: _start,
    TaskCompleted: _complete,
    TaskError: _end,
    TaskCancelled: _end,
    AttemptInterrupted: _end,
    TaskAdopted: _adopt,
    ConditionDecided: lambda _, __: None,
    UsageRecorded: _use,
    TaskExpanded: _expand,
    RetryScheduled: _schedule,
    TaskNeedsInput: _ask,
    TaskInputGiven: _answer,
    TaskSkipped: _skip,
    TaskBlocked: _block,
}
"""What each event about a task means for what is known of it."""


def _status_after(event: AttemptEnd) -> tuple[ExecutionStatus, str | None]:
    if isinstance(event, TaskCompleted):
        return ExecutionStatus.SUCCESS, None
    if isinstance(event, TaskError):
        return (ExecutionStatus.FAILED if event.final else ExecutionStatus.IN_PROGRESS), event.reason
    if isinstance(event, AttemptInterrupted):
        return _AFTER_CRASH[event.then], "orch ended while the attempt ran"
    return ExecutionStatus.CANCELLED, event.reason if isinstance(event, TaskCancelled) else None


def _record(begun: AttemptRecord, event: AttemptEnd, entry: Entry) -> AttemptRecord:
    if isinstance(event, TaskCompleted):
        status = ExecutionStatus.SUCCESS
    elif isinstance(event, TaskCancelled):
        status = ExecutionStatus.CANCELLED
    else:
        status = ExecutionStatus.FAILED
    outcome = event.outcome
    if outcome.usage is None and begun.outcome.usage is not None:
        outcome = replace(outcome, usage=begun.outcome.usage)  # an attempt that was cut off used it nevertheless
    duration, reason = event.duration_seconds, entry.reason
    return AttemptRecord(begun.number, begun.agent, begun.started_at, event.at, duration, status, reason, outcome)
