"""What one attempt prints and yields, read from its logs as chunks, from any place on.

Whoever drives the run, here or in another process, has written it there before the attempt's end was told. Where a
reader stops is always between two characters or two items, so the next one can begin there. Edges survived: a log that
is not there (yet), a character of which only a part is written, items that are being written, text that is no UTF-8,
agents whose log is not what is told live (an agent program prints its protocol; what it said of it are items).
"""

import codecs
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from orchestration.events import TaskChunk
from orchestration.orchestrator.growing import BLOCK, Growing, size_of
from orchestration.records import dataclass
from orchestration.server.cursor import Place

TEXTS: Final = ("stdout", "stderr")
ITEMS: Final = "chunks.jsonl"
LONGEST_CHARACTER: Final = 4


@dataclass(frozen=True, slots=True)
class Began:
    """An attempt, by the event with which it began."""

    seq: int
    task_id: str
    attempt: int
    folder: Path
    tells_text: bool

    @property
    def files(self) -> tuple[Path, ...]:
        """The logs with what is told live."""
        texts = [self.folder / f"{name}.log" for name in TEXTS] if self.tells_text else []
        return (*texts, self.folder / ITEMS)

    @property
    def sizes(self) -> tuple[int, ...]:
        """How long each of them is."""
        return tuple(map(size_of, self.files))


class Reading:
    """An attempt, as far as one reader has read it."""

    __slots__ = ("_run_id", "began", "place")

    def __init__(self, run_id: str, began: Began, place: Place) -> None:
        """Nothing is read yet."""
        self._run_id = run_id
        self.began = began
        self.place = place

    @property
    def sizes(self) -> tuple[int, ...]:
        """How much of each of its logs was read."""
        place = self.place
        return (place.stdout, place.stderr, place.items) if self.began.tells_text else (place.items,)

    def skip_to_the_end(self) -> None:
        """Leave out what was told before."""
        ends = {name: _end_of_text(self.began.folder / f"{name}.log") for name in TEXTS if self.began.tells_text}
        self.place = replace(self.place, **ends, items=_end_of_items(self.began.folder / ITEMS))

    def new(self, *, final: bool = False) -> Iterator[TaskChunk]:
        """The chunks that were added; after each, `place` is behind it. `final` says that nothing will be added."""
        if self.began.tells_text:
            for name in TEXTS:
                yield from self._texts(name, final=final)
        yield from self._items()

    def _texts(self, name: str, *, final: bool) -> Iterator[TaskChunk]:
        decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        log = Growing(self.began.folder / f"{name}.log", getattr(self.place, name))
        held_back = 0
        known = size_of(log.path)  # whoever writes on and on must not keep us from what else there is
        while (final or log.position < known) and (block := log.read()):
            text = decoder.decode(block, final=final and len(block) < BLOCK)
            held_back = len(decoder.getstate()[0])
            if text:
                yield self._chunk(text, name, **{name: log.position - held_back})
        if final and held_back:
            yield self._chunk(decoder.decode(b"", final=True), name, **{name: log.position})

    def _items(self) -> Iterator[TaskChunk]:
        log = Growing(self.began.folder / ITEMS, self.place.items)
        known = size_of(log.path)
        while log.position < known and (lines := log.lines()):
            for line in lines:
                yield self._chunk(_item(line), None, items=self.place.items + len(line))

    def _chunk(self, chunk: Any, stream: str | None, **position: int) -> TaskChunk:  # noqa: ANN401  # any item
        self.place = replace(self.place, n=self.place.n + 1, **position)
        began = self.began
        now = datetime.now(UTC)
        return TaskChunk(self._run_id, began.task_id, began.attempt, self.place.n, now, chunk, stream)


def _item(line: bytes) -> Any:  # noqa: ANN401  # any item
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return line.decode("utf-8", "replace")


def _end_of_text(file: Path) -> int:
    """The place behind the last whole character."""
    size = size_of(file)
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    start = max(0, size - LONGEST_CHARACTER)
    decoder.decode(Growing(file, start).read(size - start))
    return size - len(decoder.getstate()[0])


def _end_of_items(file: Path) -> int:
    """The place behind the last whole item."""
    start = max(0, size_of(file) - BLOCK)
    log = Growing(file, start)
    while log.lines():
        pass
    return log.position
