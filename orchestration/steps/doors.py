"""The doors without a loop: a run in a loop of its own, or an error that says what to await where one runs already."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from orchestration.errors import LoopIsRunning

T = TypeVar("T")


def run_here(begin: Callable[[], Coroutine[Any, Any, T]], *, instead: str) -> T:
    """Run to the end in a loop of its own.

    Raises:
        LoopIsRunning: a loop runs in this thread.
    """
    refuse_in_loop(instead=instead)
    return asyncio.run(begin())  # noqa: TID251  # a door for those who have no loop


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
