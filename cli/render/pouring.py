"""Log files → standard output: the bytes as they are into files and pipes, cleaned text onto a terminal."""

import codecs
import json
import sys
from pathlib import Path

from cli.render.clean import Cleaner
from orchestration.orchestrator.growing import Growing


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
        self._file = Growing(folder / name)
        self._items = Growing(folder / "chunks.jsonl") if name == "stdout.log" else None
        self._printer = Cleaned() if sys.stdout.isatty() else Raw()

    def print_what_is_new(self) -> None:
        """Print what was written since the last time."""
        if self._items is not None and not self._file.path.exists():
            while lines := self._items.lines():
                for line in lines:
                    self._printer.show(_shown(line))
            return
        while block := self._file.read():
            self._printer.show(block)

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
