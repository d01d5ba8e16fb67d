"""Threads that are used again: to begin one takes longer than most functions do.

A thread that has nothing to do waits a little for the next function, the one that was at work last first, as what it
needs is still near; then it ends. What a function keeps in `threading.local` is there for the next one in its thread,
as in any pool; the event loop that it has left set is not.

Edges survived: a function that never returns (its thread is not idle, so nobody waits for it), one that forks (the
child's copy of the thread ends with the function, and tells the parent nothing), a system without room for another
thread, and an owner that is forgotten while threads are idle.
"""

import asyncio
import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Final, TypeAlias

from orchestration.forked import generation

PATIENCE: Final = 1.0
"""Seconds that a thread waits for the next function."""

Job: TypeAlias = Callable[[Callable[[], None]], None]
"""What a thread does; it must not raise, and calls what it is given once the thread may be given the next job."""


class Workers:
    """Threads that do one job after the other; daemons, so that none keeps the program from ending."""

    def __init__(self) -> None:
        """No thread is started."""
        self._lock = threading.Lock()
        self._idle: list[_Worker] = []

    def do(self, job: Job) -> None:
        """Have a job done.

        Raises:
            RuntimeError: the system has no room for another thread.
        """
        with self._lock:
            worker = self._idle.pop() if self._idle else None
        if worker is None:
            worker = _Worker(self)
            worker.start()
        worker.inbox.put(job)

    def may_do_more(self, worker: "_Worker") -> None:
        """A thread is ready for the next job, or will be in a moment."""
        with self._lock:
            self._idle.append(worker)

    def dismiss(self, worker: "_Worker") -> bool:
        """Forget a thread that is idle; False where it has just been given a job."""
        with self._lock:
            if worker not in self._idle:
                return False
            self._idle.remove(worker)
            return True


class _Worker(threading.Thread):
    def __init__(self, owner: Workers) -> None:
        super().__init__(name="orch-function", daemon=True)
        self.inbox: SimpleQueue[Job] = SimpleQueue()
        self._owner = owner
        self._generation = generation()

    def run(self) -> None:
        while True:
            try:
                job = self.inbox.get(timeout=PATIENCE)
            except Empty:
                if self._owner.dismiss(self):
                    return
                continue
            job(self._finished)
            del job  # whatever it holds is not kept while waiting
            if generation() != self._generation:
                return
            asyncio.set_event_loop(None)

    def _finished(self) -> None:
        self._owner.may_do_more(self)
