"""Awaiting to the end: cleanup that a second cancellation cannot cut short, and cancellations that came too late."""

import asyncio
import contextlib
from collections.abc import Awaitable, Iterable
from typing import Any


async def cancel_all(tasks: "Iterable[asyncio.Task[Any]]") -> None:
    """Cancel the tasks and wait until the last one has ended, also if we are cancelled meanwhile."""
    waited = [task for task in tasks if not task.done()]
    for task in waited:
        task.cancel()
    if waited:
        await shielded(asyncio.wait(waited))


async def shielded(work: Awaitable[Any]) -> None:
    """Await to the end whatever happens; a cancellation that came meanwhile goes on afterwards.

    Raises:
        BaseException: what `work` raised.
    """
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
    task.result()
    if cancelled is not None:
        raise cancelled


async def absorb_cancellation(task: "asyncio.Task[Any]") -> None:
    """Take back one `cancel()` of the running task that it no longer needs to obey, delivered already or not."""
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.sleep(0)
    if task.uncancel() > 0:
        raise asyncio.CancelledError
