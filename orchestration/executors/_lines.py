"""Chunks of bytes → whole lines, for whoever reads events; a line beyond the bound is dropped and counted.

Edges survived: a line over many chunks, many lines in a chunk, a last line without an end, a line of gigabytes (its
size is told, none of it is kept; all of it is in the log), line ends of Windows.
"""

from collections.abc import Callable, Iterator
from typing import Final

MAX_LINE: Final = 16 * 1024 * 1024
"""Bytes of one line that are read as an event; agents print lines of megabytes where they quote files."""


class Lines:
    """The lines of one stream."""

    __slots__ = ("_overlong", "_parts", "_size", "_tell")

    def __init__(self, tell: Callable[[int], None]) -> None:
        """`tell` is given the size of each line that was too long."""
        self._tell = tell
        self._parts: list[bytes] = []
        self._size = 0
        self._overlong = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The lines that are whole now, without their ends."""
        begin = 0
        while (end := data.find(b"\n", begin)) >= 0:
            self._keep(data[begin:end])
            begin = end + 1
            yield from self._whole()
        if begin < len(data):
            self._keep(data[begin:] if begin else data)

    def rest(self) -> Iterator[bytes]:
        """What stands after the last end of a line: nothing more comes."""
        if self._size:
            yield from self._whole()

    def _keep(self, part: bytes) -> None:
        self._size += len(part)
        if self._size > MAX_LINE:
            self._parts.clear()
            self._overlong = True
        else:
            self._parts.append(part)

    def _whole(self) -> Iterator[bytes]:
        line = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        size, overlong = self._size, self._overlong
        self._parts, self._size, self._overlong = [], 0, False
        if overlong:
            self._tell(size)
        else:
            yield line.removesuffix(b"\r")
