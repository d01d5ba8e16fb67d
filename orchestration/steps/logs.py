"""The log of a step's attempt, where logs are kept: what it yielded, what it printed, each as it comes.

The files have the names that those of other attempts have, are made when there is something to keep, and can be read
while the attempt goes on. Edges survived: several threads that print at once, a secret that is printed in two parts, a
function that prints without end (there is a maximum, and the log says so), a disk that is full (the function goes on,
and the record says so), a thread that prints after its attempt is over.
"""

import json
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, TextIO

from orchestration.calls import Printed
from orchestration.masking import Masker
from orchestration.results import Outcome
from orchestration.shown import shown

CHUNKS: Final = "chunks.jsonl"
PRINTED: Final = "stdout.log"

MAX_LOG: Final = 64 * 1024 * 1024
"""Characters of one file; as many bytes as are kept of what a process prints."""


class StepLog:
    """The files of one attempt."""

    __slots__ = ("_files", "_is_closed", "_lock", "_place", "_sizes", "_state", "fault")

    def __init__(self, state: Path, place: str) -> None:
        """Nothing is written; `place` is the folder of the attempt below the folder of all runs."""
        self._state = state
        self._place = place
        self._files: dict[str, TextIO] = {}
        self._sizes: dict[str, int] = {}
        self._lock = threading.Lock()
        self._is_closed = False
        self.fault: OSError | None = None

    def keep(self, item: Any) -> None:  # noqa: ANN401  # whatever was yielded
        """Keep an item; raises OSError."""
        self._write(CHUNKS, json.dumps(shown(item)) + "\n")

    def keep_printed(self, text: str) -> None:
        """Keep printed text; called from any thread. A fault is remembered, for it is no fault of who prints."""
        if self.fault is None:
            try:
                self._write(PRINTED, text)
            except OSError as error:
                self.fault = error

    @property
    def path(self) -> str | None:
        """The folder, None while nothing is kept."""
        return str(self._state / self._place) if self._files else None

    def noted(self, outcome: Outcome) -> Outcome:
        """The outcome of the attempt, with where its log is, and what was wrong with that."""
        if self.fault is not None:
            told = f"its log could not be written: {self.fault.strerror or self.fault}"
            outcome = replace(outcome, metadata={**outcome.metadata, "warnings": [told]})
        return replace(outcome, log_path=self.path) if self._files and outcome.log_path is None else outcome

    def close(self) -> None:
        """Close the files; what comes later is dropped."""
        with self._lock:
            self._is_closed = True
            for file in self._files.values():
                file.close()

    def _write(self, name: str, text: str) -> None:
        with self._lock:
            size = self._sizes.get(name, 0)
            if self._is_closed or size > MAX_LOG or not text:
                return
            file = self._files.get(name)
            if file is None:
                folder = self._state / self._place
                folder.mkdir(parents=True, exist_ok=True)
                file = self._files[name] = (folder / name).open("a", encoding="utf-8", errors="backslashreplace")
            self._sizes[name] = size + len(text)
            full = self._sizes[name] > MAX_LOG
            file.write(f"… the rest is left out: more than {MAX_LOG:,} characters\n" if full else text)
            file.flush()


class LivePrinted(Printed):
    """What an attempt prints, without secrets, and in its log as it comes."""

    def __init__(self, log: StepLog | None, masker: Masker | None) -> None:
        """Nothing was printed yet."""
        self.log = log
        self._mask = masker.stream() if masker else None
        self._live = threading.Lock()

    def add(self, text: str) -> None:
        """Keep some text; called from any thread."""
        if self._mask is None:
            self._keep(text)
            return
        with self._live:
            self._keep(_decoded(self._mask.feed(_encoded(text))))

    def finish(self) -> None:
        """Keep what was held back, because a secret could have begun there."""
        if self._mask is not None:
            with self._live:
                self._keep(_decoded(self._mask.flush()))

    def _keep(self, text: str) -> None:
        if text:
            super().add(text)
            if self.log is not None:
                self.log.keep_printed(text)


def _encoded(text: str) -> bytes:
    return text.encode(errors="surrogateescape") if _is_escaped(text) else text.encode(errors="surrogatepass")


def _is_escaped(text: str) -> bool:
    return not text.isascii() and any("\udc80" <= sign <= "\udcff" for sign in text)


def _decoded(data: bytes) -> str:
    return data.decode(errors="surrogateescape")
