"""Driving a coroutine of others in the current task: limits, cancellations, and whose they were. In virtual time."""

import asyncio
import contextvars
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

import pytest

from orchestration.calls import Drive, Limits
from orchestration.kinds import Failure
from orchestration.testing import run_in_virtual_time

VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("VARIABLE", default="outside")


def driven(
    function: Callable[[], Coroutine[Any, Any, Any]],
    limits: Limits | None = None,
    is_ending: Callable[[], bool] = lambda: False,
) -> Drive:
    return Drive(function(), contextvars.copy_context(), limits or Limits(), is_ending)


async def drive_until_cancelled(drive: Drive, after: float) -> "asyncio.Task[Any]":
    """Await a drive in a task that is cancelled after so many seconds."""

    async def run() -> Any:  # noqa: ANN401  # what is driven
        return await drive

    task = asyncio.create_task(run())
    await asyncio.sleep(after)
    task.cancel()
    await asyncio.wait([task])
    return task


def test_what_it_returns_and_raises_comes_out() -> None:
    async def returns() -> int:
        await asyncio.sleep(1)
        return 5

    async def raises() -> None:
        raise ZeroDivisionError

    async def main() -> None:
        assert await driven(returns) == 5
        with pytest.raises(ZeroDivisionError):
            await driven(raises)

    run_in_virtual_time(main())


def test_what_it_sets_stays_in_its_own_context() -> None:
    async def sets() -> str:
        VARIABLE.set("inside")
        await asyncio.sleep(1)
        return VARIABLE.get()

    async def main() -> None:
        assert await driven(sets) == "inside"
        assert VARIABLE.get() == "outside"

    run_in_virtual_time(main())


def test_a_timeout_cancels_it_and_is_not_counted_against_the_task() -> None:
    cleaned = []

    async def hangs() -> None:
        try:
            await asyncio.sleep(100)
        finally:
            await asyncio.sleep(1)
            cleaned.append(asyncio.get_running_loop().time())

    async def main() -> None:
        drive = driven(hangs, Limits(timeout=2))
        with suppress(asyncio.CancelledError):
            await drive
        assert (drive.met, drive.forced, cleaned) == (Failure.TIMEOUT, False, [3])
        task = asyncio.current_task()
        assert task is not None
        assert not task.cancelling()
        await asyncio.sleep(1)

    run_in_virtual_time(main())


@pytest.mark.parametrize("clean_up", [0, 100])
def test_one_that_does_not_end_is_closed_by_force_after_its_grace(clean_up: float) -> None:
    async def stubborn() -> None:
        while True:
            try:
                await asyncio.sleep(100)
            except asyncio.CancelledError:
                await asyncio.sleep(clean_up)

    async def main() -> None:
        drive = driven(stubborn, Limits(timeout=2, grace=3))
        with suppress(asyncio.CancelledError):
            await drive
        assert (drive.met, drive.forced) == (Failure.TIMEOUT, True)
        assert asyncio.get_running_loop().time() == 5
        assert "closed after a grace of 3 s" in drive.told()

    run_in_virtual_time(main())


def test_a_cancellation_from_outside_goes_through_and_has_a_grace() -> None:
    ended = []

    async def slow() -> None:
        try:
            await asyncio.sleep(100)
        except asyncio.CancelledError:
            await asyncio.sleep(50)
            ended.append("never")
            raise

    async def main() -> None:
        drive = driven(slow, Limits(grace=2), is_ending=lambda: True)
        task = await drive_until_cancelled(drive, after=1)
        assert task.cancelled()
        assert (drive.met, drive.forced, ended) == (None, True, [])
        assert asyncio.get_running_loop().time() == 3

    run_in_virtual_time(main())


def test_a_timeout_of_its_own_is_no_limit_of_ours() -> None:
    async def careful() -> str:
        with suppress(TimeoutError):
            async with asyncio.timeout(1):
                await asyncio.sleep(100)
        return "went on"

    async def main() -> None:
        drive = driven(careful, Limits(timeout=10))
        assert await drive == "went on"
        assert drive.met is None

    run_in_virtual_time(main())


def test_silence_counts_from_sign_to_sign_and_not_while_it_waits_for_us() -> None:
    async def talks(drive: list[Drive]) -> str:
        drive[0].heard()
        await asyncio.sleep(3)
        drive[0].hold()
        await asyncio.sleep(20)
        drive[0].heard()
        await asyncio.sleep(100)
        return "never"

    async def main() -> None:
        own: list[Drive] = []
        own.append(driven(lambda: talks(own), Limits(idle=5)))
        with suppress(asyncio.CancelledError):
            await own[0]
        assert own[0].met is Failure.IDLE_TIMEOUT
        assert asyncio.get_running_loop().time() == pytest.approx(28)

    run_in_virtual_time(main())


def test_what_never_waits_needs_no_turn_of_the_loop_and_no_timer() -> None:
    async def quick() -> int:
        return 1

    async def main() -> None:
        turns: list[int] = []
        asyncio.get_running_loop().call_soon(turns.append, 1)
        assert [await driven(quick, Limits(timeout=1)) for _ in range(10)] == [1] * 10
        assert turns == []

    run_in_virtual_time(main())
