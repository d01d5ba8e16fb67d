"""The one thread that writes: deeds are queued from the event loop, and each answer comes back to the loop that asked.

Small ones are done in the loop itself, while nothing is queued and the disk is quick (see `pace`).

Whatever waits in the queue, from any run, is committed together: while one commit waits for the disk, the next group
gathers. A deed that is in the queue will be done: whoever gives up waiting disturbs nothing, because the future that is
cancelled is only the place where the answer would have been put.

Any number of loops and threads may use it at once, and any of them may close it: what is queued after that begins a
thread again.

Edges survived: a loop that ended before its answers came (they are dropped; the deeds are done), a second `asyncio.run`
on the same writer, a store that nobody closed (the thread is a daemon, and ends when the store is collected), use after
the end, which opens everything again, and a system that has no room for the thread, or a program that is ending (some
versions of Python start no thread then): nothing was queued for a thread that never was. In a forked child there is no
thread: what the parent has queued is the parent's to do, and the child begins its own.
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any, Final

from orchestration.errors import StoreError
from orchestration.forked import PATIENCE
from orchestration.records import dataclass
from orchestration.store.committing import Answer
from orchestration.store.pace import Pace
from orchestration.store.recording import Deed

MAX_GROUP: Final = 1_000
"""Deeds in one commit: enough that the disk is never waited for in vain, few enough that others get their turn."""


NO_THREAD: Final = "begin runs before the program ends; raise the limit of processes (ulimit -u), or run fewer at once"


class Landing(asyncio.Future[Any]):
    """An answer that is to come; whoever set `at_once` hears of it at once, instead of a turn of the loop later."""

    at_once: "Callable[[Landing], None] | None" = None

    def land(self, answer: Answer) -> None:
        """Here it is; where it was given up, nobody is told."""
        if self.done():
            return
        if answer.error is None:
            self.set_result(answer.value)
        else:
            self.set_exception(answer.error)
        if self.at_once is None:
            return
        try:
            self.at_once(self)
        except Exception as error:  # noqa: BLE001  # other answers came together with this one
            told = {"message": "whoever waited for a commit failed", "exception": error, "future": self}
            self.get_loop().call_exception_handler(told)


@dataclass(frozen=True, slots=True)
class _Request:
    deed: Deed
    future: Landing


@dataclass(frozen=True, slots=True)
class _Stop:
    """Ends the thread; the future, if anybody waits, is told when the file is closed."""

    future: Landing | None = None


class Writer:
    """Queues deeds and does them on a thread that begins with the first.

    Args:
        commit: does a group of deeds; called on the thread.
        close: closes what `commit` has opened; called on the thread, last.
        commit_at_once: does one deed, or returns None where that would have to wait for somebody; called in the loop,
            and never while `commit` or `close` is being called.
    """

    def __init__(
        self,
        commit: Callable[[Sequence[Deed]], list[Answer]],
        close: Callable[[], None],
        commit_at_once: Callable[[Deed], Answer | None] = lambda _: None,
    ) -> None:
        self._commit = commit
        self._close = close
        self._commit_at_once = commit_at_once
        self._pace = Pace()
        self._is_at_rest = False
        self._be_new()

    def _be_new(self) -> None:
        self._turn = threading.Lock()  # to begin or end the thread, and to queue for it
        self._committing = threading.Lock()
        self._unanswered: deque[_Request] = deque()  # what is queued, or is being done on the thread
        # SimpleQueue, because its `put` is safe in a finalizer, which may run at any time.
        self._queue: SimpleQueue[_Request | _Stop] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._stop: _Stop | None = None

    def rest(self) -> None:
        """Finish what is being done, and do no more before `go_on`."""
        self._is_at_rest = self._committing.acquire(timeout=PATIENCE)

    def go_on(self) -> None:
        """Do again what is queued."""
        if self._is_at_rest:
            self._is_at_rest = False
            self._committing.release()

    def begin_anew(self) -> bool:
        """Be as one that was just made, in a child; whether nothing was half done when that was forked."""
        was_at_rest, self._is_at_rest = self._is_at_rest, False
        self._be_new()
        return was_at_rest

    def put(self, deed: Deed) -> Landing:
        """Queue a deed; it is in the queue when this returns, and done when the future has its answer.

        Raises:
            StoreError: no thread can be started for it.
        """
        future = Landing(loop=asyncio.get_running_loop())
        request = _Request(deed, future)
        with self._turn:
            if self._thread is None or self._stop is not None:
                self._begin()
            self._unanswered.append(request)
            self._queue.put(request)
        return future

    def do_at_once(self, deed: Deed) -> Answer | None:
        """Do a small deed here, if the disk is quick and nobody else is at it; else None, and it is to be queued."""
        if not self._pace.is_quick or self._unanswered or self._committing.locked() or not self._is_open():
            return None
        with self._committing:  # `acquire` may return to a Ctrl-C, and then nobody would know that it is to be released
            if self._unanswered:
                return None
            began = time.perf_counter()
            answer = self._commit_at_once(deed)
            if answer is not None:
                self._pace.loop_took(time.perf_counter() - began)
            return answer

    def _is_open(self) -> bool:
        """Whether the thread has begun and is not to end."""
        return self._thread is not None and self._stop is None

    async def close(self) -> None:
        """Do what is queued, close the file, end the thread."""
        loop = asyncio.get_running_loop()
        with self._turn:
            thread = self._thread
            if thread is None:
                return
            if self._stop is None:
                self._stop = _Stop(Landing(loop=loop))
                self._queue.put(self._stop)
            stopped = self._stop.future
        if stopped is not None and stopped.get_loop() is loop:
            await asyncio.shield(stopped)
        thread.join()  # it has nothing left to do
        with self._turn:
            if self._thread is thread:
                self._thread = self._stop = None

    def abandon(self) -> None:
        """End the thread without waiting for it; for a finalizer, when nobody can use the writer any more."""
        if self._thread is not None and self._stop is None:
            self._stop = _Stop()
            self._queue.put(self._stop)

    def _begin(self) -> None:
        if self._thread is not None:
            self._thread.join()  # it is closing the file; two threads would not keep the order of the queue
        self._thread = self._stop = None
        thread = threading.Thread(target=self._run, name="orch-store-writer", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            raise StoreError(f"no thread can be started to write the state ({error})", hint=NO_THREAD) from error
        self._thread = thread

    def _run(self) -> None:
        stop = None
        while stop is None:
            requests, stop = self._gather()
            if requests:
                with self._committing:
                    answers = self._answers(requests)
                    for _ in requests:
                        self._unanswered.popleft()
                _deliver([request.future for request in requests], answers)
                del answers
            del requests  # do not keep what was written while waiting for more
        try:
            with self._committing:
                self._close()
        finally:
            if stop.future is not None:
                _deliver([stop.future], [Answer()])

    def _answers(self, requests: Sequence[_Request]) -> list[Answer]:
        began = time.perf_counter()
        try:
            answers = self._commit([request.deed for request in requests])
        except BaseException as error:  # noqa: BLE001  # a fault of ours; to end here would leave everybody waiting
            return [Answer(error=error)] * len(requests)
        self._pace.thread_took(time.perf_counter() - began)
        return answers

    def _gather(self) -> tuple[list[_Request], _Stop | None]:
        """Wait for a request, then take along what else is waiting."""
        requests: list[_Request] = []
        item = self._queue.get()
        with suppress(Empty):
            while isinstance(item, _Request):
                requests.append(item)
                if len(requests) == MAX_GROUP:
                    return requests, None
                item = self._queue.get_nowait()
            return requests, item
        return requests, None


def _deliver(futures: Sequence[Landing], answers: Sequence[Answer]) -> None:
    """Hand the answers to the loops that wait for them, with one call for each loop."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[Landing, Answer]]] = {}
    for future, answer in zip(futures, answers, strict=True):
        by_loop.setdefault(future.get_loop(), []).append((future, answer))
    for loop, settled in by_loop.items():
        with suppress(RuntimeError):  # the loop is closed, so nobody waits
            loop.call_soon_threadsafe(_settle, settled)


def _settle(settled: Sequence[tuple[Landing, Answer]]) -> None:
    for future, answer in settled:
        future.land(answer)
