"""One run as it happens, for any number of readers, whoever drives it: this process, another one, or nobody any more.

A reader is an async iterator that reads at its own speed: what it has not asked for yet is not kept for it, so a slow
one costs nothing but its place. One look for all of them, a few times a second and at once where the run is driven
here, asks the store for new events and the logs for their sizes.

The order is one in which a reader could have lived through the run: an attempt's chunks come between its beginning and
its end. The end of the run's events is the end of the reading: it has ended, is paused, or nobody drives it any more.
Edges survived: readers that come and go while it goes on, a run that is reopened, a store that cannot be read.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from enum import StrEnum
from pathlib import Path
from typing import Final

import anyio

from orchestration.events import Event, RunCompleted, RunPaused, TaskStarted, to_dict
from orchestration.exporting.envelope import dumps
from orchestration.orchestrator.following import SECONDS_BETWEEN_LOOKS
from orchestration.protocols import RunStore
from orchestration.records import dataclass
from orchestration.scheduler import cancel_all
from orchestration.server.cursor import Cursor, Place
from orchestration.server.reading import Began, Reading
from orchestration.store.following import ended_attempt

LEAST_BETWEEN_LOOKS: Final = 0.01
"""Seconds between two looks that were asked for: a run that prints without pause must not make us do nothing else."""

SLICE: Final = 200
"""Events that are written as JSON before others have their turn."""


class Chunks(StrEnum):
    """Which live output a reader wants: all of it, none, or of what runs already only what comes from now on."""

    ALL = "all"
    NEW = "new"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Told:
    """Something that is told a reader: its JSON, and the place behind it."""

    cursor: Cursor
    text: str


@dataclass(frozen=True, slots=True)
class _Happened:
    """A stored event: its JSON, and the attempt that it begins or ends."""

    text: str
    begins: Began | None
    ends: tuple[str, int] | None


class Feed:
    """One run that is looked at.

    Args:
        run_id: the run.
        store: where its events are.
        folder: where its attempts have their folders.
        tells_text: whether what an attempt prints is what is told live of it.
    """

    def __init__(self, run_id: str, store: RunStore, folder: Path, tells_text: Callable[[TaskStarted], bool]) -> None:
        """Nothing is looked at before somebody reads."""
        self.run_id = run_id
        self.readers = 0
        self._store = store
        self._folder = folder
        self._tells_text = tells_text
        self._events: list[_Happened] = []
        self._running: dict[tuple[str, int], Began] = {}
        self._sizes: dict[int, tuple[int, ...]] = {}
        self._is_over = False
        self._has_ended = False
        self._is_closed = False
        self._error: Exception | None = None
        self._looked = asyncio.Event()
        self._looks = 0
        self._changed = asyncio.Event()
        self._nudged = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    # -- reading ------------------------------------------------------------------------------------------------

    async def follow(self, after: Cursor, chunks: Chunks = Chunks.ALL) -> AsyncGenerator[Told, None]:
        """Whatever happened after a place, and what happens from now on.

        Raises:
            Exception: what kept us from looking, such as a store that cannot be read.
        """
        await self._looked.wait()
        readings = self._readings(after, chunks) if chunks is not Chunks.NONE else {}
        seq = after.seq
        while True:
            changed = self._changed
            is_over, known = self._is_over, len(self._events)
            while seq < known:
                happened = self._events[seq]
                if happened.ends is not None and (ended := readings.get(happened.ends)) is not None:
                    async for told in self._chunks_of(ended, seq, readings, final=True):
                        yield told
                    del readings[happened.ends]
                seq += 1
                if happened.begins is not None and chunks is not Chunks.NONE:
                    readings[_key(happened.begins)] = Reading(self.run_id, happened.begins, Place())
                yield Told(_cursor(seq, readings), happened.text)
            for reading in list(readings.values()):
                async for told in self._chunks_of(reading, seq, readings):
                    yield told
            if self._error is not None:
                raise self._error
            if (self._is_closed or is_over) and seq >= len(self._events):
                return
            await changed.wait()

    @property
    def is_over(self) -> bool:
        """Whether nothing more is to be expected of the run."""
        return self._is_over or self._error is not None

    def _readings(self, after: Cursor, chunks: Chunks) -> dict[tuple[str, int], Reading]:
        """The attempts that ran at a place, each as far as it was read there."""
        readings: dict[tuple[str, int], Reading] = {}
        for happened in self._events[: after.seq]:
            if happened.begins is not None:
                place = after.places.get(happened.begins.seq, Place())
                readings[_key(happened.begins)] = Reading(self.run_id, happened.begins, place)
            elif happened.ends is not None:
                readings.pop(happened.ends, None)
        for reading in readings.values():
            if chunks is Chunks.NEW:
                reading.skip_to_the_end()
        return readings

    async def _chunks_of(
        self, reading: Reading, seq: int, readings: dict[tuple[str, int], Reading], *, final: bool = False
    ) -> AsyncIterator[Told]:
        if not final and self._sizes.get(reading.began.seq) == reading.sizes:
            return
        for chunk in reading.new(final=final):
            yield Told(_cursor(seq, readings), dumps(to_dict(chunk)))

    # -- looking ------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Somebody reads: look."""
        if self._task is None:
            self._task = asyncio.create_task(self._look_forever(), name=f"look at run {self.run_id}")

    def nudge(self) -> None:
        """Something has happened: look now."""
        self._nudged.set()

    async def catch_up(self) -> None:
        """Wait until all that has happened by now is known."""
        wanted = self._looks + 2  # the look that goes on may have asked already
        while self._looks < wanted and self._error is None and self._task is not None:
            self.nudge()
            await asyncio.sleep(LEAST_BETWEEN_LOOKS)

    def close(self) -> None:
        """End all readings, once what is there was read."""
        self._is_closed = True
        self._tell()

    async def end(self) -> None:
        """Nobody reads any more."""
        task, self._task = self._task, None
        if task is not None:
            await cancel_all([task])

    async def _look_forever(self) -> None:
        try:
            while True:
                if await self._look():
                    self._tell()
                self._looks += 1
                self._looked.set()
                await asyncio.sleep(LEAST_BETWEEN_LOOKS)
                with anyio.move_on_after(SECONDS_BETWEEN_LOOKS):
                    await self._nudged.wait()
                self._nudged.clear()
        except Exception as error:  # noqa: BLE001  # whoever reads must hear of it, or would wait for ever
            self._error = error
            self._looked.set()
            self._tell()

    async def _look(self) -> bool:
        """Learn what is new; a run that nobody drives any more is over, whatever its last event says."""
        was_over = self._is_over
        is_live = self._store.is_live(self.run_id)  # first: what its owner stored before it went is seen then
        new = await self._store.events(self.run_id, len(self._events))
        for number, event in enumerate(new, 1):
            self._note(event)
            if number % SLICE == 0:
                await asyncio.sleep(0)
        if new:
            self._has_ended = isinstance(new[-1], RunCompleted | RunPaused)
        self._is_over = not is_live or self._has_ended
        sizes = {began.seq: began.sizes for began in self._running.values()}
        has_grown = sizes != self._sizes
        self._sizes = sizes
        return bool(new) or has_grown or self._is_over != was_over

    def _note(self, event: Event) -> None:
        begins = None
        if isinstance(event, TaskStarted) and event.attempt is not None:
            folder = self._folder / event.task_id / str(event.attempt)
            begins = Began(event.seq, event.task_id, event.attempt, folder, self._tells_text(event))
            self._running[_key(begins)] = begins
        ends = ended_attempt(event)
        if ends is not None:
            self._running.pop(ends, None)
        self._events.append(_Happened(dumps(to_dict(event)), begins, ends))

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


def _key(began: Began) -> tuple[str, int]:
    return began.task_id, began.attempt


def _cursor(seq: int, readings: dict[tuple[str, int], Reading]) -> Cursor:
    return Cursor(seq, {reading.began.seq: reading.place for reading in readings.values()})
