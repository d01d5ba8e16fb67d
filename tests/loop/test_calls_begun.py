"""Calls of steps that end before they wait for anything: what comes of them is what would have come of them later."""

import asyncio
import gc
import inspect
import threading
import time
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import pytest

from orchestration.flow import AsyncFlowExecutor, Flow, FlowStep
from orchestration.pipeline import AsyncPipeline, AsyncPythonTask
from orchestration.results import ExecutionResult


async def value() -> int:
    return 3


class Marked:
    """A plain callable that passes for an async function, as `inspect.markcoroutinefunction` makes them."""

    __name__ = __qualname__ = "marked"
    __code__, __defaults__, __kwdefaults__ = value.__code__, None, None

    def __init__(self, call: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        self._call = call

    def __call__(self) -> Coroutine[Any, Any, Any]:
        return self._call()


async def result_of(function: Callable[..., Any]) -> ExecutionResult:
    assert inspect.iscoroutinefunction(function)
    run = await AsyncPipeline([AsyncPythonTask(function, "s", returns=["n"])]).execute()
    return run.results[0]


def nobody_there() -> Coroutine[Any, Any, int]:
    return next(iter([]))


async def raises_stop_iteration() -> int:
    return next(iter([]))


async def cancels_itself() -> int:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    return 3


async def raises_a_cancellation() -> int:
    raise asyncio.CancelledError


async def exits() -> int:
    raise SystemExit(4)


@pytest.mark.parametrize(
    ("function", "failure", "told"),
    [
        (value, None, None),
        (Marked(value), None, None),
        (Marked(nobody_there), "crashed", "the call raised StopIteration"),
        (raises_stop_iteration, "crashed", "coroutine raised StopIteration"),
        (cancels_itself, "crashed", "the agent's code cancelled itself"),
        (raises_a_cancellation, "crashed", "the agent's code cancelled itself"),
        (exits, "exit_code", "exits exited with code 4"),
    ],
)
async def test_a_call_that_ends_at_once_comes_to_what_it_is(
    function: Callable[..., Any], failure: str | None, told: str | None
) -> None:
    result = await result_of(function)
    assert (result.failure, result.outputs) == (failure, {} if failure else {"n": 3})
    assert told is None or told in (result.error or "")


async def forgets() -> Any:  # noqa: ANN401  # it means to return a number
    return value()


async def forgets_later() -> Any:  # noqa: ANN401  # likewise
    await asyncio.sleep(0)
    return value()


@pytest.mark.parametrize("function", [forgets, forgets_later, partial(lambda call: call(), forgets)])
async def test_who_returns_a_coroutine_that_nobody_awaits_has_not_succeeded(function: Callable[..., Any]) -> None:
    flow = Flow("f", [FlowStep("a", function), FlowStep("b", value, depends_on="a")], on_error="continue")
    run = await AsyncFlowExecutor().execute(flow)
    assert run["a"].failure == "invalid_output"
    assert "the coroutine value, which nobody awaits" in str(run["a"].error)
    assert run["b"].status == "blocked"
    gc.collect()  # a coroutine that was never awaited would complain of that here


@pytest.mark.parametrize("ends_first", ["thread", "loop"])
def test_a_coroutine_that_is_returned_too_late_is_refused_without_a_complaint(ends_first: str) -> None:
    let_go, returned = threading.Event(), threading.Event()

    def late() -> Coroutine[Any, Any, int]:
        let_go.wait(10)
        made = value()
        returned.set()
        return made

    async def run_it() -> ExecutionResult:
        executor = AsyncFlowExecutor()
        run = await executor.execute(Flow("f", [FlowStep("a", late, timeout=0.01)]))
        if ends_first == "thread":
            let_go.set()
            while executor.abandoned:  # noqa: ASYNC110  # a thread says nothing to this loop
                await asyncio.sleep(0.001)
            await asyncio.sleep(0)
        return run["a"]

    assert asyncio.run(run_it()).failure == "timeout"  # noqa: TID251  # a loop that is closed then
    let_go.set()
    assert returned.wait(10)
    while any(thread.name.endswith("(_run)") for thread in threading.enumerate()):
        time.sleep(0.001)
    gc.collect()
