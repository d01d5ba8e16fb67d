"""The cyclic collector of garbage, kept from looking while much is built that stays.

Building ten thousand steps, tasks or records makes hundreds of thousands of objects and no cycle among them; the
collector would walk through all of them several times, which takes longer than building them. So it waits: for the
length of one piece of work that awaits nothing, calls nothing of the user's that takes time, and is over soon.

The collector is one for the whole process, and so is the count of those who want it to wait: the first one switches it
off, the last one switches it on again, if it was on. Edges survived: somebody who has switched it off (it stays off),
pieces inside of each other, several threads at once, a child that is forked meanwhile.
"""

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from orchestration.forked import begin_anew_in_children


class _Waiting:
    """How many pieces of work the collector waits for, and whether it is to go on afterwards."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pieces = 0
        self._was_on = False
        begin_anew_in_children(self)

    def begin_anew(self) -> None:
        """See `BeginsAnew`; a piece never forks, so those that are counted are of other threads."""
        self._lock = threading.Lock()
        if self._pieces and self._was_on:
            gc.enable()
        self._pieces = 0

    def begin(self) -> None:
        with self._lock:
            if not self._pieces:
                self._was_on = gc.isenabled()
            self._pieces += 1
            gc.disable()

    def end(self) -> None:
        with self._lock:
            self._pieces -= 1
            if not self._pieces and self._was_on:
                gc.enable()


_WAITING: Final = _Waiting()


@contextmanager
def uncollected() -> Iterator[None]:
    """Let the collector wait."""
    _WAITING.begin()
    try:
        yield
    finally:
        _WAITING.end()
