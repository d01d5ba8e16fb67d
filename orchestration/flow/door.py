"""The door without a loop: the runs of one executor that go on at once share a loop, whatever threads they come from.

What the runs share (room for steps, results that are being computed) belongs to one loop. So there is a thread with a
loop for as long as some run goes on, and whoever calls waits for theirs. Edges survived: callers in several threads,
one that is interrupted (its run is cancelled and recorded before the interruption goes on), a last run that ends in the
moment in which the next one comes, context variables (those of the caller are seen by the steps).
"""

import asyncio
import concurrent.futures
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Door:
    """Runs coroutines for threads that have no loop."""

    def __init__(self) -> None:
        """No loop runs."""
        self._lock = threading.Lock()
        self._runs = 0
        self._host: _Host | None = None

    def run(self, begin: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run to the end, in the loop that all share.

        Raises:
            RuntimeError: no thread can be started for it.
        """
        with self._lock:
            if self._host is None:
                self._host = _Host()
            host = self._host
            self._runs += 1
        try:
            return _waited_for(begin, host)
        finally:
            with self._lock:
                self._runs -= 1
                if is_last := not self._runs:
                    self._host = None
            if is_last:
                host.end()


class _Host:
    """A thread with a loop."""

    def __init__(self) -> None:
        self._is_there = threading.Event()
        self._is_over: asyncio.Event | None = None
        self.loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._live, name="flows", daemon=True)
        self._thread.start()
        self._is_there.wait()

    def _live(self) -> None:
        asyncio.run(self._serve())  # noqa: TID251  # a door for those who have no loop

    async def _serve(self) -> None:
        self.loop, self._is_over = asyncio.get_running_loop(), asyncio.Event()
        self._is_there.set()
        await self._is_over.wait()

    def end(self) -> None:
        """Let the loop end, in which nothing runs any more."""
        if self.loop is not None and self._is_over is not None:
            self.loop.call_soon_threadsafe(self._is_over.set)
        self._thread.join()


def _waited_for(begin: Callable[[], Coroutine[Any, Any, T]], host: _Host) -> T:
    over: concurrent.futures.Future[T] = concurrent.futures.Future()

    async def run() -> None:
        try:
            over.set_result(await begin())
        except BaseException as error:  # noqa: BLE001  # it is raised in the thread of whoever waits
            over.set_exception(error)

    assert host.loop is not None  # noqa: S101  # it was waited for
    running = asyncio.run_coroutine_threadsafe(run(), host.loop)
    try:
        return over.result()
    except BaseException:
        if not over.done():
            running.cancel()
            concurrent.futures.wait([over])
        raise
