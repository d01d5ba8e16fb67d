"""Threads that are used again: the same ones as long as they are enough, and none that stays for ever."""

import asyncio
import gc
import inspect
import os
import threading
import time
import weakref
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from orchestration.calls import Threads, workers
from orchestration.errors import NoThread
from orchestration.flow import AsyncFlowExecutor, Flow, FlowStep
from tests.crash.sudden import wait_until

PATIENCE = 30.0


def _alive() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == "orch-function"}


async def _call(threads: Threads, function: Callable[[], Any]) -> Any:  # noqa: ANN401  # whatever it returns
    value, error = await (await threads.start(function, "f")).kept()
    if error is not None:
        raise error
    return value


async def test_functions_that_follow_each_other_share_a_thread() -> None:
    threads = Threads()
    seen = [await _call(threads, threading.get_ident) for _ in range(20)]
    assert len(set(seen)) == 1
    assert seen[0] != threading.get_ident()


async def test_functions_at_once_have_threads_of_their_own() -> None:
    threads, together = Threads(), threading.Barrier(5)

    def meet() -> int:
        together.wait(PATIENCE)
        return threading.get_ident()

    for _ in range(3):
        assert len(set(await asyncio.gather(*(_call(threads, meet) for _ in range(5))))) == 5


async def test_one_that_hangs_keeps_its_thread_and_nobody_elses() -> None:
    threads, let_go = Threads(), threading.Event()
    hanging = await threads.start(lambda: let_go.wait(PATIENCE), "hangs")
    async with asyncio.timeout(PATIENCE):
        assert await _call(threads, lambda: "done") == "done"
    assert not hanging.done()
    let_go.set()
    assert await hanging.kept() == (True, None)


async def test_whoever_stops_waiting_does_not_end_the_function() -> None:
    threads, let_go = Threads(), threading.Event()
    ended = await threads.start(lambda: let_go.wait(PATIENCE), "hangs")
    waiting = asyncio.ensure_future(ended.kept())
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert not ended.done()
    let_go.set()
    assert await ended.kept() == (True, None)
    assert await ended.kept() == (True, None)


async def test_what_a_function_leaves_behind_in_its_thread_is_not_the_next_ones_event_loop() -> None:
    threads = Threads()

    def leave() -> None:
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        loop.close()

    await _call(threads, leave)
    with pytest.raises(RuntimeError, match="no current event loop"):
        await _call(threads, asyncio.get_event_loop)


async def test_exits_and_exceptions_do_not_end_the_thread() -> None:
    threads = Threads()

    def leave(error: BaseException) -> None:
        raise error

    first = await _call(threads, threading.get_ident)
    for error in (SystemExit(3), KeyboardInterrupt(), StopIteration(), GeneratorExit()):
        ended = await threads.start(lambda error=error: leave(error), "f")  # type: ignore[misc]  # a default binds it
        assert (await ended.kept())[1] is error
    assert await _call(threads, threading.get_ident) == first


async def test_nothing_of_a_function_is_kept_by_an_idle_thread() -> None:
    class Big:
        pass

    threads = Threads()
    value = Big()
    seen = weakref.ref(value)
    await _call(threads, partial(type, value))
    del value
    await asyncio.to_thread(wait_until, lambda: seen() is None, "it is still there")


async def test_idle_threads_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "PATIENCE", 0.01)
    before, threads = _alive(), Threads()
    await asyncio.gather(*(_call(threads, lambda: time.sleep(0.02)) for _ in range(8)))
    await asyncio.to_thread(wait_until, lambda: not _alive() - before, "they are still there")
    assert await _call(threads, lambda: "again") == "again"


async def test_a_thread_that_is_about_to_end_takes_what_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last moment of a thread and the next function come together, again and again."""
    monkeypatch.setattr(workers, "PATIENCE", 0.0002)
    threads = Threads()

    async def one_after_the_other(count: int) -> None:
        for number in range(count):
            assert await _call(threads, lambda number=number: number) == number  # type: ignore[misc]  # as above
            await asyncio.sleep(0.0002)

    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(*(one_after_the_other(300) for _ in range(4)))


async def test_no_room_for_another_thread_is_an_error_of_that_function_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    threads = Threads(1)

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        with pytest.raises(NoThread, match="new thread"):
            await threads.start(lambda: None, "f")
    async with asyncio.timeout(PATIENCE):
        assert await _call(threads, lambda: "done") == "done"


async def test_those_that_end_together_come_back_each_with_its_own() -> None:
    threads, together = Threads(), threading.Barrier(8)

    def give(number: int) -> int:
        together.wait(PATIENCE)
        return number

    for _ in range(50):
        assert await asyncio.gather(*(_call(threads, partial(give, number)) for number in range(8))) == [*range(8)]


def test_what_comes_back_after_its_loop_has_ended_is_refused_also_what_came_just_before() -> None:
    """The loop stands still when the first returns, and is closed when the second does."""
    threads, let_go = Threads(), [threading.Event(), threading.Event()]

    async def never() -> None:
        raise AssertionError

    late = [never(), never()]

    def give(number: int) -> object:
        let_go[number].wait(PATIENCE)
        return late[number]

    async def start() -> None:
        for number in range(2):
            await threads.start(partial(give, number), f"f{number}")

    loop = asyncio.new_event_loop()
    loop.run_until_complete(start())
    let_go[0].set()
    time.sleep(0.1)  # it is on its way
    loop.close()
    seen = weakref.ref(loop)
    del loop
    let_go[1].set()
    wait_until(lambda: all(inspect.getcoroutinestate(one) == inspect.CORO_CLOSED for one in late), "kept")
    with asyncio.Runner() as runner:
        assert runner.run(_call(threads, lambda: "again")) == "again"
    gc.collect()
    assert seen() is None


@pytest.mark.slow
async def test_a_function_that_forks_ends_once() -> None:
    def fork() -> int:
        return os.fork()  # and both return

    run = await AsyncFlowExecutor().execute(Flow("forks", [FlowStep("f", fork), FlowStep("g", fork)]))
    assert run.succeeded
    children = [result.outputs["result"] for result in run.results]
    assert 0 not in children
    for child in children:
        assert os.waitstatus_to_exitcode((await asyncio.to_thread(os.waitpid, child, 0))[1]) == 0
