"""Messages of the worker in the midst of what the function prints: the writer of the child, the reader of the parent.

Both travel by the child's stdout, because only that is there wherever a child may run, and because the order then tells
what was printed before what. The bytes of the function and of its own children pass unchanged; a message is what begins
with a mark that holds the attempt's secret token, so that nothing printed, by design or by accident, passes for one.

Edges survived: other threads and processes that print at the same time (each part of a message is at most what a pipe
takes in one piece, so nothing comes between), a message that arrives in pieces, text that only begins like a mark,
a pipe that somebody made non-blocking, a message without bound, and a forked child that comes back out of the function
as its parent does, or is ended while it is in there: its word would be taken for the parent's.
"""

from __future__ import annotations

import os
from select import PIPE_BUF, select

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

START = b"\x1e"  # the record separator of ASCII, as JSON text sequences use it
END = b"\n"
MORE, LAST = b"+", b"."
MAX_MESSAGE = 64 * 1024 * 1024  # bytes of one message; who yields more in one item has lost the way


class BadMessage(Exception):
    """A message that is longer than `MAX_MESSAGE`, or that cannot be read."""


class Writer:
    """Writes messages to a pipe that others write to as well."""

    def __init__(self, descriptor: int, token: bytes) -> None:
        """Name the pipe and the attempt's token."""
        self._descriptor = descriptor
        self._process = os.getpid()
        self._mark = START + token
        self._room = PIPE_BUF - len(self._mark) - len(MORE) - len(END)

    def write(self, message: bytes) -> None:
        """Write one message; it must hold no end of line. A process forked off by the function has nothing to tell.

        Raises:
            BadMessage: nothing was written.
            OSError: nobody reads any more.
        """
        if os.getpid() != self._process:
            return
        if len(message) > MAX_MESSAGE:
            raise BadMessage(f"a message of {len(message)} bytes is longer than {MAX_MESSAGE}")
        for start in range(0, len(message) or 1, self._room):
            flag = LAST if start + self._room >= len(message) else MORE
            self._write_whole(self._mark + flag + message[start : start + self._room] + END)

    def _write_whole(self, part: bytes) -> None:
        while True:
            try:
                os.write(self._descriptor, part)
            except BlockingIOError:
                select([], [self._descriptor], [])
            else:
                return


class Reader:
    """Tells messages from what was printed."""

    def __init__(self, token: bytes) -> None:
        """Name the attempt's token."""
        self._mark = START + token
        self._held = b""
        self._message = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[bool, bytes]]:
        """Take a chunk; yield `(is a message, its bytes)` in order.

        Raises:
            BadMessage: see there.
        """
        data = self._held + data
        done = 0
        while (start := data.find(self._mark, done)) >= 0:
            if start > done:
                yield False, data[done:start]
            done = start
            end = data.find(END, start)
            if end < 0:
                break
            yield from self._part(data[start + len(self._mark) : end])
            done = end + 1
        else:
            text = data[done : len(data) - self._beginning(data)]
            if text:
                yield False, text
            done += len(text)
        self._held = data[done:]

    def rest(self) -> bytes:
        """What is still held when nothing more comes: the beginning of what never became a mark, or of a message."""
        held, self._held = self._held, b""
        return b"" if held.startswith(self._mark) else held

    def _part(self, part: bytes) -> Iterator[tuple[bool, bytes]]:
        self._message += part[1:]
        if len(self._message) > MAX_MESSAGE:
            raise BadMessage(f"a message longer than {MAX_MESSAGE} bytes")
        if part[:1] == LAST:
            message, self._message = bytes(self._message), bytearray()
            yield True, message

    def _beginning(self, data: bytes) -> int:
        """How many bytes at the end of `data` may be the beginning of a mark."""
        start = data.rfind(START)
        return len(data) - start if start >= 0 and self._mark.startswith(data[start:]) else 0
