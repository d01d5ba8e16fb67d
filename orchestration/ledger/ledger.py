"""Events → results. The only way that a result is made, for a live run as for one read from the store.

A ledger is fed each event once, in order, and answers at any time how far every task is. It believes the events: what
may follow what is the plan's business. Nearly every task has just begun, or begun and then succeeded: of these the
events are kept as they are, and read when somebody asks. Edges survived: runs that were interrupted (their last session
has no end), tasks that were reopened after their end, attempts that never ended, adopted tasks, and results asked for
half-way.
"""

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final, TypeAlias

from orchestration.events import (
    AccountPaused,
    Event,
    RunCompleted,
    RunError,
    RunPaused,
    RunResumed,
    RunStarted,
    TaskCompleted,
    TaskEvent,
    TaskExpanded,
    TaskStarted,
)
from orchestration.kinds import ExecutionStatus, RunStatus
from orchestration.ledger.entries import NOTES, Entry
from orchestration.ledger.telling import adopted_result, failure_of, metadata_of, used_of
from orchestration.nothing import nothing
from orchestration.results import AttemptRecord, ExecutionResult, Outcome, RunResult

_IN_PROGRESS, _SUCCESS = ExecutionStatus.IN_PROGRESS, ExecutionStatus.SUCCESS
"""Bound once: until Python 3.12, finding a member in its class takes longer than all that is done with it here."""

_NO_OUTCOME: Final = Outcome()

_Unread: TypeAlias = TaskStarted | tuple[TaskStarted, TaskCompleted]
"""All events about a task, where it has begun for the first time, or has then succeeded."""


