"""A run whose caller is cancelled while it is opened: it is there, nothing of it begins, and that is recorded."""

import asyncio
from collections.abc import Sequence

import pytest

from orchestration.events import Event, RunStarted
from orchestration.flow import AsyncFlowExecutor, Flow, FlowStep
from orchestration.kinds import RunStatus
from orchestration.protocols import RunRecord
from orchestration.store.memory import MemoryStore


class SlowStore(MemoryStore):
    """Takes its time to open a run."""

    def __init__(self) -> None:
        super().__init__()
        self.opening, self.go_on = asyncio.Event(), asyncio.Event()

    async def open_run(self, run: RunRecord, events: Sequence[Event]) -> None:
        self.opening.set()
        await self.go_on.wait()
        await super().open_run(run, events)


async def test_nothing_begins_and_each_step_is_recorded() -> None:
    store, began = SlowStore(), list[str]()
    steps = [FlowStep("a", lambda: began.append("a")), FlowStep("b", lambda: began.append("b"), depends_on="a")]
    executor = AsyncFlowExecutor(store=store)
    running = asyncio.create_task(executor.execute(Flow("f", steps), run_id="r"))
    await store.opening.wait()
    running.cancel()
    await asyncio.sleep(0)
    store.go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert began == []
    assert isinstance((await store.events("r"))[0], RunStarted)
    again = await executor.execute(Flow("f", steps), run_id="r")
    assert again.status is RunStatus.CANCELLED
    assert [(one.status.value, one.reason) for one in again.results] == [("cancelled", "not_started")] * 2
    assert began == []


async def test_who_waits_within_a_timeout_is_told_of_that_and_not_of_a_cancellation() -> None:
    store = SlowStore()
    asyncio.get_running_loop().call_later(0.05, store.go_on.set)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await AsyncFlowExecutor(store=store).execute(Flow("f", [FlowStep("a", lambda: 1)]))
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
