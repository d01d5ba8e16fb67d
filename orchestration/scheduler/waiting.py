"""Tasks beside others: begun in a turn of their own, awaited to the end, and cancellations that are taken back."""

import asyncio
from collections.abc import Awaitable, Coroutine, Iterable
from typing import Any


def begun_later(
    work: Coroutine[Any, Any, None], loop: asyncio.AbstractEventLoop, name: str | None = None
) -> "asyncio.Task[None]":
    """A task that starts in a later turn, also where the loop's factory has tasks start at once, as one of 3.12 does.

    Whoever begins it may be in the middle of something that it would meet half done, or be such a task itself.
    """
    return asyncio.Task(work, loop=loop, name=name)


async def cancel_all(tasks: "Iterable[asyncio.Task[Any]]") -> None:
    """Cancel the tasks and wait until the last one has ended, also if we are cancelled meanwhile.

    No task does the waiting for us: a loop that is to end cancels all that it has, and the waiting would be over.
    """
    waited = [task for task in tasks if not task.done()]
    for task in waited:
        task.cancel()
    cancelled: asyncio.CancelledError | None = None
    while waited:
        try:
            await asyncio.wait(waited)
        except asyncio.CancelledError as error:
            cancelled = error
        waited = [task for task in waited if not task.done()]
    if cancelled is not None:
        raise cancelled


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


async def take_back_cancellations(task: "asyncio.Task[Any]") -> bool:
    """Take back every `cancel()` of the running task, delivered already or not, so that none reaches what comes next.

    Returns:
        Whether one had not been delivered yet.
    """
    pending = False
    while task.cancelling():
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            pending = True
        while task.uncancel():
            pass
    return pending
