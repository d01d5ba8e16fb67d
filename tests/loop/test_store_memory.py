"""The store in memory, where it is more than its twin: nothing is copied, and nothing is waited for."""

import asyncio

import pytest

from orchestration.errors import OutcomeTaken
from orchestration.events import TaskCompleted
from orchestration.results import Outcome
from orchestration.store.memory import MemoryStore
from tests.world.store_samples import at, completed, opened, started


async def test_to_await_an_append_costs_no_turn_of_the_loop() -> None:
    store = MemoryStore()
    run = await opened(store)
    turns: list[int] = []
    asyncio.get_running_loop().call_soon(turns.append, 1)
    for seq in range(2, 100):
        await store.append(run, [started(run, seq)])
    assert turns == []
    await asyncio.sleep(0)
    assert turns == [1]


async def test_an_append_is_done_when_the_call_returns() -> None:
    store = MemoryStore()
    run = await opened(store)
    first = store.append(run, [started(run, 2)])
    assert store.append(run, [started(run, 3)]) is first, "the answer is always the same"
    assert len(await store.events(run)) == 3
    refused = store.append(run, [started(run, 3)])
    for _ in range(2):
        with pytest.raises(OutcomeTaken):
            await refused


async def test_what_a_function_returned_stays_the_same_object() -> None:
    store = MemoryStore()
    run = await opened(store)
    anything = object()
    event = TaskCompleted(run, 2, at(2), "A", 1, outcome=Outcome(outputs={"x": anything}))
    await store.append(run, [event])
    assert (await store.events(run))[1] is event
    assert (await store.standings())["A"].event is event


async def test_the_events_that_were_asked_for_do_not_grow() -> None:
    store = MemoryStore()
    run = await opened(store)
    for since in (0, 1):
        seen = await store.events(run, since)
        size = len(seen)
        last = len(await store.events(run))
        await store.append(run, [completed(run, last + 1, attempt=last)])
        assert len(seen) == size
