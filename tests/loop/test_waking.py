"""No slot sleeps on while there is something to do, or nothing at all."""

import asyncio
from collections.abc import Sequence

from orchestration.events import Event, RunStarted
from orchestration.kinds import RunStatus
from orchestration.ledger import Ledger
from orchestration.plan import Node, Plan
from orchestration.scheduler import Recorder, Scheduler
from orchestration.store.memory import MemoryStore
from orchestration.testing import FakeDoer, Script, Step, run_in_virtual_time
from tests.loop.playing import open_run


class SlowStore(MemoryStore):
    """Takes a second to make anything durable."""

    async def append(self, run_id: str, events: Sequence[Event]) -> None:
        stored = super().append(run_id, events)
        await asyncio.sleep(1)
        await stored


def test_an_errand_that_ends_while_a_slot_makes_something_durable_leaves_no_slot_asleep() -> None:
    assert run_in_virtual_time(_run_with_an_errand()) is RunStatus.SUCCESS


async def _run_with_an_errand() -> RunStatus:
    script = Script({"A": [Step(seconds=5)]})
    plan = Plan("run", [Node("A")])
    recorder = Recorder(plan, Ledger())
    scheduler = Scheduler(recorder, FakeDoer(script), {})
    recorder.emit(RunStarted, tasks=("A",))
    store = SlowStore()
    await open_run(store, recorder)

    async def errand() -> None:
        await asyncio.sleep(0.6)

    asyncio.get_running_loop().call_later(5.9, lambda: scheduler.run_errand(errand()))
    async with asyncio.timeout(60):
        await scheduler.run(store, 1)
    return recorder.ledger.status
