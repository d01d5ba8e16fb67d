"""Runs of one orchestrator: which one a call continues or opens, and all that are live.

Several things are read before a run is owned (standings, other runs), and another process may change them meanwhile.
So the order is: look, build the run in memory, own it, claim its tasks, look again; what others have ended meanwhile is
taken over, and if that is not enough, begin anew. Only then is the first event written. Where nothing is to be done and
an earlier run of the same tasks says so already, nothing is written at all: that run's last event is told again, and
its result is the result.
"""

import contextlib
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final, TypeAlias

from orchestration.errors import RunOwned, StoreError
from orchestration.events import Event, RunResumed, RunStarted
from orchestration.executor import LiveRun, Planned, new_run_id, open_in, shape_of
from orchestration.kinds import RunStatus
from orchestration.models import Budget
from orchestration.orchestrator.catching import Elsewhere, catch_up, look_elsewhere, resume, take_up
from orchestration.orchestrator.driving import Drive
from orchestration.orchestrator.lastword import Books, ledger_of
from orchestration.orchestrator.leftovers import clear_away, cut_off, end_what_others_left
from orchestration.orchestrator.looking import run_result
from orchestration.orchestrator.opening import begin, changed, check_unchanged, replay, take_news
from orchestration.process import LiveChildren
from orchestration.protocols import Listener, RunRecord, RunStore, Standing
from orchestration.records import dataclass
from orchestration.results import RunResult

MAX_LOOKS: Final = 20
"""How often a run is built anew because others changed what it was built on; more means something is wrong."""

Assemble: TypeAlias = Callable[[str, Sequence[Planned], Listener | None, Budget | None, str | None], LiveRun]
"""A run that is going to be driven: its id, tasks, listener, budget, and where its attempts run."""


@dataclass(frozen=True, slots=True)
class Options:
    """How a run is to be driven; `force` and `reopen` name tasks whose success, or failure, is not kept.

    With `slots_as_before` or `fail_fast_as_before` that is what it was when a run that is continued was driven last.
    """

    slots: int
    fail_fast: bool = False
    force: frozenset[str] = frozenset()
    reopen: frozenset[str] = frozenset()
    timeout: float | None = None
    budget: Budget | None = None
    backend: str | None = None
    listener: Listener | None = None
    slots_as_before: bool = False
    fail_fast_as_before: bool = False

    def for_more_of(self, events: Sequence[Event]) -> "Options":
        """These, for a run to which these events have happened."""
        for event in reversed(events):
            if isinstance(event, RunStarted | RunResumed) and event.max_concurrent is not None:
                slots = event.max_concurrent if self.slots_as_before else self.slots
                fail_fast = event.fail_fast if self.fail_fast_as_before else self.fail_fast
                return replace(self, slots=slots, fail_fast=fail_fast)
        return self


