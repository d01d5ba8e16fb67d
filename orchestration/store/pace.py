"""Whether a commit is so quick that waiting for it costs less than having it waited for.

To hand a deed to the thread that writes and to be woken by it costs two switches of threads, each with caches that are
cold by then: more than a commit takes where the disk is quick or the state lies in memory. There the loop commits by
itself. Where a commit takes long, the loop would stand still meanwhile, so there the thread does it.

Which of both it is, is measured all the time. The thread's commits must have been quick before the loop tries one, and
one of the loop's that was slow sends all to the thread for a while, each time for a longer one. Of the others, the
quickest of several counts: any of the thread's may have waited for the interpreter instead of the disk, and any of the
loop's for a machine that is busy.

Edges survived: a disk that is quick at first and slow later (be it only so slow that no single commit tells), one that
is quick but for a stall now and then, and one that is slow from the start (the loop never tries it).
"""

from typing import Final

QUICK: Final = 0.0005
"""Seconds: a commit of the thread that took less was quick; about what it costs to start a process."""
STALL: Final = 0.01
"""Seconds: a commit of the loop that took more was none for the loop. Less than that may be a machine that is busy."""
SLOW: Final = 4
"""Times as long as a quick one: if the quickest of several commits of the loop took more, the disk is slow by now."""
SEVERAL: Final = 32
"""Commits of the loop of which the quickest says how the disk is."""
FIRST: Final = 3
LONGEST: Final = 1_024
"""Commits that the thread does before the loop tries (again): so many at first, twice as many after each stall."""


class Pace:
    """What is known of how long commits take."""

    def __init__(self) -> None:
        self._turn = FIRST
        self._left = FIRST
        self._least = STALL
        self._good = 0
        self._looked = 0

    @property
    def is_quick(self) -> bool:
        """Whether the loop may commit by itself."""
        return self._left == 0

    def thread_took(self, seconds: float) -> None:
        """The thread has committed; not of interest once it is known that commits are quick."""
        if self._left == 0:
            return
        self._left -= 1
        self._least = min(self._least, seconds)
        if self._left == 0:
            if self._least > QUICK:
                self._left = self._turn
            self._least = STALL

    def loop_took(self, seconds: float) -> None:
        """The loop has committed."""
        if seconds > STALL or self._has_become_slow(seconds):
            self._good = self._looked = 0
            self._least = STALL
            self._turn = self._left = min(2 * self._turn, LONGEST)
            return
        self._good += 1
        if self._good == LONGEST:
            self._good = 0
            self._turn = max(self._turn // 2, FIRST)

    def _has_become_slow(self, seconds: float) -> bool:
        """Whether not one of several commits of the loop was halfway quick; asked after each."""
        self._least = min(self._least, seconds)
        self._looked += 1
        if self._looked < SEVERAL:
            return False
        least, self._least, self._looked = self._least, STALL, 0
        return least > SLOW * QUICK
