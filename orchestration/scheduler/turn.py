"""How long the slots of a run have kept the event loop to themselves, and giving it up.

A doer need not ever wait: steps of a pipeline may just compute, and a store in memory answers at once. Then a slot
would do one step after the other, and the rest of the program would stand still. One clock serves all slots, as they
may all be woken in the same turn of the loop.
"""

import asyncio
from collections import deque
from typing import Final

from orchestration.scheduler.clock import clock_of

BREATH: Final = 0.004
"""Seconds of work in one turn: few beside what a host can stand, and many beside what a turn of the loop costs."""


ADMITTED: Final = 64
"""Slots that may go on in each turn: as many as can do a step in it, so that thousands do not each ask in vain."""


class Turn:
    """The present turn of the loop; one for all slots of a run."""

    __slots__ = ("_began", "_loop", "_time", "_waiting")

    def __init__(self) -> None:
        """Nothing has been done; must be made inside the loop."""
        self._loop = asyncio.get_running_loop()
        self._time = clock_of(self._loop)
        self._began: float | None = None
        self._waiting: deque[asyncio.Future[None]] = deque()

    def is_too_long(self) -> bool:
        """Whether others should have their turn now."""
        now = self._time()
        if self._began is None:
            self._began = now
            self._loop.call_soon(self._begin)
        return now - self._began > BREATH

    def _begin(self) -> None:
        """Let those go on who waited longest."""
        self._began = None
        for _ in range(min(ADMITTED, len(self._waiting))):
            admitted = self._waiting.popleft()
            if not admitted.done():
                admitted.set_result(None)
        if self._waiting:
            self.is_too_long()  # it has begun, and another one will follow

    def end(self) -> "asyncio.Future[None]":
        """What to wait for until all others in the loop have had their turn."""
        admitted = self._loop.create_future()
        self._waiting.append(admitted)
        return admitted
