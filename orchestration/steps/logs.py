"""The log of a step's attempt in the folder of a durable run: what it yielded, what it printed.

The files have the names that those of other attempts have, and are made when there is something to keep.
"""

import json
from pathlib import Path
from typing import Any, Final

from orchestration.steps.values import shown

CHUNKS: Final = "chunks.jsonl"
PRINTED: Final = "stdout.log"


class StepLog:
    """The files of one attempt."""

    __slots__ = ("_folder", "_made")

    def __init__(self, folder: Path) -> None:
        """Nothing is written."""
        self._folder = folder
        self._made = False

    @property
    def path(self) -> str | None:
        """The folder, None while nothing is kept."""
        return str(self._folder) if self._made else None

    def keep(self, item: Any, stream: str | None) -> None:  # noqa: ANN401  # whatever was yielded
        """Keep an item, or printed text."""
        if not self._made:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._made = True
        if stream is None:
            name, text = CHUNKS, json.dumps(shown(item)) + "\n"
        else:
            name, text = PRINTED, str(item)
        with (self._folder / name).open("a", encoding="utf-8", errors="replace") as file:
            file.write(text)
