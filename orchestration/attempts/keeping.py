"""What is kept of an attempt in files of its own folder: items as they come, the result, the changes, a prompt."""

import json
from collections.abc import Awaitable
from types import TracebackType
from typing import Any, Final, Self, TextIO

from orchestration.protocols import Reporting, Work
from orchestration.results import Outcome

CHUNKS: Final = "chunks.jsonl"
RESULT: Final = "result.json"
DIFF: Final = "changes.patch"
PROMPT: Final = "prompt.md"


class ChunkLog:
    """Keeps items in the attempt's log, masked, and passes everything on; text of a process has a log of its own."""

    def __init__(self, work: Work, report: Reporting) -> None:
        """The file is made when there is something to keep."""
        self._work, self._report = work, report
        self._file: TextIO | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def __call__(self, item: Any, stream: str | None) -> Awaitable[None] | None:  # noqa: ANN401  # any item
        """Keep an item, and pass it on."""
        if stream is None:
            if self._work.masker is not None:
                item = self._work.masker.value(item)
            if self._file is None:
                self._work.folder.mkdir(parents=True, exist_ok=True)
                self._file = (self._work.folder / CHUNKS).open("a", encoding="utf-8", errors="replace", buffering=1)
            self._file.write(json.dumps(item, default=str) + "\n")
        return self._report(item, stream)


def keep_for_person(work: Work) -> None:
    """Put what a person is to read where they can open it."""
    work.folder.mkdir(parents=True, exist_ok=True)
    text = work.masker.text(work.prompt) if work.masker else work.prompt
    (work.folder / PROMPT).write_text(text, encoding="utf-8", errors="replace")


def keep_result(work: Work, outcome: Outcome) -> None:
    """Keep what came of the attempt, checks included."""
    work.folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(outcome.to_dict(), indent=1, default=str)
    (work.folder / RESULT).write_text(text + "\n", encoding="utf-8", errors="replace")


def keep_diff(work: Work, diff: str) -> None:
    """Keep what the attempt changed."""
    work.folder.mkdir(parents=True, exist_ok=True)
    (work.folder / DIFF).write_text(diff, encoding="utf-8", errors="replace")
