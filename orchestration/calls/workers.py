"""Threads that are used again: to begin one takes longer than most functions do.

All take from one queue, so that one that is done goes on with the next function at once, and nobody has to be woken
for it. There are never fewer of them than functions that have begun or wait in the queue: none waits behind another.
A thread that has nothing to do waits a little for the next function; then it ends. What a function keeps in
`threading.local` is there for the next one in its thread, as in any pool; the event loop that it has left set is not.

Edges survived: a function that never returns (its thread is not counted on), one that forks (the child's copy of the
thread ends with the function, and tells the parent nothing), a system without room for another thread, an owner that is
forgotten while threads are idle, and a thread that is about to end when the next function comes.
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
        self._jobs: SimpleQueue[Job] = SimpleQueue()
        self._ready = 0  # threads without a job, as far as no job in the queue counts on them

    def do(self, job: Job) -> None:
        """Have a job done, at once.

        Raises:
            RuntimeError: the system has no room for another thread.
        """
        if not self._count_on_one():
            threading.Thread(target=self._work, name="orch-function", daemon=True).start()
        self._jobs.put(job)

    def _count_on_one(self) -> bool:
        """One thread is ready no more; False where none was."""
        with self._lock:
            if not self._ready:
                return False
            self._ready -= 1
            return True

    def _may_do_more(self) -> None:
        """A thread is ready for the next job, or will be in a moment."""
        with self._lock:
            self._ready += 1

    def _work(self) -> None:
        noted = generation()
        while True:
            try:
                job = self._jobs.get(timeout=PATIENCE)
            except Empty:
                if self._count_on_one():  # from now on nobody does
                    return
                continue
            job(self._may_do_more)
            del job  # whatever it holds is not kept while waiting
            if generation() != noted:
                return
            asyncio.set_event_loop(None)
