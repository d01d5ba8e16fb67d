"""Items of a generator in a thread, handed over to the loop: the thread waits until each one was taken.

Edges survived: an attempt that is over while the thread goes on (the next item ends the generator, and one that is
being taken is given up), and a loop that is closed by then.
"""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import CancelledError as HandingOverCancelled
from typing import Any, TypeAlias


class Abandoned(BaseException):
    """Raised in a generator that yields after its attempt is over; not for the user's code to catch."""


Take: TypeAlias = Callable[[Any], Awaitable[None]]
"""What is awaited in the loop for each item."""


class HandOver:
    """From one thread to the loop in which this is made; it does not hold who takes, for that would be a ring."""

    def __init__(self) -> None:
        """Nothing is handed over yet."""
        self._loop = asyncio.get_running_loop()
        self._taking: asyncio.Task[None] | None = None
        self._is_over = False

    def give(self, item: Any, take: Take) -> None:  # noqa: ANN401  # whatever was yielded
        """Called in the thread: hand the item over, and wait until `take` has taken it.

        Raises:
            Abandoned: nobody takes it any more.
        """
        taking = self._taken(item, take)
        try:
            handed_over = asyncio.run_coroutine_threadsafe(taking, self._loop)
        except RuntimeError as error:  # the loop is closed
            taking.close()
            raise Abandoned from error
        try:
            handed_over.result()
        except HandingOverCancelled as error:
            raise Abandoned from error

    def abandon(self) -> None:
        """Called in the loop: nobody waits for the thread any more; its next item ends it."""
        self._is_over = True
        if self._taking is not None:
            self._taking.cancel()

    async def _taken(self, item: Any, take: Take) -> None:  # noqa: ANN401  # as above
        if self._is_over:
            raise asyncio.CancelledError
        self._taking = asyncio.current_task()
        try:
            await take(item)
        finally:
            self._taking = None
