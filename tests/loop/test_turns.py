"""Slots that never wait give way to the rest of the loop, and go on whatever the rest does with its turns."""

import asyncio
import time

import pytest

from orchestration.pipeline import AsyncPipeline, AsyncPythonTask, Parallel
from orchestration.results import RunResult

LIMIT = 30
LONG = 0.006
"""Seconds of work that use up a turn."""


def work(seconds: float) -> None:
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        pass


async def step() -> None:
    work(0.0005)


def beside(count: int) -> AsyncPipeline:
    return AsyncPipeline([Parallel("p", {f"b{n}": AsyncPythonTask(step, f"s{n}") for n in range(count)})])


async def played(pipeline: AsyncPipeline, at_once: int | None) -> RunResult:
    async with asyncio.timeout(LIMIT):
        return await pipeline.execute(max_concurrent=at_once)


@pytest.mark.slow
@pytest.mark.parametrize(("count", "at_once"), [(64, None), (150, 2), (300, 8), (600, None)])
async def test_a_host_that_uses_up_every_turn_does_not_keep_a_run_from_going_on(
    count: int, at_once: int | None
) -> None:
    async def host() -> None:
        while True:
            time.sleep(0.005)  # noqa: ASYNC251  # the point
            await asyncio.sleep(0)

    busy = asyncio.create_task(host())
    try:
        assert (await played(beside(count), at_once)).succeeded
    finally:
        busy.cancel()


@pytest.mark.slow
async def test_a_step_that_uses_up_every_turn_does_not_keep_the_others_from_going_on() -> None:
    ended: list[int] = []

    async def rows():  # type: ignore[no-untyped-def]  # noqa: ANN202  # a generator of anything
        for n in range(400):
            work(LONG)
            yield {"row": n, "ended": len(ended)}

    async def small() -> None:
        work(0.0005)
        ended.append(1)

    branches = {f"b{n}": AsyncPythonTask(small, f"s{n}") for n in range(60)}
    pipeline = AsyncPipeline([Parallel("p", {"rows": AsyncPythonTask(rows), **branches})])
    async with pipeline.execute_streaming(max_concurrent=4) as stream:
        items = [item async for item in stream.items() if isinstance(item, dict)]
    assert (await stream.result()).succeeded
    assert items[len(items) // 2]["ended"] == 60


@pytest.mark.parametrize("at_once", [1, 3])
@pytest.mark.parametrize("turns", range(4))
async def test_a_slot_that_somebody_cancels_while_it_waits_for_its_turn_goes_on(at_once: int, turns: int) -> None:
    async def leaves_a_cancellation() -> None:
        slot, loop = asyncio.current_task(), asyncio.get_running_loop()
        assert slot is not None

        def cancel_later(left: int) -> None:
            loop.call_soon(cancel_later, left - 1) if left else slot.cancel()

        loop.call_soon(cancel_later, turns)
        work(LONG)

    async def long() -> None:
        work(LONG)

    steps = [AsyncPythonTask(leaves_a_cancellation), *(AsyncPythonTask(long, f"s{n}") for n in range(10))]
    assert (await played(AsyncPipeline(steps), at_once)).succeeded
