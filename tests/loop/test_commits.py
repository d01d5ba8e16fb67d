"""Commits: who waits for what, and that events go to a slow log together, in order, and are told when durable."""

import asyncio
from collections.abc import Awaitable, Sequence
from datetime import UTC, datetime

import pytest

from orchestration.errors import StoreError
from orchestration.events import Event, RunStarted, TaskChunk
from orchestration.kinds import RunStatus
from orchestration.ledger import Ledger
from orchestration.plan import Node, Plan
from orchestration.protocols import Reporting, RunRecord
from orchestration.results import Outcome
from orchestration.scheduler import Recorder, Scheduler
from orchestration.store.committing import Answer
from orchestration.store.memory import MemoryStore
from orchestration.store.writer import Landing
from orchestration.testing import FakeDoer, run_in_virtual_time


class Slow:
    """A log that takes a second to make anything durable; it may fail, and tells how it was used."""

    lands_at_once = False

    def __init__(self, fails_at: int | None = None) -> None:
        self.batches: list[int] = []
        self.seqs: list[int] = []
        self.fails_at = fails_at
        self.busy = False

    def append(self, run_id: str, events: Sequence[Event]) -> Awaitable[None]:
        assert run_id == "run"
        assert not self.busy
        self.busy = True
        self.batches.append(len(events))
        appended = asyncio.ensure_future(self._append(events, len(self.batches)))
        if not self.lands_at_once:
            return appended
        landing = Landing(loop=asyncio.get_running_loop())
        appended.add_done_callback(lambda done: landing.land(Answer(error=done.exception())))
        return landing

    async def _append(self, events: Sequence[Event], number: int) -> None:
        await asyncio.sleep(1)
        self.busy = False
        if number == self.fails_at:
            raise StoreError("the disk is full")
        self.seqs += [event.seq for event in events]

    async def events(self, *_: object) -> Sequence[Event]:
        return ()


@pytest.fixture(autouse=True, params=[False, True], ids=["a turn later", "at once"])
def landing(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of these with a log that tells as any future does, and with one that tells as the one on disk does."""
    monkeypatch.setattr(Slow, "lands_at_once", request.param)


class Heard:
    """A listener that remembers, and makes sure that what it hears of is durable."""

    def __init__(self, log: Slow, *, slow: float = 0.0, raises_at: int | None = None) -> None:
        self.log, self.slow, self.raises_at = log, slow, raises_at
        self.seqs: list[int] = []

    def __call__(self, event: Event | TaskChunk) -> Awaitable[None] | None:
        assert isinstance(event, Event)
        assert event.seq in self.log.seqs
        self.seqs.append(event.seq)
        if event.seq == self.raises_at:
            raise ZeroDivisionError
        return asyncio.sleep(self.slow) if self.slow else None


class Never(FakeDoer):
    """Never waits."""

    async def perform(
        self, task_id: str, attempt: int, slot: int, report: Reporting, agent: str | None = None
    ) -> Outcome:
        del task_id, attempt, slot, report, agent
        return Outcome()


def scheduler_of(tasks: int, listener: Heard | None = None) -> Scheduler:
    recorder = Recorder(Plan("run", [Node(f"t{n}") for n in range(tasks)]), Ledger(), listener)
    recorder.emit(RunStarted, tasks=tuple(recorder.plan.graph.ids))
    return Scheduler(recorder, Never(), {})


def test_slots_that_work_in_step_make_one_commit_for_all() -> None:
    log = Slow()

    async def main() -> float:
        scheduler = scheduler_of(40)
        await scheduler.run(log, 4)
        assert scheduler.recorder.ledger.status is RunStatus.SUCCESS
        return asyncio.get_running_loop().time()

    seconds = run_in_virtual_time(main())
    assert log.seqs == list(range(1, 1 + 2 * 40 + 2))
    assert seconds <= 15  # forty tasks, four in each commit of a second, and a few for those that begin
    assert max(log.batches) == 8


@pytest.mark.parametrize("slow", [0.0, 0.25])
def test_all_is_told_once_in_order_and_when_it_is_durable(slow: float) -> None:
    async def main() -> None:
        log = Slow()
        heard = Heard(log, slow=slow)
        await scheduler_of(20, heard).run(log, 3)
        assert heard.seqs == log.seqs == list(range(1, 1 + 2 * 20 + 2))

    run_in_virtual_time(main())


@pytest.mark.parametrize("fails_at", [1, 2, 5])
def test_after_a_log_has_failed_nothing_more_is_given_to_it_or_told(fails_at: int) -> None:
    async def main() -> None:
        log = Slow(fails_at)
        heard = Heard(log)
        scheduler = scheduler_of(20, heard)
        with pytest.raises(StoreError, match="disk is full"):
            await scheduler.run(log, 3)
        assert len(log.batches) == fails_at
        assert heard.seqs == log.seqs
        with pytest.raises(StoreError, match="disk is full"):
            await scheduler.recorder.commit(log)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run_in_virtual_time(main())


def test_a_listener_that_raises_ends_the_run_with_its_error() -> None:
    async def main() -> None:
        log = Slow()
        with pytest.raises(ZeroDivisionError):
            await scheduler_of(20, Heard(log, raises_at=9)).run(log, 3)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run_in_virtual_time(main())


def test_who_was_cancelled_while_waiting_can_wait_again() -> None:
    async def main() -> None:
        log = Slow()
        recorder = scheduler_of(1).recorder
        first = asyncio.ensure_future(recorder.commit(log))
        await asyncio.sleep(0.5)
        first.cancel()
        await asyncio.wait([first])
        assert log.seqs == []
        await recorder.commit(log)
        assert log.seqs == [1]
        assert log.batches == [1]

    run_in_virtual_time(main())


def test_a_log_that_answers_at_once_costs_no_turn_of_the_loop() -> None:
    async def main() -> int:
        turns, over = 0, False

        async def count() -> None:
            nonlocal turns
            while not over:
                turns += 1
                await asyncio.sleep(0)

        counting = asyncio.create_task(count())
        scheduler = scheduler_of(500)
        log = MemoryStore()
        batch = scheduler.recorder.take()
        await log.open_run(_record(), batch)
        await scheduler.run(log, 1)
        over = True
        await counting
        return turns

    assert run_in_virtual_time(main()) < 20


def _record() -> RunRecord:
    now = datetime.now(UTC)
    return RunRecord("run", RunStatus.RUNNING, now, now, ())
