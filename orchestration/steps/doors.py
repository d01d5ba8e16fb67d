"""The doors without a loop: a run in a loop of its own, or an error that says what to await where one runs already."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from orchestration.errors import LoopIsRunning, UsageError
from orchestration.results import RunResult


def run_here(
    begin: Callable[[], Coroutine[Any, Any, RunResult]], *, instead: str, left: Sequence[RunResult] = ()
) -> RunResult:
    """Run to the end in a loop of its own.

    Args:
        begin: makes the run.
        instead: what to await where there is a loop.
        left: where the run puts what it came to, if it is cancelled.

    Raises:
        LoopIsRunning: a loop runs in this thread.
    """
    refuse_in_loop(instead=instead)
    return ended(lambda: asyncio.run(begin()), left)  # noqa: TID251  # a door for those who have no loop


def ended(wait: Callable[[], RunResult], left: Sequence[RunResult]) -> RunResult:
    """What a run came to; one that was cancelled, too: where nobody has its task, a step of it has done that."""
    try:
        return wait()
    except asyncio.CancelledError:
        if not left:
            raise
        return left[-1]


def running_loop() -> asyncio.AbstractEventLoop:
    """The loop in which a run would go on.

    Raises:
        UsageError: there is none of asyncio, but perhaps one of another library.
    """
    try:
        return asyncio.get_running_loop()
    except RuntimeError as error:
        hint = "await it in asyncio.run(…), or in anyio.run(…, backend='asyncio'); without a loop, call run()"
        raise UsageError("no loop of asyncio runs here, and runs need one", hint=hint) from error


def refuse_in_loop(*, instead: str) -> None:
    """Refuse to wait where a loop would stand still meanwhile.

    Raises:
        LoopIsRunning: a loop runs in this thread.
    """
    if _a_loop_runs():
        told = "a loop is running in this thread, so this cannot wait for a run here"
        raise LoopIsRunning(f"{told}; use `{instead}`", hint=instead)


def _a_loop_runs() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
