"""Log files → standard output: the bytes as they are into files and pipes, cleaned text onto a terminal."""

import codecs
import json
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
    """Prints a file that may grow, and that may not be there yet; where there is none, the items that were yielded.

    Items stand in a file of their own, one JSON value per line: texts are printed as they are, one after the other.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._file = folder / name
        self._items = folder / "chunks.jsonl" if name == "stdout.log" else None
        self._position = 0
        self._printer = Cleaned() if sys.stdout.isatty() else Raw()

    def print_what_is_new(self) -> None:
        """Print what was written since the last time."""
        if self._items is not None and not self._file.exists() and self._items.exists():
            self._print_items(self._items)
            return
        try:
            with self._file.open("rb") as opened:
                opened.seek(self._position)
                while block := opened.read(BLOCK):
                    self._position += len(block)
                    self._printer.show(block)
        except FileNotFoundError:
            return  # nothing was printed yet

    def _print_items(self, file: Path) -> None:
        with file.open("rb") as opened:
            opened.seek(self._position)
            for line in opened:
                if not line.endswith(b"\n"):
                    return  # it is being written
                self._position += len(line)
                self._printer.show(_shown(line))

    def print_to_the_end(self) -> None:
        """Print what is left of it."""
        self.print_what_is_new()
        self._printer.close()


def _shown(line: bytes) -> bytes:
    """An item as people read it: a text itself, anything else as it is written."""
    try:
        item = json.loads(line)
    except ValueError:
        return line
    return item.encode("utf-8", "replace") if isinstance(item, str) else line
