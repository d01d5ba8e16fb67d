"""Steps of pipelines that do nothing: what the front costs on top of the engine, and whether the loop stays free."""

import asyncio
import itertools
import time
from pathlib import Path

from bench.reporting import Row
from bench.steps import COUNTS
from orchestration import AsyncPipeline, AsyncPythonTask, Parallel

ROUNDS = {100: 30, 1_000: 10, 10_000: 3}
"""Each figure is the least of so many, as in `bench.steps`."""

STALLED = 500
"""Steps that run while somebody else in the loop looks at the clock."""


async def _nothing() -> None:
    pass


def _chain(count: int) -> AsyncPipeline:
    return AsyncPipeline([AsyncPythonTask(_nothing, f"s{n}") for n in range(count)])


def _beside(count: int) -> AsyncPipeline:
    return AsyncPipeline([Parallel("p", {f"b{n}": AsyncPythonTask(_nothing) for n in range(count)})])


def pipelines(folder: Path) -> list[Row]:
    """Rows for 100, 1,000 and 10,000 steps, in memory and on disk, and for the loop."""
    rows = []
    for count in COUNTS:
        pipeline, numbers = _chain(count), itertools.count()
        memory = min(_seconds(pipeline, None) for _ in range(ROUNDS[count]))
        rows.append(Row(f"step of a pipeline, in memory, {count:,} steps", memory / count * 1e6, "µs"))
        stores = (folder / f"pipeline-{count}-{next(numbers)}" for _ in range(ROUNDS[count]))
        disk = min(_seconds(pipeline, store) for store in stores)
        rows.append(Row(f"step of a pipeline, SQLite with FULL, {count:,} steps", disk / count * 1e6, "µs"))
    for name, pipeline in (("in a row", _chain(STALLED)), ("beside each other", _beside(STALLED))):
        stall = min(asyncio.run(_longest_stall(pipeline)) for _ in range(5))  # noqa: TID251  # a bench is an entry point
        rows.append(Row(f"longest stall of the loop, {STALLED} steps {name}", stall * 1000, "ms", goal="≤ 20"))
    return rows


def _seconds(pipeline: AsyncPipeline, store: Path | None) -> float:
    """Seconds that a run takes, all of it: compiling, opening, running, the result."""

    async def run() -> float:
        began = time.perf_counter()
        await pipeline.execute(store=store)
        return time.perf_counter() - began

    return asyncio.run(run())  # noqa: TID251  # a bench is an entry point


async def _longest_stall(pipeline: AsyncPipeline) -> float:
    """The longest time for which nobody else had a turn."""
    longest = 0.0

    async def watch() -> None:
        nonlocal longest
        last = time.perf_counter()
        while True:
            await asyncio.sleep(0)
            now = time.perf_counter()
            longest = max(longest, now - last)
            last = now

    watching = asyncio.create_task(watch())
    await asyncio.sleep(0)
    await pipeline.execute()
    watching.cancel()
    await asyncio.wait([watching])
    return longest
