"""Writes to a stream that may be slow or stopped without ever holding up the loop.

A terminal on which somebody pressed Ctrl-S, or a pager that is not scrolled, stops whoever writes to it. If that were
the loop, no timeout would fire and no pipe of an agent would be read. So one thread does the writing: what is put here
is queued, and whoever has much to say can wait for room.
"""

import asyncio
import threading
from collections import deque
from types import TracebackType
from typing import Final, Self, TextIO

MAX_PENDING: Final = 1 << 20
"""Characters that may wait before those who can wait have to: enough for any burst, little beside a run."""


class Outlet:
    """A queue in front of a text stream that never raises (see `cli.streams`), for the time of one run."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self._waiting: deque[str] = deque()
        self._pending = 0
        self._changed = threading.Condition()
        self._closing = False
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._room = asyncio.Event()

    @property
    def is_busy(self) -> bool:
        """Whether something that was put is not written yet."""
        return self._pending > 0

    @property
    def is_behind(self) -> bool:
        """Whether so much waits that whoever can wait should."""
        return self._pending > MAX_PENDING

    async def __aenter__(self) -> Self:
        """Start the thread; it is a daemon, so that a stopped terminal cannot keep a killed command alive."""
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._write, name="orch-outlet", daemon=True)
        self._thread.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait until everything is written, unless the wait is cancelled."""
        try:
            await self.wait_for_room(0)
        finally:
            with self._changed:
                self._closing = True
                self._changed.notify()

    def put(self, text: str) -> None:
        """Queue a text; its order among the others is kept."""
        with self._changed:
            self._waiting.append(text)
            self._pending += len(text)
            self._changed.notify()

    async def wait_for_room(self, limit: int = MAX_PENDING) -> None:
        """Wait until at most `limit` characters are not written yet."""
        while self._pending > limit:
            self._room.clear()
            if self._pending > limit:
                await self._room.wait()

    def _write(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closing)
                if not self._waiting:
                    return
                text = "".join(self._waiting)
                self._waiting.clear()
            self.stream.write(text)
            self.stream.flush()
            with self._changed:
                self._pending -= len(text)
            self._wake()

    def _wake(self) -> None:
        try:
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._room.set)
        except RuntimeError:  # the loop was closed over a stopped terminal: nobody waits any more
            self._loop = None
