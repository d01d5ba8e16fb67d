"""A log file that may grow while it is read, and need not be there yet.

Reading remembers where it was, and may begin anywhere that it was before. Edges survived: a file that appears late, a
line of which only the beginning is written, a line that is longer than any block,
a link that somebody put in the log's place (what it leads to is nobody's log, and is not read).
"""

import errno
import os
import stat
from pathlib import Path
from typing import Final

BLOCK: Final = 1 << 16
"""Bytes that are read at once."""

NOTHING_THERE: Final = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})


class Growing:
    """A file, and how far it was read.

    Attributes:
        path: the file.
        position: bytes that were read.
    """

    __slots__ = ("path", "position")

    def __init__(self, path: Path, position: int = 0) -> None:
        """Nothing is read yet."""
        self.path = path
        self.position = position

    def read(self, most: int = BLOCK) -> bytes:
        """What was written since the last time, or a part of it; nothing where there is no file yet."""
        block = self._peek(most)
        self.position += len(block)
        return block

    def lines(self, most: int = BLOCK) -> list[bytes]:
        """Whole lines that were written since the last time, with their ends; at least one where there is one."""
        block = self._peek(most)
        while b"\n" not in block and len(block) == most:
            most *= 2
            block = self._peek(most)
        whole = block[: block.rfind(b"\n") + 1]
        self.position += len(whole)
        return [line + b"\n" for line in whole.split(b"\n")[:-1]]

    def _peek(self, most: int) -> bytes:
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            if error.errno in NOTHING_THERE:
                return b""
            raise
        try:
            return os.pread(descriptor, most, self.position)
        finally:
            os.close(descriptor)


def size_of(file: Path) -> int:
    """How long a log is by now; nothing where there is none."""
    try:
        there = os.lstat(file)
    except OSError:
        return 0
    return there.st_size if stat.S_ISREG(there.st_mode) else 0
