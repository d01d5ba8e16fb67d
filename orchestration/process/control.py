"""A hand on a running process, for whoever reads its output and knows better than a clock when it has to end.

An agent program that has said its last word may hang; one that never says its first is dead; one that spent its budget
has to stop. Only the reader of its output knows, and it says so here: the process and its tree are then ended in the
one way in which all are ended. Edges survived: an order before the process is there (carried out when it is), after it
has ended (nothing), or twice (the first one counts); a timer that is taken back.
"""

import asyncio
from collections.abc import Callable

from orchestration.process.command import EndedBy


class Control:
    """Ends one process on request; to be made inside the loop that runs it."""

    __slots__ = ("_end", "_is_ending", "_over", "_timers", "_wanted")

    def __init__(self) -> None:
        """No process is bound yet."""
        self._end: Callable[[EndedBy], None] | None = None
        self._is_ending: Callable[[], bool] | None = None
        self._wanted: EndedBy | None = None
        self._over = False
        self._timers: dict[EndedBy, asyncio.TimerHandle] = {}

    @property
    def is_ending(self) -> bool:
        """Whether the process is being ended by us, for whatever reason: what it says now, it says because of that."""
        return self._wanted is not None or (self._is_ending is not None and self._is_ending())

    def end(self, why: EndedBy) -> None:
        """End the process and its tree, unless it has ended or is being ended already."""
        if self._over:
            return
        if self._end is not None:
            self._end(why)
        elif self._wanted is None:
            self._wanted = why

    def end_after(self, seconds: float, why: EndedBy) -> None:
        """End it when so many seconds have passed; a time set earlier for the same reason no longer counts."""
        self.spare(why)
        if not self._over:
            self._timers[why] = asyncio.get_running_loop().call_later(seconds, self.end, why)

    def spare(self, why: EndedBy) -> None:
        """Take a timer back."""
        timer = self._timers.pop(why, None)
        if timer is not None:
            timer.cancel()

    def bind(self, end: Callable[[EndedBy], None], is_ending: Callable[[], bool]) -> None:
        """The process is there; for `run_process`."""
        self._end, self._is_ending = end, is_ending
        if self._wanted is not None:
            end(self._wanted)

    def release(self) -> None:
        """The process has ended; for `run_process`."""
        self._over = True
        for why in tuple(self._timers):
            self.spare(why)
