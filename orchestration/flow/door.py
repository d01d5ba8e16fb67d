"""The door without a loop: the runs of one executor that go on at once share a loop, whatever threads they come from.

What the runs share (room for steps, results that are being computed) belongs to one loop. So there is a thread with a
loop for as long as some run goes on, and whoever calls waits for theirs. Edges survived: callers in several threads,
one that is interrupted (its run is cancelled and recorded before the interruption goes on), a last run that ends in the
moment in which the next one comes, context variables (those of the caller are seen by the steps), a step that stops the
loop or cancels whatever task it finds (the loop is no task, and goes on; of the runs, each ends by itself), a system
that has no room for another loop or thread (who calls is told), a child process that is forked while some run goes on,
and calls in its turn.
"""

import asyncio
import concurrent.futures
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from orchestration.calls import begin_anew_in_children

T = TypeVar("T")


class Door:
    """Runs coroutines for threads that have no loop."""

    def __init__(self) -> None:
        """No loop runs."""
        self.begin_anew()
        begin_anew_in_children(self)

    def begin_anew(self) -> None:
        """See `BeginsAnew`; the thread with the loop is not in a child."""
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
    """A thread with a loop, which goes on until it is ended, whatever some function does to it."""

    def __init__(self) -> None:
        self._is_over = False
        self._runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        self.loop = self._runner.get_loop()
        self._thread = threading.Thread(target=self._live, name="flows", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:  # the system has no room for another thread
            self._runner.close()
            raise

    def _live(self) -> None:
        asyncio.set_event_loop(self.loop)
        with self._runner:
            while not self._is_over:
                self.loop.run_forever()

    def end(self) -> None:
        """Let the loop end, in which nothing runs any more."""
        self.loop.call_soon_threadsafe(self._stop)
        self._thread.join()

    def _stop(self) -> None:
        self._is_over = True
        self.loop.stop()


def _waited_for(begin: Callable[[], Coroutine[Any, Any, T]], host: _Host) -> T:
    over: concurrent.futures.Future[T] = concurrent.futures.Future()

    async def run() -> None:
        try:
            over.set_result(await begin())
        except BaseException as error:  # noqa: BLE001  # it is raised in the thread of whoever waits
            over.set_exception(error)

    running = asyncio.run_coroutine_threadsafe(run(), host.loop)
    try:
        return over.result()
    except BaseException:
        if not over.done():
            running.cancel()
            concurrent.futures.wait([over])
        raise