class Runs:
    """The live runs of one orchestrator."""

    def __init__(self, store: RunStore, assemble: Assemble, children: LiveChildren, inside: str = "") -> None:
        """None yet; `inside` is the marker of the attempt that this process is part of."""
        self._inside = inside
        self._store = store
        self._children = children
        self._assemble = assemble
        self._live: list[LiveRun] = []
        self._calls = 0
        self._stop_cause: str | None = None

    def stop(self, cause: str) -> None:
        """End every live run gracefully, and those that are just being opened."""
        if self._calls:
            self._stop_cause = self._stop_cause or cause
        for run in self._live:
            run.scheduler.stop(cause)

    async def run(self, planned: Sequence[Planned], options: Options) -> RunResult:
        """Continue the newest open run of just these tasks, or open a new one, and drive it to its end or pause."""
        return await self._until_begun(lambda: self._try(planned, options))

    async def resume(self, record: RunRecord, planned: Sequence[Planned], options: Options) -> RunResult:
        """Continue this very run, and drive it to its end or pause.

        Raises:
            GraphChanged: the tasks are not what they were.
            RunOwned: somebody drives it.
        """
        check_unchanged(record, shape_of(planned))
        return await self._until_begun(lambda: self._own_and_resume(record, planned, options))

    async def _own_and_resume(
        self, record: RunRecord, planned: Sequence[Planned], options: Options
    ) -> RunResult | None:
        standings = await self._store.standings([task.id for task in planned])
        with self._store.own(record.run_id):
            return await self._resume(record, planned, options, standings)

    async def _until_begun(self, attempt: Callable[[], Awaitable[RunResult | None]]) -> RunResult:
        self._calls += 1
        try:
            for _ in range(MAX_LOOKS):
                result = await attempt()
                if result is not None:
                    return result
        finally:
            self._calls -= 1
            if not self._calls:
                self._stop_cause = None
        raise StoreError("other runs change the same tasks faster than this one can begin", hint="try again")

    async def _try(self, planned: Sequence[Planned], options: Options) -> RunResult | None:
        """One attempt to begin; None when what it was built on has changed meanwhile."""
        ids = [task.id for task in planned]
        standings = await self._store.standings(ids)
        record = await self._open_run(planned, options)
        if record is None:
            return await self._begin(planned, options, standings)
        check_unchanged(record, shape_of(planned))
        try:
            with self._store.own(record.run_id):
                return await self._resume(record, planned, options, standings)
        except RunOwned:
            return await self._begin(planned, options, standings)

    async def _open_run(self, planned: Sequence[Planned], options: Options) -> RunRecord | None:
        tasks = tuple(task.id for task in planned if not task.external)
        if options.force:
            return None
        return (await Books.of(self._store)).continued(tasks)

    async def _begin(
        self,
        planned: Sequence[Planned],
        options: Options,
        standings: Mapping[str, Standing],
    ) -> RunResult | None:
        run = self._assemble(new_run_id(), planned, options.listener, options.budget, options.backend)
        begin(
            run,
            planned,
            standings,
            max_concurrent=options.slots,
            fail_fast=options.fail_fast,
            force=options.force,
            reopen=options.reopen,
        )
        if run.scheduler.can_do_nothing and (known := await self._known(run)) is not None:
            return await self._tell_again(known, options)
        with self._store.own(run.run_id):
            drive = Drive(run, self._store, standings, self._children, self._inside)
            await drive.claim()
            now = await self._store.standings([task.id for task in planned])
            if not take_news(run, planned, standings, now, force=options.force, reopen=options.reopen):
                await self._store.release(run.run_id)
                return None
            await end_what_others_left(self._store, self._children, run.run_id, run.ledger.tasks)
            await open_in(self._store, run, planned)
            return await self._go(drive, options)

    async def _resume(
        self,
        record: RunRecord,
        planned: Sequence[Planned],
        options: Options,
        standings: Mapping[str, Standing],
    ) -> RunResult | None:
        run = self._assemble(record.run_id, planned, options.listener, options.budget, options.backend)
        options = await self._replayed(run, options)
        died_with_it = cut_off(run)
        elsewhere = await look_elsewhere(self._store, record, run, standings, options.reopen)
        resume(run, elsewhere, options.slots, fail_fast=options.fail_fast)
        take_up(run, elsewhere)
        nothing_new = len(run.recorder.pending) == 1 and record.status is RunStatus.PAUSED and not run.plan.is_over
        if run.scheduler.can_do_nothing and nothing_new:
            return await self._tell_again(record, options)
        drive = Drive(run, self._store, standings, self._children, self._inside)
        await drive.claim()
        if not await self._caught_up(run, planned, elsewhere):
            return None
        await clear_away(self._children, record, run, died_with_it)
        await end_what_others_left(self._store, self._children, run.run_id, run.ledger.tasks)
        return await self._go(drive, options)

    async def _replayed(self, run: LiveRun, options: Options) -> Options:
        """Let happen what the store has of a run; returns the options for more of it."""
        events = await self._store.events(run.run_id)
        replay(run, events)
        return options.for_more_of(events)

    async def _caught_up(self, run: LiveRun, planned: Sequence[Planned], elsewhere: Elsewhere) -> bool:
        """Take over what others ended while the tasks were claimed; False where that changes what was built on it."""
        now = await self._store.standings([task.id for task in planned])
        if any(task.external for task in changed(planned, elsewhere.standings, now)):
            return False
        free = {task_id: standing for task_id, standing in now.items() if task_id not in run.plan.held}
        catch_up(run, replace(elsewhere, standings=free, before=elsewhere.standings))
        return True

    async def _known(self, run: LiveRun) -> RunRecord | None:
        """The newest run of the same tasks, if it came to just what this one would come to without doing anything."""
        for record in await self._store.runs():
            if record.is_of_backlog and record.tasks == run.ledger.tasks:
                ledger = await ledger_of(self._store, record.run_id)
                ended = record.status not in {RunStatus.RUNNING, RunStatus.PAUSED}
                same = all(ledger.status_of(task_id) is run.ledger.status_of(task_id) for task_id in record.tasks)
                return record if ended and same else None
        return None

    async def _tell_again(self, record: RunRecord, options: Options) -> RunResult:
        """Nothing is to be done and nothing is new: the last event of the run that says so, and its result."""
        last = await self._store.events(record.run_id, record.last_seq - 1)
        for event in last:
            slow = options.listener(event) if options.listener is not None else None
            if slow is not None:
                await slow
        return await run_result(self._store, record.run_id)

    async def _go(self, drive: Drive, options: Options) -> RunResult:
        with self._among_the_live(drive.run):
            await drive.go(options.slots, options.timeout)
        return drive.run.result()

    @contextlib.contextmanager
    def _among_the_live(self, run: LiveRun) -> Iterator[None]:
        self._live.append(run)
        if self._stop_cause is not None:
            run.scheduler.stop(self._stop_cause)
        try:
            yield
        finally:
            self._live.remove(run)
