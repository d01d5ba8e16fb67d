"""How long the slots of a run have kept the event loop to themselves, and giving it up.

A doer need not ever wait: steps of a pipeline may just compute, and a store in memory answers at once. Then a slot
would do one step after the other, and the rest of the program would stand still. One clock serves all slots, as they
may all be woken in the same turn of the loop.

Those that wait are admitted one by one, each by the one before it, and one by every turn of the loop: there may be
thousands, of which a few use up the turn, and to wake the others would be to do so in vain.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

from orchestration.scheduler.clock import clock_of

BREATH: Final = 0.004
"""Seconds of work in one turn: few beside what a host can stand, and many beside what a turn of the loop costs."""

Undisturbed: TypeAlias = Callable[[Callable[[], Awaitable[None]]], Awaitable[None]]
"""Awaits what a function gives, again if somebody cancels who is not entitled to that."""


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
        began = self._begin() if self._began is None else self._began
        return self._time() - began > BREATH

    def _begin(self) -> float:
        """Let it begin now, and another one follow."""
        self._began = self._time()
        self._loop.call_soon(self._next)
        return self._began

    def _next(self) -> None:
        self._began = None
        self._admit()
        if self._waiting:
            self._begin()

    def _admit(self) -> None:
        """Let the one go on who has waited longest; it sees to the next one."""
        while self._waiting:
            admitted = self._waiting.popleft()
            if not admitted.done():
                admitted.set_result(None)
                return

    async def give_way(self, undisturbed: Undisturbed) -> None:
        """Wait until all others in the loop have had their turn; `undisturbed` awaits what it is given.

        Whoever was admitted goes on, however much of the new turn is over: others may use all of every turn.
        """
        await undisturbed(self._end)
        if not self.is_too_long():
            self._admit()

    def _end(self) -> "asyncio.Future[None]":
        if self._began is None:  # somebody was cancelled, and waits again
            self._begin()
        admitted = self._loop.create_future()
        self._waiting.append(admitted)
        return admitted
