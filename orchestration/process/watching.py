"""A child of ours whose end a pidfd tells: no thread, no signal handler, no policy of the loop's.

It is started by `subprocess.Popen`, which knows the fast ways to spawn, and not by asyncio, whose transports for pipes
that we do not use cost as much as the spawn (ADR 0019). What asyncio gave is kept:

- Only the end of this very child is taken, by its number, in the loop that started it. Several loops in several threads
  have children at the same time, and whoever else waits for children of theirs is not robbed.
- No descriptor is left for a pidfd just when the child has been started: it runs, and must not be started again. So it
  is looked at every few milliseconds until there is one, or it has ended.
- Somebody else has reaped it: the end is nobody's to know, and gets the number that asyncio gives it.
- A loop that is thrown away: `Popen` says so, and reaps the child at the next spawn.
"""

import asyncio
import os
import sys
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import subprocess

POLL = 0.01  # seconds between two looks at a child for which there is no descriptor
UNKNOWN_END = 255  # what asyncio calls the end of a child that somebody else has reaped


class Process(Protocol):
    """A process that was started, by us or by asyncio."""

    @property
    def pid(self) -> int:
        """Its number."""
        ...

    @property
    def returncode(self) -> int | None:
        """None while nobody has taken note of its end."""
        ...

    async def wait(self) -> int:
        """Wait for its end; may be cancelled and called again."""
        ...


class Child:
    """A process that was just started by `Popen`; to be made in the loop that is to watch it."""

    __slots__ = ("_at_end", "_loop", "_pidfd", "_started", "pid")

    def __init__(self, started: "subprocess.Popen[bytes]") -> None:
        """Watch it from now on."""
        self.pid = started.pid
        self._started = started
        self._at_end: list[Callable[[], None]] = []
        self._loop = asyncio.get_running_loop()
        self._pidfd: int | None = None
        self._watch()

    @property
    def returncode(self) -> int | None:
        """None while nobody has taken note of its end."""
        return self._started.returncode

    def call_at_end(self, then: Callable[[], None]) -> None:
        """Have something called in the moment in which its end is noted; at once, if that is past."""
        if self.returncode is None:
            self._at_end.append(then)
        else:
            then()

    async def wait(self) -> int:
        """Wait for its end; may be cancelled and called again."""
        while (code := self.returncode) is None:
            ended = asyncio.Event()
            self.call_at_end(ended.set)
            await ended.wait()
        return code

    def __del__(self) -> None:
        """Close what is left open where the loop was thrown away."""
        if self._pidfd is not None:
            os.close(self._pidfd)

    def _watch(self) -> None:
        try:
            self._pidfd = os.pidfd_open(self.pid)
        except OSError:
            self._loop.call_later(POLL, self._look)
        else:
            self._loop.add_reader(self._pidfd, self._note_end)

    def _look(self) -> None:
        if not self._reap(os.WNOHANG):
            self._watch()

    def _note_end(self) -> None:
        if self._pidfd is not None:
            self._loop.remove_reader(self._pidfd)
            os.close(self._pidfd)
            self._pidfd = None
        self._reap(0)

    def _reap(self, options: int) -> bool:
        """Take note of the end; False if it has not come."""
        try:
            pid, status = os.waitpid(self.pid, options)
        except ChildProcessError:
            self._started.returncode = UNKNOWN_END
        else:
            if pid != self.pid:
                return False
            self._started.returncode = os.waitstatus_to_exitcode(status)
        at_end, self._at_end = self._at_end, []  # no ring of references is left for the collector
        for then in at_end:
            then()
        return True


@cache
def has_pidfds() -> bool:
    """Whether this system tells the end of a process by a descriptor."""
    if sys.platform != "linux":
        return False
    try:
        os.close(os.pidfd_open(os.getpid()))
    except OSError:
        return False
    return True
