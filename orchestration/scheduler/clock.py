"""The clock of a loop, which a step reads several times."""

import asyncio
import time
from collections.abc import Callable


def clock_of(loop: asyncio.AbstractEventLoop) -> Callable[[], float]:
    """What tells the loop's time; where nobody has replaced its clock, that without the method around it."""
    is_usual = getattr(type(loop), "time", None) is asyncio.BaseEventLoop.time and "time" not in vars(loop)
    return time.monotonic if is_usual else loop.time
