"""Log files → standard output: the bytes as they are into files and pipes, cleaned text onto a terminal."""

import codecs
import sys
from pathlib import Path
from typing import Final

from cli.render.clean import Cleaner

BLOCK: Final = 1 << 16


class Raw:
    """Passes the bytes on as they are: for files and pipes."""

    def show(self, block: bytes) -> None:
        """Print a block."""
        sys.stdout.buffer.write(block)
        sys.stdout.buffer.flush()

    def close(self) -> None:
        """Nothing is held back."""


class Cleaned:
    """Takes out whatever a terminal would obey."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._cleaner = Cleaner()

    def show(self, block: bytes) -> None:
        """Print a block."""
        sys.stdout.write(self._cleaner.feed(self._decoder.decode(block)))
        sys.stdout.flush()

    def close(self) -> None:
        """Print what was held back."""
        sys.stdout.write(self._cleaner.feed(self._decoder.decode(b"", final=True)) + self._cleaner.rest())
        sys.stdout.flush()


class LogPrinter:
    """Prints a file that may grow, and that may not be there yet."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._position = 0
        self._printer = Cleaned() if sys.stdout.isatty() else Raw()

    def print_what_is_new(self) -> None:
        """Print what was written since the last time."""
        try:
            with self._file.open("rb") as opened:
                opened.seek(self._position)
                while block := opened.read(BLOCK):
                    self._position += len(block)
                    self._printer.show(block)
        except FileNotFoundError:
            return  # nothing was printed yet

    def print_to_the_end(self) -> None:
        """Print what is left of it."""
        self.print_what_is_new()
        self._printer.close()
