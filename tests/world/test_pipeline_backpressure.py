"""Streams whose consumer is slow, and streams of runs that a fault of ours ends."""

import asyncio
from typing import Any

import pytest

from orchestration import AsyncPythonTask, Parallel, PythonTask
from orchestration.errors import StoreError
from orchestration.store.memory import MemoryStore
from orchestration.streams import BUFFER, RunStream
from tests.world.steps import Hanging, nothing, nothing_left, pipeline_of


async def told_by(stream: RunStream) -> list[dict[str, Any]]:
    async with stream:
        return [event async for event in stream]


# -- slow consumers --------------------------------------------------------------------------------------------------


async def test_a_slow_consumer_slows_the_run_down_instead_of_filling_the_memory() -> None:
    yielded = 0

    async def torrent() -> Any:  # noqa: ANN401  # an async generator
        nonlocal yielded
        for n in range(5 * BUFFER):
            yielded = n + 1
            yield n

    async with pipeline_of(torrent).execute_streaming() as stream:
        read = 0
        async for _ in stream:
            read += 1
            if read == 10:
                for _ in range(50):
                    await asyncio.sleep(0)
                assert BUFFER <= yielded <= BUFFER + 20
        assert yielded == 5 * BUFFER
    assert read == 5 * BUFFER + 4


async def test_a_generator_in_a_thread_waits_for_a_slow_consumer_too() -> None:
    yielded = 0

    def torrent() -> Any:  # noqa: ANN401  # a generator
        nonlocal yielded
        for n in range(2 * BUFFER):
            yielded = n + 1
            yield n

    async with pipeline_of(PythonTask(torrent)).execute_streaming() as stream:
        await asyncio.sleep(0.2)
        assert yielded <= BUFFER + 10
        read = [event async for event in stream]
    assert len(read) == 2 * BUFFER + 4


async def test_a_slow_consumer_can_leave_while_everybody_waits_for_it() -> None:
    async def torrent() -> Any:  # noqa: ANN401  # an async generator
        while True:
            yield "drop"

    with nothing_left():
        async with pipeline_of(
            Parallel("p", {f"b{n}": AsyncPythonTask(torrent) for n in range(3)})
        ).execute_streaming():
            await asyncio.sleep(0.1)


# -- faults of ours --------------------------------------------------------------------------------------------------


class FullStore(MemoryStore):
    """A store whose disk becomes full after so many appends."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room = room

    def append(self, run_id: str, events: Any) -> Any:  # noqa: ANN401  # the twin's own types
        self.room -= 1
        if self.room < 0:
            raise StoreError("the disk is full")
        return super().append(run_id, events)


@pytest.mark.parametrize("room", [0, 1, 2, 3])
async def test_a_store_that_fails_ends_the_stream_with_that_error_and_leaves_nothing(room: int) -> None:
    async def count(n: int) -> Any:  # noqa: ANN401  # an async generator
        for i in range(n):
            yield i

    pipeline = pipeline_of(count, nothing, Hanging().hang)
    with nothing_left():
        with pytest.raises(StoreError, match="full"):
            await told_by(pipeline.execute_streaming({"n": 1}, store=FullStore(room)))
        with pytest.raises(StoreError, match="full"):
            await pipeline.execute({"n": 1}, store=FullStore(room))
