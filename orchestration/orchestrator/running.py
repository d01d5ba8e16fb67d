"""Runs of one orchestrator: which one a call continues or opens, and all that are live.

Several things are read before a run is owned (standings, other runs), and another process may change them meanwhile.
So the order is: look, build the run in memory, own it, claim its tasks, look again; if what was looked at has changed,
begin anew. Only then is the first event written. A run that could start nothing is played in memory alone: the same
events, the same result, and no trace.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from orchestration.errors import RunOwned, StoreError
from orchestration.events import Event, RunResumed
from orchestration.executor import LiveRun, Planned, new_run_id, open_in, shape_of
from orchestration.kinds import RunStatus
from orchestration.orchestrator.driving import Drive
from orchestration.orchestrator.opening import begin, catch_up, check_unchanged, replay
from orchestration.protocols import Listener, RunRecord, RunStore, Standing
from orchestration.results import RunResult

MAX_LOOKS: Final = 20
"""How often a run is built anew because others changed what it was built on; more means something is wrong."""

Assemble: TypeAlias = Callable[[str, Sequence[Planned], Listener | None], LiveRun]


@dataclass(frozen=True, slots=True)
class Options:
    """How a run is to be driven; `force` and `reopen` name tasks whose success, or failure, is not kept."""

    slots: int
    fail_fast: bool = False
    force: frozenset[str] = frozenset()
    reopen: frozenset[str] = frozenset()
    timeout: float | None = None
    listener: Listener | None = None


class _Nowhere:
    """An event log that keeps nothing, for a run that does nothing."""

    def append(self, run_id: str, events: Sequence[Event]) -> Awaitable[None]:  # noqa: ARG002  # a log's signature
        """Durable at once, as there is nothing to lose."""
        return asyncio.sleep(0)

    async def events(self, run_id: str, since: int = 0) -> Sequence[Event]:  # noqa: ARG002  # a log's signature
        """None."""
        return ()


class Runs:
    """The live runs of one orchestrator."""

    def __init__(self, store: RunStore, assemble: Assemble) -> None:
        """None yet."""
        self._store = store
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
        self._calls += 1
        try:
            for _ in range(MAX_LOOKS):
                result = await self._try(planned, options)
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
        for record in await self._store.runs():
            is_open = record.status in {RunStatus.RUNNING, RunStatus.PAUSED}
            if is_open and record.tasks == tasks and not self._store.is_live(record.run_id):
                return record
        return None

    async def _begin(
        self,
        planned: Sequence[Planned],
        options: Options,
        standings: Mapping[str, Standing],
    ) -> RunResult | None:
        run = self._assemble(new_run_id(), planned, options.listener)
        begin(
            run,
            planned,
            standings,
            max_concurrent=options.slots,
            fail_fast=options.fail_fast,
            force=options.force,
            reopen=options.reopen,
        )
        if run.scheduler.can_do_nothing and _is_known(run, standings):
            return await self._play(run)
        with self._store.own(run.run_id):
            drive = Drive(run, self._store, standings)
            await drive.claim()
            if not await self._still(run, standings):
                await self._store.release(run.run_id)
                return None
            await open_in(self._store, run, planned)
            return await self._go(drive, options)

    async def _resume(
        self,
        record: RunRecord,
        planned: Sequence[Planned],
        options: Options,
        standings: Mapping[str, Standing],
    ) -> RunResult | None:
        run = self._assemble(record.run_id, planned, options.listener)
        replay(run, await self._store.events(record.run_id))
        run.recorder.emit(RunResumed, max_concurrent=options.slots, fail_fast=options.fail_fast)
        run.scheduler.interrupt_open_attempts()
        catch_up(run, standings)
        nothing_new = len(run.recorder.pending) == 1 and record.status is RunStatus.PAUSED and not run.plan.is_over
        if run.scheduler.can_do_nothing and nothing_new:
            return await self._play(run)
        drive = Drive(run, self._store, standings)
        await drive.claim()
        if not await self._still(run, standings):
            return None
        return await self._go(drive, options)

    async def _still(self, run: LiveRun, standings: Mapping[str, Standing]) -> bool:
        """Whether the standings are what the run was built on, now that its tasks are claimed."""
        now = await self._store.standings(run.graph.ids)
        return _versions(now) == _versions(standings)

    async def _play(self, run: LiveRun) -> RunResult:
        """Nothing can start: the same events and the same result, and nothing is written."""
        await run.scheduler.run(_Nowhere(), 1)
        return run.result()

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


def _is_known(run: LiveRun, standings: Mapping[str, Standing]) -> bool:
    """Whether every task already stands as it does in this run, so that there is nothing to record."""
    return all(
        task_id in standings and standings[task_id].status is run.ledger.status_of(task_id)
        for task_id in run.ledger.tasks
    )


def _versions(standings: Mapping[str, Standing]) -> dict[str, tuple[str, int]]:
    return {task_id: (standing.run_id, standing.seq) for task_id, standing in standings.items()}
