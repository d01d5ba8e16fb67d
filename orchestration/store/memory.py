"""The store without a disk: the twin of `sqlite`, for pipelines, flows and tests.

It keeps the events themselves, so they cost no JSON, and whatever a function returned comes back as the same object.
Its `append` does all its work at once, and the answer is always ready: to await it costs no turn of the loop.
"""

import os
from collections.abc import Awaitable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import field, replace
from datetime import UTC, datetime
from typing import Any, Final

from orchestration.errors import OutcomeTaken, UnknownRun, UsageError
from orchestration.events import Event, TaskEvent
from orchestration.kinds import ExecutionStatus, RunStatus
from orchestration.protocols import DONE, Claim, CommandRow, Ready, RunRecord, Standing
from orchestration.records import dataclass
from orchestration.store import following
from orchestration.store.locks import already_owned, check_run_id
from orchestration.store.owners import this_process


@dataclass(slots=True)
class _Run:
    record: RunRecord
    status: RunStatus
    events: list[Event] = field(default_factory=list)
    ended: set[tuple[str, int]] = field(default_factory=set)
    is_of_backlog: bool = True

    def present(self) -> RunRecord:
        """The run as it stands now."""
        updated_at = self.events[-1].at if self.events else self.record.updated_at
        return replace(self.record, status=self.status, updated_at=updated_at, last_seq=len(self.events))


