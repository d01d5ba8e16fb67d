"""A run that is left open: what runs is ended and closed as interrupted, and a later life of the run goes on."""

import asyncio
from datetime import UTC, datetime

from orchestration.events import AttemptInterrupted, RunPaused, RunResumed, RunStarted, TaskStarted
from orchestration.kinds import RunStatus
from orchestration.ledger import Ledger
from orchestration.plan import Node, Plan, State
from orchestration.protocols import Reporting, RunRecord
from orchestration.results import Outcome
from orchestration.scheduler import Recorder, Scheduler
from orchestration.store.memory import MemoryStore
from orchestration.testing import run_in_virtual_time

NODES = [Node("a"), Node("b"), Node("c", ("b",)), Node("d", ("c",))]


class Sleeper:
    """Each attempt takes ten seconds, except those of `a`, which take one."""

    def __init__(self) -> None:
        self.done: list[str] = []

    async def perform(
        self, task_id: str, attempt: int, slot: int, report: Reporting, agent: str | None = None
    ) -> Outcome:
        del attempt, slot, agent
        assert not report.is_ending
        try:
            await asyncio.sleep(1 if task_id == "a" else 10)
        except asyncio.CancelledError:
            assert report.is_ending
            raise
        self.done.append(task_id)
        return Outcome()

    def join(self, task_id: str) -> None:
        raise AssertionError(task_id)

    def decide(self, task_id: str) -> bool:
        raise AssertionError(task_id)

    def salvage(self, task_id: str, attempt: int) -> Outcome:
        del task_id, attempt
        return Outcome(log_path="here")

    async def wait_for_return(self, task_id: str, attempt: int) -> None:
        raise AssertionError(task_id, attempt)


async def live(store: MemoryStore, doer: Sleeper, suspend_after: float | None) -> Plan:
    """One life of the run."""
    plan = Plan("run", NODES)
    recorder = Recorder(plan, Ledger())
    scheduler = Scheduler(recorder, doer, {})
    known = await store.events("run")
    if known:
        for event in known:
            plan.apply(event)
            recorder.ledger.apply(event)
        recorder.emit(RunResumed)
        scheduler.take_up()
    else:
        recorder.emit(RunStarted, tasks=tuple(node.id for node in NODES))
        now = datetime.now(UTC)
        await store.open_run(RunRecord("run", RunStatus.RUNNING, now, now, ("a", "b", "c", "d")), recorder.take())
    if suspend_after is not None:
        asyncio.get_running_loop().call_later(suspend_after, scheduler.suspend, "signal 2")
    await scheduler.run(store, 2)
    return plan


def test_a_suspended_run_is_paused_and_goes_on_where_it_was() -> None:
    async def both() -> None:
        store, doer = MemoryStore(), Sleeper()
        plan = await live(store, doer, suspend_after=5)
        events = list(await store.events("run"))
        assert doer.done == ["a"]
        assert isinstance(events[-1], RunPaused)
        assert events[-1].reason == "signal 2"
        (cut,) = [event for event in events if isinstance(event, AttemptInterrupted)]
        assert (cut.task_id, cut.attempt, cut.outcome.log_path) == ("b", 1, "here")
        assert [plan.state_of(node.id) for node in NODES] == [
            State.SUCCEEDED,
            State.RETRYING,
            State.WAITING,
            State.WAITING,
        ]
        plan = await live(store, doer, suspend_after=None)
        assert plan.is_over
        assert doer.done == ["a", "b", "c", "d"]
        starts = [(e.task_id, e.attempt) for e in await store.events("run") if isinstance(e, TaskStarted)]
        assert sorted(starts) == [("a", 1), ("b", 1), ("b", 2), ("c", 1), ("d", 1)]

    run_in_virtual_time(both())


def test_suspending_a_run_that_has_nothing_left_to_do_changes_nothing() -> None:
    async def late() -> None:
        store, doer = MemoryStore(), Sleeper()
        plan = await live(store, doer, suspend_after=100)
        assert plan.is_over
        assert not any(isinstance(event, RunPaused) for event in await store.events("run"))

    run_in_virtual_time(late())
