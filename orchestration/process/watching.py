"""How asyncio learns that a child has ended: without a thread per child, also on 3.11.

From 3.12 asyncio uses pidfds by itself. On 3.11 its default is a thread for each child, and the pidfd watcher that it
brings serves one loop only, while a program may have a loop in several threads. So there, and only where the default is
still in place and the kernel has pidfds, the policy is given a watcher that serves whichever loop is running. A watcher
that somebody chose is left alone, and so are loops that do not ask the policy.
"""

import asyncio
import os
import sys
from collections.abc import Callable
from contextlib import suppress

if sys.platform == "linux" and sys.version_info < (3, 12):

    class RunningLoopWatcher(asyncio.PidfdChildWatcher):
        """Waits for each child with a pidfd in the loop that started it."""

        def __init__(self, previous: asyncio.AbstractChildWatcher) -> None:
            """Keep the watcher that was there: it may still be waiting for children of its own."""
            super().__init__()
            self.previous = previous

        def is_active(self) -> bool:
            """Whether a child may be started: always, for the loop that asks is running."""
            return True

        def attach_loop(self, loop: asyncio.AbstractEventLoop | None) -> None:
            """Belong to no loop."""

        def add_child_handler(self, pid: int, callback: Callable[..., object], *args: object) -> None:
            """Call `callback(pid, exit_code, *args)` in the running loop when the child has ended."""
            loop = asyncio.get_running_loop()
            descriptor = os.pidfd_open(pid)
            loop.add_reader(descriptor, self._reap, loop, descriptor, pid, callback, args)

        def remove_child_handler(self, pid: int) -> bool:  # noqa: ARG002  # the interface; asyncio itself never asks
            """Forget a child: nobody may."""
            return False

        def _reap(
            self,
            loop: asyncio.AbstractEventLoop,
            descriptor: int,
            pid: int,
            callback: Callable[..., object],
            args: tuple[object, ...],
        ) -> None:
            loop.remove_reader(descriptor)
            os.close(descriptor)
            try:
                _, status = os.waitpid(pid, 0)
            except ChildProcessError:  # somebody else has reaped it: asyncio's number for an end that nobody knows
                callback(pid, 255, *args)
            else:
                callback(pid, os.waitstatus_to_exitcode(status), *args)

    def use_pidfd_watcher() -> None:
        """Replace the watcher of the policy, if it is the default one and a better one works here."""
        with suppress(NotImplementedError):  # a policy without watchers: its loops have their own way
            current = asyncio.get_child_watcher()
            if type(current) is asyncio.ThreadedChildWatcher and _has_pidfds():
                asyncio.set_child_watcher(RunningLoopWatcher(current))

    def _has_pidfds() -> bool:
        try:
            os.close(os.pidfd_open(os.getpid()))
        except OSError:
            return False
        return True

else:

    def use_pidfd_watcher() -> None:
        """Do nothing: asyncio chooses the best watcher here by itself."""
