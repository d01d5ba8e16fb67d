"""Functions in our own process and their limits: what is ended, what cannot be, and who waits for whom."""

import asyncio
import gc
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestration.executors.function import FunctionExecutor
from orchestration.kinds import Failure
from orchestration.results import Outcome
from tests.world.attempts import PATIENCE, Ear, function, until_ready, work_for

HERE = FunctionExecutor(in_process=True)


async def run(folder: Path, target: Any, ear: Ear | None = None, **fields: Any) -> Outcome:  # noqa: ANN401  # a function; fields of an attempt
    return await HERE.execute(work_for(folder, function(target), **fields), ear or Ear())


async def test_an_async_function_is_cancelled_at_its_timeout(tmp_path: Path) -> None:
    tidied: list[str] = []

    async def f() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            tidied.append("yes")

    outcome = await run(tmp_path, f, timeout=0.05)
    assert (outcome.failure, outcome.ended_by, outcome.abandoned) == (Failure.TIMEOUT, "timeout", False)
    assert "did not return within its timeout of 0.05 s" in (outcome.error or "")
    assert tidied == ["yes"]


async def test_an_async_function_that_will_not_be_cancelled_is_abandoned_after_the_grace(tmp_path: Path) -> None:
    release = asyncio.Event()

    async def f() -> None:
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue

    outcome = await run(tmp_path, f, timeout=0.02, kill_grace=0.02)
    assert (outcome.failure, outcome.abandoned) == (Failure.TIMEOUT, True)
    assert "still runs" in (outcome.error or "")
    release.set()


async def test_a_function_that_returns_at_its_cancellation_has_timed_out_all_the_same(tmp_path: Path) -> None:
    async def f() -> str:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            return "too late"
        return "never"

    outcome = await run(tmp_path, f, timeout=0.02)
    assert (outcome.failure, outcome.output) == (Failure.TIMEOUT, "")


async def test_a_thread_past_its_deadline_is_abandoned_and_its_late_result_refused(tmp_path: Path) -> None:
    release, over = threading.Event(), threading.Event()

    def f() -> str:
        release.wait(PATIENCE)
        over.set()
        return "too late"

    outcome = await run(tmp_path, f, timeout=0.05)
    assert (outcome.failure, outcome.abandoned, outcome.output) == (Failure.TIMEOUT, True, "")
    release.set()
    assert await asyncio.to_thread(over.wait, PATIENCE)


async def test_a_function_for_which_no_thread_can_be_started_was_not_called_and_has_not_raised(tmp_path: Path) -> None:
    executor = FunctionExecutor(in_process=True)
    work = work_for(tmp_path, function(lambda: "called"))
    usual = threading.stack_size(1 << 46)  # no system has room for it
    try:
        outcome = await executor.execute(work, Ear())
    finally:
        threading.stack_size(usual)
    assert outcome.failure is Failure.INTERNAL
    assert "was not called: no thread can be started for a plain function (" in (outcome.error or "")
    assert "ulimit -u" in (outcome.error or "")
    assert (await executor.execute(work, Ear())).output == "called"


@pytest.mark.slow
async def test_abandoned_threads_count_until_they_return(tmp_path: Path) -> None:
    executor = FunctionExecutor(in_process=True, max_threads=1)
    release = threading.Event()
    hung = await executor.execute(work_for(tmp_path, function(lambda: release.wait(PATIENCE)), timeout=0.05), Ear())
    assert hung.abandoned
    second = asyncio.create_task(executor.execute(work_for(tmp_path, function(lambda: "second"), timeout=1), Ear()))
    third = asyncio.create_task(executor.execute(work_for(tmp_path, function(lambda: "third")), Ear()))
    done, _ = await asyncio.wait({second, third}, timeout=1.2)
    assert not done  # no room; and the time of a work that has not started does not run
    third.cancel()
    release.set()
    assert (await second).output == "second"
    with pytest.raises(asyncio.CancelledError):
        await third
    last = await executor.execute(work_for(tmp_path, function(lambda: "last")), Ear())
    assert last.output == "last"


