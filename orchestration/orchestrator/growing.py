"""A log file that may grow while it is read, and need not be there yet.

Reading remembers where it was, and may begin anywhere that it was before. Edges survived: a file that appears late, a
line of which only the beginning is written, a line that is longer than any block.
"""

from pathlib import Path
from typing import Final

BLOCK: Final = 1 << 16
"""Bytes that are read at once."""


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
            with self.path.open("rb", buffering=0) as opened:
                opened.seek(self.position)
                return opened.read(most)
        except FileNotFoundError:
            return b""
