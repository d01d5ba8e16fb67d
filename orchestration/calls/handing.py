"""Between a function in a thread and the loop: the items that it yields, and that nobody waits for it any more.

The thread waits until each item was taken. It cannot be ended when its attempt is, but a run for which it waits can:
nothing of that may begin any more either. Edges survived: an attempt that is over while the thread goes on (the next
item ends the generator, and one that is being taken is given up), a loop that ends or is closed by then, also before it
comes to an item that it was given (whoever gave up waiting cannot rely on its turns), a run that begins when nobody
waits any more, runs in runs.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from concurrent.futures import CancelledError as HandingOverCancelled
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any, Final, TypeAlias

from orchestration.calls.threads import call_in
from orchestration.forked import generation, leave_instead_of_waiting

PATIENCE: Final = 1.0
"""Seconds after which a thread that waits for the loop looks whether there still is one."""


class Abandoned(BaseException):
    """Raised in a generator that yields after its attempt is over; not for the user's code to catch."""


Take: TypeAlias = Callable[[Any], Awaitable[None]]
"""What is awaited in the loop for each item."""


class HandOver:
    """From one thread to the loop in which this is made; it does not hold who takes, for that would be a ring."""

    def __init__(self) -> None:
        """Nothing is handed over yet."""
        self._loop = asyncio.get_running_loop()
        self._generation = generation()
        self._handed_over: Future[None] | None = None
        self._is_over = False
        self._lock = threading.Lock()
        self._ends: dict[object, Callable[[], object]] = {}

    def give(self, item: Any, take: Take) -> None:  # noqa: ANN401  # whatever was yielded
        """Called in the thread: hand the item over, and wait until `take` has taken it.

        Raises:
            Abandoned: nobody takes it any more.
        """
        leave_instead_of_waiting(self._generation)
        taking = self._taken(item, take)
        try:
            with self._lock:
                handed_over = self._handed_over = self._begun(taking)
            self._wait_for(handed_over)
        except HandingOverCancelled as error:
            raise Abandoned from error
        except Abandoned:
            taking.close()
            raise

    def abandon(self) -> None:
        """Called in the loop: nobody waits for the thread any more; its next item ends it."""
        with self._lock:
            self._is_over = True
            ends = [*self._ends.values()]
        for end in ends:
            end()
        if self._handed_over is not None:
            self._handed_over.cancel()

    @contextmanager
    def ends(self, end: Callable[[], object]) -> Iterator[bool]:
        """Have something ended that goes on as long as this lasts, when nobody waits for the thread any more.

        Yields whether nobody does already; then it is not ended by this.
        """
        me = object()
        with self._lock:
            self._ends[me] = end
            is_over = self._is_over
        try:
            yield is_over
        finally:
            with self._lock:
                del self._ends[me]

    def _begun(self, taking: Coroutine[Any, Any, None]) -> "Future[None]":
        if self._is_over:
            raise Abandoned
        try:
            return asyncio.run_coroutine_threadsafe(taking, self._loop)
        except RuntimeError as error:  # the loop is closed
            raise Abandoned from error

    def _wait_for(self, handed_over: "Future[None]") -> None:
        while True:
            try:
                return handed_over.result(PATIENCE)
            except TimeoutError as error:
                if handed_over.done():  # since then, or it is what `take` has raised
                    return handed_over.result()
                if self._loop.is_closed():
                    raise Abandoned from error

    async def _taken(self, item: Any, take: Take) -> None:  # noqa: ANN401  # as above
        if self._is_over:
            raise asyncio.CancelledError
        await take(item)


in_thread: Final[ContextVar[HandOver | None]] = ContextVar("orchestration_thread", default=None)
"""The thread of an attempt in which, or below which, this runs."""


@contextmanager
def ended_with_thread() -> Iterator[None]:
    """Cancel the current task, where a function in a thread waits for it, when nobody waits for that any more."""
    handing, task = in_thread.get(), asyncio.current_task()
    if handing is None or task is None:
        yield
        return
    with handing.ends(partial(call_in, asyncio.get_running_loop(), task.cancel)) as is_over:
        if is_over:
            task.cancel()
        yield