async def test_who_is_cancelled_in_the_moment_of_being_let_in_leaves_room(tmp_path: Path) -> None:
    executor = FunctionExecutor(in_process=True, max_threads=1)
    release = threading.Event()
    waiting = executor._threads._waiting  # noqa: SLF001  # nothing else tells of that moment
    first = asyncio.create_task(executor.execute(work_for(tmp_path, function(release.wait)), Ear()))
    second = asyncio.create_task(executor.execute(work_for(tmp_path, function(lambda: "second")), Ear()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    release.set()
    while waiting:  # with the loop standing still, until it is told of the room
        time.sleep(0.001)  # noqa: ASYNC251  # that is the point
    time.sleep(0.02)  # noqa: ASYNC251  # as above
    await asyncio.sleep(0)
    second.cancel()
    assert (await first).succeeded
    with pytest.raises(asyncio.CancelledError):
        await second
    async with asyncio.timeout(PATIENCE):
        last = await executor.execute(work_for(tmp_path, function(lambda: "last")), Ear())
    assert last.output == "last"


def test_an_executor_survives_the_loop_in_which_a_thread_was_abandoned(tmp_path: Path) -> None:
    executor = FunctionExecutor(in_process=True, max_threads=1)
    release = threading.Event()
    runner = asyncio.Runner
    with runner() as first:
        work = work_for(tmp_path, function(lambda: release.wait(PATIENCE)), timeout=0.02)
        assert first.run(executor.execute(work, Ear())).abandoned
    release.set()
    with runner() as second:
        assert second.run(executor.execute(work_for(tmp_path, function(lambda: "next")), Ear())).output == "next"


@pytest.mark.slow
def test_a_thread_that_never_returns_does_not_keep_the_program_from_ending(tmp_path: Path) -> None:
    code = (
        "import asyncio, pathlib, sys, time\n"
        "from orchestration.executors.function import FunctionExecutor\n"
        "from tests.world.attempts import function, work_for\n"
        f"work = work_for(pathlib.Path({str(tmp_path)!r}), function(lambda: time.sleep(600)), timeout=0.05)\n"
        "outcome = asyncio.run(FunctionExecutor(in_process=True).execute(work, lambda *_: None))\n"
        "sys.exit(0 if outcome.abandoned else 1)\n"
    )
    root = Path(__file__).parents[2]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, timeout=PATIENCE, check=False).returncode == 0


async def test_at_most_so_many_plain_functions_run_at_once(tmp_path: Path) -> None:
    executor = FunctionExecutor(in_process=True, max_threads=3)
    lock, running, most = threading.Lock(), 0, 0
    together = threading.Barrier(3)

    def f() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        together.wait(PATIENCE)
        with lock:
            running -= 1

    works = [work_for(tmp_path, function(f)) for _ in range(9)]
    outcomes = await asyncio.gather(*(executor.execute(work, Ear()) for work in works))
    assert all(outcome.succeeded for outcome in outcomes)
    assert most == 3


async def test_cancelling_ends_an_async_function_before_it_gets_out(tmp_path: Path) -> None:
    events: list[str] = []
    begun = asyncio.Event()

    async def f() -> None:
        try:
            begun.set()
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.01)
            events.append("tidied")

    running = asyncio.create_task(run(tmp_path, f))
    await begun.wait()
    running.cancel()
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert events == ["tidied"]


async def test_cancelling_abandons_a_thread(tmp_path: Path) -> None:
    begun, release = threading.Event(), threading.Event()

    def f() -> None:
        begun.set()
        release.wait(PATIENCE)

    running = asyncio.create_task(run(tmp_path, f))
    await asyncio.to_thread(begun.wait, PATIENCE)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    release.set()