class Ledger:
    """The books of one run.

    `succeeded` names tasks in the order in which they did, some more than once; `pauses` has the last one of each
    account, over or not; `seen` is what the run knew of others when it last went on, and `seen_at_first` when it began
    (see `RunStarted`).
    """

    def __init__(self, agents: dict[str, str] | None = None) -> None:
        """Nothing is known yet; `agents` says who is to do each task, as long as no attempt has begun.

        In runs of the backlog the parts of a task stay within its own result; in those of pipelines and flows each is a
        result of the run, and follows the one that it is a part of.
        """
        self._parts_are_results = self._has_parts = False
        self.run_id = ""
        self.tasks: tuple[str, ...] = ()
        self.succeeded: list[str] = []
        self.status = RunStatus.RUNNING
        self.reason: str | None = None
        self.started_at: datetime | None = None
        self.completed_at: datetime | None = None
        self.error: RunError | None = None
        self.pauses: dict[str, AccountPaused] = {}
        self._agents = agents or {}
        self._entries: dict[str, Entry | _Unread] = {}
        self.resumed_at: datetime | None = None
        self.seen_at_first: Mapping[str, int] | None = None
        self.seen: Mapping[str, int] | None = None
        self._session_began: datetime | None = None
        self._last: datetime | None = None
        self._wall = 0.0

    def apply(self, event: Event) -> None:
        """Take note of the next event."""
        if type(event) is TaskCompleted:
            self.complete(event)
        elif type(event) is TaskStarted:
            self.start(event)
        else:
            if isinstance(event, TaskEvent):
                self._note(event.task_id, event)
            else:
                self._apply_run(event)  # which needs to know of the last one before it
            self._last = event.at

    def start(self, event: TaskStarted) -> None:
        """`apply` for one of the two events that nearly all are."""
        self._last = event.at
        if self._entries.setdefault(event.task_id, event) is not event:
            self._note(event.task_id, event)

    def complete(self, event: TaskCompleted) -> None:
        """`apply` for the other one."""
        self._last, task_id = event.at, event.task_id
        self.succeeded.append(task_id)
        begun = self._entries.get(task_id)
        if type(begun) is TaskStarted:
            self._entries[task_id] = (begun, event)
        else:
            self._note(task_id, event)

    def _note(self, task_id: str, event: TaskEvent) -> None:
        """Take note of what is not so simple."""
        entry = self._entry(task_id)
        if entry is None:
            entry = self._entries[task_id] = Entry()
        entry.said_at, entry.due_at = event.at, None
        NOTES[type(event)](entry, event)
        if isinstance(event, TaskExpanded):
            self._has_parts = True
            self._agents.update({item["id"]: item.get("agent") or item.get("role", "") for item in event.items})

    def _entry(self, task_id: str) -> Entry | None:
        """What is known of a task; None for nothing."""
        known = self._entries.get(task_id)
        if known is None or isinstance(known, Entry):
            return known
        entry = Entry()
        for event in known if isinstance(known, tuple) else (known,):
            entry.said_at = event.at
            NOTES[type(event)](entry, event)
        self._entries[task_id] = entry  # whole, because results may be looked at in several threads
        return entry

    def _apply_run(self, event: Event) -> None:
        if isinstance(event, RunStarted):
            self.run_id, self.tasks = event.run_id, event.tasks
            self._parts_are_results = event.kind != "batch"
            self.seen = self.seen_at_first = event.seen
            self.started_at = self._session_began = event.at
        elif isinstance(event, RunResumed):
            self._end_session(self._last)
            self._session_began, self.completed_at, self.resumed_at = event.at, None, event.at
            self.status, self.reason, self.seen = RunStatus.RUNNING, None, event.seen
        elif isinstance(event, RunPaused):
            self._end_session(event.at)
            self.status, self.reason = RunStatus.PAUSED, event.reason
        elif isinstance(event, RunCompleted):
            self._end_session(event.at)
            self.status, self.reason, self.completed_at = event.status, event.reason, event.at
        elif isinstance(event, RunError):
            self.error = event
        elif isinstance(event, AccountPaused):
            self.pauses[event.account] = event

    def _end_session(self, at: datetime | None) -> None:
        if self._session_began is not None and at is not None:
            self._wall += (at - self._session_began).total_seconds()
        self._session_began = None

    @property
    def known(self) -> Sequence[str]:
        """The tasks of which something is known, parts of others too."""
        return tuple(self._entries)

    def attempts_of(self, task_id: str) -> Sequence[AttemptRecord]:
        """The task's attempts so far, the one that runs too."""
        entry = self._entry(task_id)
        return entry.attempts if entry else ()

    def outcome_of(self, task_id: str) -> Outcome | None:
        """The outcome of the task's latest attempt; None where none has begun."""
        done = self.done_at_first_try(task_id)
        if done is not None:
            return done
        attempts = self.attempts_of(task_id)
        return attempts[-1].outcome if attempts else None

    def done_at_first_try(self, task_id: str) -> Outcome | None:
        """The outcome of a task that has begun once and then succeeded; None for what was not so simple."""
        known = self._entries.get(task_id)
        return known[1].outcome if type(known) is tuple else None

    def awaiting(self, task_id: str) -> Outcome | None:
        """What becomes the task's outcome if a person approves it; None where no result waits for that."""
        entry = self._entry(task_id)
        return entry.awaiting if entry else None

    def asks_to_begin(self, task_id: str) -> bool:
        """Whether a person is asked if the task may begin, and not to do it or to say what a crash left of it."""
        entry = self._entry(task_id)
        if entry is None or entry.prompt is None or entry.awaiting is not None:
            return False
        return not entry.attempts or entry.attempts[-1].completed_at is not None

    def seconds_in(self, task_id: str, at: datetime) -> float:
        """How long the work of the task's open attempt took: until `at`, or until it began to wait for approval."""
        entry = self._entry(task_id)
        if entry is None or not entry.attempts or entry.attempts[-1].completed_at is not None:
            return 0.0
        end = at if entry.awaiting is None else entry.asked_at or at
        return max(0.0, (end - entry.attempts[-1].started_at).total_seconds())

    def due_at(self, task_id: str) -> datetime | None:
        """When the task may be tried again; None where no other try was put off."""
        known = self._entries.get(task_id)
        return known.due_at if isinstance(known, Entry) else None  # what is unread tells of none

    def said_at(self, task_id: str) -> datetime | None:
        """When the last event about the task happened; None where there was none."""
        entry = self._entry(task_id)
        return entry.said_at if entry else None

    def status_of(self, task_id: str) -> ExecutionStatus:
        """How far the task is; pending where nothing has happened yet."""
        known = self._entries.get(task_id)
        if type(known) is tuple:
            return _SUCCESS
        entry = self._entry(task_id)
        return entry.status if entry else ExecutionStatus.PENDING

    def result(self, task_id: str) -> ExecutionResult:
        """How the task ended, or how far it is."""
        entry = self._entry(task_id) or Entry()
        if entry.adopted is not None and len(entry.attempts) <= entry.history:
            return adopted_result(task_id, entry.adopted, entry)
        attempts = entry.attempts
        last = attempts[-1] if len(attempts) > entry.history else None
        outcome = last.outcome if last else _NO_OUTCOME
        failure, error = failure_of(entry, outcome)
        return ExecutionResult(
            task_id=task_id,
            agent=entry.agent or self._agents.get(task_id),
            status=entry.status,
            failure=failure,
            reason=entry.reason or self._held_up(entry),
            queued_at=entry.queued_at,
            started_at=last.started_at if last else None,
            completed_at=entry.ended_at,
            duration_seconds=last.duration_seconds if last else 0.0,
            output=outcome.output,
            error=error,
            exit_code=outcome.exit_code,
            outputs=outcome.outputs,
            checks=outcome.checks,
            usage=used_of(attempts),
            session_id=outcome.session_id,
            attempts=attempts,
            log_path=outcome.log_path,
            metadata=self._metadata(entry, outcome) or nothing(),
        )

    def _held_up(self, entry: Entry) -> str | None:
        """What keeps a task from going on that became several: a part that waits for a person, or else for its try."""
        todo = list(reversed(entry.parts)) if entry.status is _IN_PROGRESS else []
        put_off = None
        while todo:
            name = todo.pop()
            part = self._entries.get(name)
            if not isinstance(part, Entry):
                continue  # what is unread is at work, or done
            if part.status is ExecutionStatus.NEEDS_INPUT:
                return f"{name}: {part.reason}"
            if part.due_at is not None:
                put_off = put_off or f"{name}: {part.reason}"
            elif part.status is _IN_PROGRESS:
                todo += reversed(part.parts)
        return put_off

    def _metadata(self, entry: Entry, outcome: Outcome) -> dict[str, Any]:
        """What is known beside; also what came of the parts of the task, each as a result of its own."""
        metadata = metadata_of(entry, outcome)
        if entry.parts and not self._parts_are_results:
            metadata["legs"] = [self.result(part).to_dict() for part in entry.parts]
        return metadata

    def run_result(self, critical_path: Callable[[Sequence[float]], float] | None = None) -> RunResult:
        """The run as far as it is.

        Args:
            critical_path: given each task's measured seconds in declaration order, the heaviest path's seconds.
        """
        critical = critical_path(array("d", self.seconds())) if critical_path else 0.0
        return replace(self.summary(critical), results=self.results())

    def summary(self, critical_path_seconds: float, step_seconds: float | None = None) -> RunResult:
        """How the run as a whole is, without its tasks; who has added up what they took already says so."""
        return RunResult(
            run_id=self.run_id,
            status=self.status,
            started_at=self.started_at,
            completed_at=self.completed_at,
            wall_seconds=self.wall_seconds,
            step_seconds=self._step_seconds() if step_seconds is None else step_seconds,
            critical_path_seconds=critical_path_seconds,
            reason=self.reason,
        )

    def _step_seconds(self) -> float:
        measured: Iterable[str] = self.listed()
        if self._lists_parts:  # a task that became several lasts as long as these, and did nothing beside
            measured = (task_id for task_id in measured if not self.parts_of(task_id))
        return sum(map(self.seconds_of, measured))

    def results(self) -> tuple[ExecutionResult, ...]:
        """What is to be said of the tasks as they are."""
        return tuple(map(self.result, self.listed()))

    def statuses(self) -> Iterator[ExecutionStatus]:
        """How far each task is of which the run has a result."""
        return map(self.status_of, self.listed())

    def seconds_of(self, task_id: str) -> float:
        """How long all attempts of a task took."""
        known = self._entries.get(task_id)
        if type(known) is tuple:
            return known[1].duration_seconds
        entry = self._entry(task_id)
        return sum([one.duration_seconds for one in entry.attempts]) if entry else 0

    def seconds(self) -> list[float]:
        """The same of each task, in their order."""
        entries = self._entries
        return [
            known[1].duration_seconds if type(known := entries.get(task_id)) is tuple else self.seconds_of(task_id)
            for task_id in self.tasks
        ]

    def listed(self) -> Iterator[str]:
        """The tasks of which the run has results, in order: where parts are results, each task before its parts."""
        return self._with_parts() if self._lists_parts else iter(self.tasks)

    @property
    def _lists_parts(self) -> bool:
        return self._parts_are_results and self._has_parts

    def _with_parts(self) -> Iterator[str]:
        todo = list(reversed(self.tasks))
        while todo:
            task_id = todo.pop()
            yield task_id
            todo += reversed(self.parts_of(task_id))

    def parts_of(self, task_id: str) -> Sequence[str]:
        """What the task became, in order; none where it is one."""
        entry = self._entries.get(task_id)
        return entry.parts if isinstance(entry, Entry) else ()  # what is unread tells of none

    @property
    def wall_seconds(self) -> float:
        """Seconds in which the run was going on, all its sessions together, up to the last event."""
        if self._session_began is None or self._last is None:
            return self._wall
        return self._wall + (self._last - self._session_began).total_seconds()

    def previous_failure(self, task_id: str) -> Outcome | None:
        """The outcome of the task's last ended attempt, if that failed."""
        entry = self._entry(task_id)
        ended = [a for a in entry.attempts if a.completed_at is not None] if entry else []
        return ended[-1].outcome if ended and ended[-1].outcome.failure else None
