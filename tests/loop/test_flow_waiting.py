"""Steps that run another flow by their own executor: they go on, or are told at once that they never would."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable

import pytest

from orchestration.calls import MAX_THREADS
from orchestration.flow import AsyncFlowExecutor, Flow, FlowExecutor, FlowStep
from orchestration.pipeline import AsyncPipeline, AsyncPythonTask, Map, PythonTask
from orchestration.results import RunResult

LIMIT = 20
INNER = Flow("inner", [FlowStep("x", lambda: 1), FlowStep("y", lambda: 2)])


def nested(count: int, run_inner: Callable[[], Awaitable[object]]) -> Flow:
    """A flow of steps that wait until all of them have begun, and then run another flow."""
    begun: list[None] = []
    all_begun = asyncio.Event()

    async def runs_inner() -> None:
        begun.append(None)
        if len(begun) == count:
            all_begun.set()
        await all_begun.wait()
        await run_inner()

    return Flow("outer", [FlowStep(f"s{n}", runs_inner) for n in range(count)], on_error="continue")


async def played(count: int, places: int | None, *, inner_at_once: int = 1) -> RunResult:
    executor = AsyncFlowExecutor(places)

    async def run_inner() -> None:
        runs = await asyncio.gather(*(executor.execute(INNER) for _ in range(inner_at_once)))
        assert all(run.succeeded for run in runs)

    async with asyncio.timeout(LIMIT):
        return await executor.execute(nested(count, run_inner))


@pytest.mark.parametrize(("count", "places"), [(1, 2), (1, None), (3, 4), (5, None)])
async def test_a_step_may_run_another_flow_where_there_is_room(count: int, places: int | None) -> None:
    assert (await played(count, places, inner_at_once=3)).succeeded


@pytest.mark.parametrize("count", [1, 2, 4])
async def test_the_one_that_would_take_the_last_place_is_refused_and_the_others_go_on(count: int) -> None:
    run = await played(count, count)
    failed = [one for one in run.results if not one.succeeded]
    assert len(failed) == 1
    assert f"UsageError: step {failed[0].task_id} would wait for ever" in (failed[0].error or "")


async def test_a_place_is_free_again_once_a_run_is_over_or_given_up() -> None:
    executor = AsyncFlowExecutor(2)

    async def twice() -> None:
        for _ in range(3):
            assert (await executor.execute(INNER)).succeeded
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await executor.execute(Flow("hangs", [FlowStep("h", hangs)]))

    async with asyncio.timeout(LIMIT):
        for _ in range(2):
            assert (await executor.execute(Flow("outer", [FlowStep("s", twice)]))).succeeded


async def hangs() -> None:
    await asyncio.Event().wait()


async def test_other_executors_and_pipelines_are_nobodys_business() -> None:
    executor = AsyncFlowExecutor(1)

    async def elsewhere() -> None:
        assert (await AsyncFlowExecutor(1).execute(INNER)).succeeded
        assert (await AsyncPipeline([AsyncPythonTask(asyncio.sleep, name="s")]).execute({"delay": 0})).succeeded

    async with asyncio.timeout(LIMIT):
        assert (await executor.execute(Flow("outer", [FlowStep("s", elsewhere)]))).succeeded


def test_a_plain_function_is_told_too() -> None:
    executor = FlowExecutor(1)
    run = executor.run(Flow("outer", [FlowStep("s", lambda: executor.run(INNER))]), deadline=LIMIT)
    assert "would wait for ever" in (run["s"].error or "")
    assert "FlowStep(id, flow=…)" in (run["s"].error or "")


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("depth", [1, 3])
async def test_plain_functions_that_wait_for_runs_leave_their_threads_to_those_of_the_runs(
    threads: int, depth: int
) -> None:
    executor = FlowExecutor(max_threads=threads)
    at_work: list[int] = []
    most: list[int] = []

    def works(n: int) -> int:
        at_work.append(n)
        most.append(len(at_work))
        time.sleep(0.005)
        at_work.remove(n)
        return n

    def deeper(n: int, left: int) -> int:
        if not left:
            return works(n)
        run = executor.run(Flow("inner", [FlowStep("s", deeper)]), {"n": n, "left": left - 1}, LIMIT)
        return int(run.outputs["s"])

    steps = [FlowStep(f"s{n}", deeper, inputs={"n": n, "left": depth}) for n in range(5)]
    run = await asyncio.to_thread(executor.run, Flow("outer", steps), None, LIMIT)
    assert [one.outputs["result"] for one in run.results] == [*range(5)]
    assert max(most) <= threads
    assert executor.abandoned == []


@pytest.mark.parametrize("runs_itself", [True, False])
async def test_plain_functions_of_a_pipeline_may_all_wait_for_pipelines(runs_itself: bool) -> None:
    inner = AsyncPipeline([PythonTask(lambda item: item + 1, "i", returns=["more"])], "inner")
    all_begun = threading.Barrier(MAX_THREADS)

    def outer(item: int) -> int:
        all_begun.wait(LIMIT)
        given = {"item": item}
        run = inner.run(given) if runs_itself else asyncio.run(inner.execute(given))  # noqa: TID251  # as users do
        return int(run.outputs["more"])

    items = [*range(MAX_THREADS)]
    pipeline = AsyncPipeline([Map("m", PythonTask(outer, "o", returns=["more"]), "items", "item")])
    async with asyncio.timeout(LIMIT):
        run = await pipeline.execute({"items": items})
    assert run.outputs["more"] == [item + 1 for item in items]
