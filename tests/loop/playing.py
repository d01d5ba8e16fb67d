"""Plays a run of made-up tasks in virtual time: the real plan, scheduler and memory store, a scripted doer."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from orchestration.events import Event, RunStarted, TaskChunk
from orchestration.kinds import RunStatus
from orchestration.ledger import Ledger
from orchestration.models import Account, Budget
from orchestration.plan import Limits, Node, Plan
from orchestration.protocols import RunRecord
from orchestration.results import RunResult
from orchestration.scheduler import Job, Recorder, Scheduler
from orchestration.store.memory import MemoryStore
from orchestration.testing import FakeDoer, Script, run_in_virtual_time


@dataclass(frozen=True, slots=True)
class Played:
    """What came of it."""

    result: RunResult
    events: Sequence[Event]
    told: Sequence[Event | TaskChunk]
    script: Script
    seconds: float

    def types(self, task_id: str | None = None) -> list[str]:
        """The stored events' types, of one task or all."""
        return [event.type for event in self.events if task_id is None or getattr(event, "task_id", None) == task_id]


async def open_run(store: MemoryStore, recorder: Recorder) -> None:
    """Give the store the run with the events so far."""
    now = datetime.now(UTC)
    record = RunRecord(recorder.plan.run_id, RunStatus.RUNNING, now, now, recorder.ledger.tasks)
    batch = recorder.take()
    await store.open_run(record, batch)
    await recorder.tell(batch)


Meddle = Callable[[Scheduler], Awaitable[None]]


async def play_here(
    nodes: Sequence[Node],
    script: Script | None = None,
    slots: int | None = 3,
    *,
    jobs: Mapping[str, Job] | None = None,
    fail_fast: bool = False,
    meddle: Meddle | None = None,
    limits: Limits | None = None,
    doer: FakeDoer | None = None,
    accounts: Mapping[str, Account] | None = None,
    budget: Budget | None = None,
    clock: Callable[[], float] = time.time,
) -> Played:
    """Play in the running loop; `meddle` is started beside the run."""
    script = script or Script()
    told: list[Event | TaskChunk] = []
    plan = Plan("run", nodes, limits)
    dice = random.Random(1)  # noqa: S311  # a repeatable run
    recorder = Recorder(plan, Ledger(), told.append, clock)
    scheduler = Scheduler(recorder, doer or FakeDoer(script), jobs or {}, dice, accounts=accounts, budget=budget)
    recorder.emit(RunStarted, tasks=tuple(node.id for node in nodes), fail_fast=fail_fast)
    store, loop = MemoryStore(), asyncio.get_running_loop()
    await open_run(store, recorder)
    began = loop.time()
    beside = asyncio.create_task(_beside(meddle, scheduler))
    try:
        await scheduler.run(store, slots)
    finally:
        beside.cancel()
        await asyncio.wait([beside])
    grown = [0.0] * (len(plan.nodes) - len(nodes))
    result = recorder.ledger.run_result(lambda seconds: plan.graph.critical_path([*seconds, *grown])[1])
    return Played(result, await store.events("run"), told, script, loop.time() - began)


async def _beside(meddle: Meddle | None, scheduler: Scheduler) -> None:
    if meddle is not None:
        await meddle(scheduler)


def play(
    nodes: Sequence[Node],
    script: Script | None = None,
    slots: int | None = 3,
    *,
    jobs: Mapping[str, Job] | None = None,
    fail_fast: bool = False,
    meddle: Meddle | None = None,
    limits: Limits | None = None,
    doer: FakeDoer | None = None,
    accounts: Mapping[str, Account] | None = None,
    budget: Budget | None = None,
    clock: Callable[[], float] = time.time,
) -> Played:
    """Play in a virtual-time loop of its own."""
    return run_in_virtual_time(
        play_here(
            nodes,
            script,
            slots,
            jobs=jobs,
            fail_fast=fail_fast,
            meddle=meddle,
            limits=limits,
            doer=doer,
            accounts=accounts,
            budget=budget,
            clock=clock,
        ),
    )