async def test_a_generator_in_a_thread_ends_at_its_next_item_after_its_deadline(tmp_path: Path) -> None:
    closed, release = threading.Event(), threading.Event()

    def f() -> Iterator[str]:
        try:
            yield "first"
            release.wait(PATIENCE)
            yield "late"
            raise AssertionError("never asked for")
        finally:
            closed.set()

    ear = Ear()
    outcome = await run(tmp_path, f, ear, timeout=0.5)
    assert outcome.failure is Failure.TIMEOUT
    release.set()
    assert await asyncio.to_thread(closed.wait, PATIENCE)
    assert ear.items == ["first"]


async def test_a_generator_in_a_thread_whose_listener_waits_ends_with_its_attempt(tmp_path: Path) -> None:
    closed, heard = threading.Event(), asyncio.Event()

    def f() -> Iterator[str]:
        try:
            yield "first"
        finally:
            closed.set()

    async def wait_for_ever(_item: object, _stream: str | None) -> None:
        heard.set()
        await asyncio.Event().wait()

    running = asyncio.create_task(HERE.execute(work_for(tmp_path, function(f)), wait_for_ever))
    await heard.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert await asyncio.to_thread(closed.wait, PATIENCE)


@pytest.mark.parametrize("kind", ["async", "plain"])
async def test_a_generator_waits_for_its_listener(tmp_path: Path, kind: str) -> None:
    log: list[str] = []

    async def async_f() -> AsyncIterator[int]:
        for n in range(3):
            log.append(f"yield {n}")
            yield n

    def plain_f() -> Iterator[int]:
        for n in range(3):
            log.append(f"yield {n}")
            yield n

    async def take(item: object, _stream: str | None) -> None:
        await asyncio.sleep(0.005)
        log.append(f"taken {item}")

    await HERE.execute(work_for(tmp_path, function(async_f if kind == "async" else plain_f)), take)
    assert log == [f"{word} {n}" for n in range(3) for word in ("yield", "taken")]


@pytest.mark.parametrize("kind", ["async", "plain"])
async def test_silence_between_items_is_judged_but_not_the_listener_s(tmp_path: Path, kind: str) -> None:
    release = threading.Event()

    async def async_f() -> AsyncIterator[int]:
        yield 1
        await asyncio.sleep(60)

    def plain_f() -> Iterator[int]:
        yield 1
        release.wait(PATIENCE)

    async def take(_item: object, _stream: str | None) -> None:
        await asyncio.sleep(0.15)

    target = async_f if kind == "async" else plain_f
    outcome = await HERE.execute(work_for(tmp_path, function(target), idle_timeout=0.05), take)
    assert outcome.failure is Failure.IDLE_TIMEOUT
    assert "yielded nothing for 0.05 s" in (outcome.error or "")
    release.set()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["async", "plain"])
async def test_a_listener_may_take_its_time(tmp_path: Path, kind: str) -> None:
    async def async_f() -> AsyncIterator[int]:
        yield 1

    def plain_f() -> Iterator[int]:
        yield 1

    async def attempt(limit: float) -> Outcome:
        async def take(_item: object, _stream: str | None) -> None:
            await asyncio.sleep(1.5 * limit)

        return await HERE.execute(work_for(tmp_path, function(target), idle_timeout=limit), take)

    target = async_f if kind == "async" else plain_f
    outcome, _ = await until_ready(attempt, lambda outcome: outcome.failure is None)
    assert outcome.succeeded


async def test_a_function_that_returns_once_is_not_judged_by_its_silence(tmp_path: Path) -> None:
    async def f() -> str:
        await asyncio.sleep(0.1)
        return "there"

    assert (await run(tmp_path, f, idle_timeout=0.02)).output == "there"


async def test_a_late_error_of_an_abandoned_function_warns_nobody(tmp_path: Path) -> None:
    async def f() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            raise ValueError("at the end")

    assert (await run(tmp_path, f, timeout=0.02)).failure is Failure.TIMEOUT
    gc.collect()
    await asyncio.sleep(0)