class MemoryStore:
    """`protocols.RunStore` in this process's memory; it behaves as `SqliteStore` does, for one event loop at a time."""

    def __init__(self) -> None:
        """Empty."""
        self._runs: dict[str, _Run] = {}
        self._standings: dict[str, tuple[ExecutionStatus, TaskEvent]] = {}
        self._claims: dict[str, Claim] = {}
        self._owned: set[str] = set()
        self._commands: list[CommandRow] = []

    def append(self, run_id: str, events: Sequence[Event]) -> Awaitable[None]:
        """Add the events of one run; see `protocols.EventLog`.

        Raises:
            ValueError: at once, when an event belongs to another run.
        """
        run = self._runs.get(run_id)
        seq = len(run.events) if run else 0
        in_order, changing = True, []
        for event in events:  # once through, and no more for the many events from which nothing follows
            seq += 1
            if event.run_id != run_id:
                raise ValueError(f"an event of run {event.run_id} was offered to run {run_id}")
            if event.seq != seq:
                in_order = False
            if type(event) in _CHANGING:
                changing.append(event)
        if run is None:
            return Ready(UnknownRun(f"there is no run {run_id}")) if events else DONE
        if not in_order:
            return Ready(OutcomeTaken(f"run {run_id}: these events do not follow the last one; nothing was written"))
        if changing and not _end_attempts(run, changing):
            return Ready(OutcomeTaken(f"run {run_id}: an attempt has an outcome already; nothing was written"))
        run.events += events
        for event in changing:
            if run.is_of_backlog or not isinstance(event, TaskEvent):
                self._follow(run, event)
        return DONE

    async def events(self, run_id: str, since: int = 0) -> Sequence[Event]:
        """The run's events with `seq > since`, in order."""
        run = self._runs.get(run_id)
        return run.events[max(since, 0) :] if run else ()

    async def open_run(self, record: RunRecord, events: Sequence[Event]) -> None:
        """Add a run with its first events, or neither.

        Raises:
            OutcomeTaken: there is such a run already.
        """
        check_run_id(record.run_id)
        if record.run_id in self._runs:
            raise OutcomeTaken(f"run {record.run_id} exists already")
        self._runs[record.run_id] = _Run(record, record.status, is_of_backlog=following.of_backlog(record.kind))
        try:
            await self.append(record.run_id, events)
        except BaseException:
            del self._runs[record.run_id]
            raise

    async def runs(self) -> Sequence[RunRecord]:
        """All runs, the one that was opened last first."""
        return [run.present() for run in reversed(self._runs.values())]

    async def standings(self, task_ids: Sequence[str] | None = None) -> Mapping[str, Standing]:
        """The latest end of each task that ever ended, by id."""
        wanted = self._standings if task_ids is None else self._standings.keys() & set(task_ids)
        return {
            task_id: Standing(task_id, event.run_id, event.seq, status, event.at, event)
            for task_id in sorted(wanted)
            for status, event in [self._standings[task_id]]
        }

    async def claim(self, run_id: str, task_ids: Sequence[str]) -> Mapping[str, str]:
        """Take each task unless a live run has it; returns task → run for those that another live run has."""
        check_run_id(run_id)
        refused: dict[str, str] = {}
        owner, since = this_process(), datetime.now(UTC)
        for task_id in task_ids:
            other = self._claims.get(task_id)
            if other is not None and other.run_id != run_id and other.run_id in self._owned:
                refused[task_id] = other.run_id
            else:
                self._claims[task_id] = Claim(task_id, run_id, owner, since)
        return refused

    async def claims(self) -> Mapping[str, Claim]:
        """All claims by task, those of dead runs too."""
        return dict(self._claims)

    async def release(self, run_id: str) -> None:
        """Give back whatever the run still claims."""
        self._release(run_id)

    def own(self, run_id: str) -> AbstractContextManager[None]:
        """Own the run.

        Raises:
            RunOwned: it is owned already.
        """
        return self._own(run_id)

    def is_live(self, run_id: str) -> bool:
        """Whether anybody owns the run."""
        check_run_id(run_id)
        return run_id in self._owned

    async def submit(self, run_id: str, task_id: str | None, action: str, body: Mapping[str, Any]) -> int:
        """Leave a command; returns its number.

        Raises:
            UnknownRun: there is no such run.
        """
        if run_id not in self._runs:
            raise UnknownRun(f"there is no run {run_id}")
        number = len(self._commands) + 1
        self._commands.append(CommandRow(number, run_id, task_id, action, dict(body)))
        return number

    async def commands(self, run_id: str) -> Sequence[CommandRow]:
        """The run's commands that nobody answered yet, oldest first."""
        return [row for row in self._commands if row.run_id == run_id and row.answer is None]

    async def answer(self, number: int, answer: Mapping[str, Any]) -> None:
        """Say what came of a command.

        Raises:
            OutcomeTaken: it was answered before.
            UsageError: there is no such command.
        """
        if not 0 < number <= len(self._commands):
            raise UsageError(f"there is no command {number}")
        if self._commands[number - 1].answer is not None:
            raise OutcomeTaken(f"command {number} was answered before")
        self._commands[number - 1] = replace(self._commands[number - 1], answer=dict(answer))

    async def answered(self, number: int) -> Mapping[str, Any] | None:
        """What came of a command, None while nobody answered."""
        return self._commands[number - 1].answer if 0 < number <= len(self._commands) else None

    async def close(self) -> None:
        """Do nothing: there is nothing to end, and the store may be used again, as its twin may."""

    def _follow(self, run: _Run, event: Event) -> None:
        status = following.end_status(event)
        if status is not None and isinstance(event, TaskEvent):
            if not (following.is_untried(event) and self._is_done_elsewhere(event)):
                self._standings[event.task_id] = (status, event)
            self._end_claim(event)
        elif following.leaves_task(event):
            self._end_claim(event)
        elif following.reopens_task(event):
            known = self._standings.get(event.task_id)
            if known is not None and (known[1].run_id == event.run_id or known[0] not in following.STAYS_DONE):
                del self._standings[event.task_id]
        elif (run_status := following.run_status(event)) is not None:
            run.status = run_status
            if following.leaves_tasks(event):
                self._release(event.run_id)

    def _is_done_elsewhere(self, event: TaskEvent) -> bool:
        known = self._standings.get(event.task_id)
        return known is not None and known[0] is ExecutionStatus.SUCCESS and known[1].run_id != event.run_id

    def _end_claim(self, event: TaskEvent) -> None:
        claim = self._claims.get(event.task_id)
        if claim is not None and claim.run_id == event.run_id:
            del self._claims[event.task_id]

    def _release(self, run_id: str) -> None:
        self._claims = {name: claim for name, claim in self._claims.items() if claim.run_id != run_id}

    @contextmanager
    def _own(self, run_id: str) -> Iterator[None]:
        check_run_id(run_id)
        if run_id in self._owned:
            raise already_owned(os.getpid(), run_id)
        self._owned.add(run_id)
        try:
            yield
        finally:
            self._owned.discard(run_id)


def _end_attempts(run: _Run, events: Sequence[Event]) -> bool:
    """Note the attempts that the events end; False, and nothing noted, where one of them has ended already."""
    ended = run.ended
    if len(events) == 1:  # nearly always
        attempt = following.ended_attempt(events[0])
        if attempt is None:
            return True
        if attempt in ended:
            return False
        ended.add(attempt)
        return True
    new = [attempt for event in events if (attempt := following.ended_attempt(event))]
    if len(set(new)) < len(new) or not ended.isdisjoint(new):
        return False
    ended.update(new)
    return True


_CHANGING: Final = following.CHANGING
"""Bound once, because it is looked at for every event."""
