"""Those who watch a run: plain lines, JSON lines, or nobody but the books. The board is in `cli.render.board`.

Each is an async context manager whose `hear` is given to the engine as the listener, and whose `progress` knows where
the run stands. Whatever is shown goes through an `Outlet`.
"""

import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self, TextIO, TypeAlias

from cli.render.clean import clean_line
from cli.render.envelope import for_stream
from cli.render.lines import Line
from cli.render.outlet import Outlet
from cli.render.progress import Progress
from orchestration import events
from orchestration.exporting.envelope import event_line

Past: TypeAlias = Callable[[str], Awaitable[Sequence[events.Event]]]
"""Finds the events that a run already has."""


class Watcher:
    """Keeps the books and shows nothing: what `--quiet` wants, and what the others build on."""

    shows = False  # whether lines about tasks are made at all

    def __init__(self, progress: Progress, past: Past | None = None) -> None:
        self.progress = progress
        self._past = past
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Open what it writes to."""
        await self._open.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it, everything written."""
        await self._open.__aexit__(kind, error, trace)

    def hear(self, event: events.Event | events.TaskChunk) -> Awaitable[None] | None:
        """Take note of what happened; waits only to learn what a resumed run did before."""
        if self._past is not None and isinstance(event, events.RunResumed):
            return self._catch_up(event, self._past)
        if not self.shows:
            self.progress.note(event, time.monotonic())
        elif (line := self.progress.hear(event, time.monotonic())) is not None:
            self.show(line)
        return None

    async def _catch_up(self, resumed: events.RunResumed, past: Past) -> None:
        known = await past(resumed.run_id)
        self.progress.learn([event for event in known if event.seq < resumed.seq])
        self.progress.note(resumed, time.monotonic())

    def show(self, line: Line) -> None:
        """Show a line about a task."""

    def note(self, text: str) -> None:
        """Say something that no event says."""


class PlainLines(Watcher):
    """One line for whatever starts, ends or waits."""

    shows = True

    def __init__(self, progress: Progress, stream: TextIO, *, colour: bool = False) -> None:
        super().__init__(progress)
        self.outlet = Outlet(stream)
        self._colour = colour

    async def __aenter__(self) -> Self:
        """Open the stream."""
        await super().__aenter__()
        await self._open.enter_async_context(self.outlet)
        return self

    def show(self, line: Line) -> None:
        """Show a line about a task."""
        self.outlet.put(line.show(self._colour) + "\n")

    def note(self, text: str) -> None:
        """Say something that no event says."""
        self.outlet.put(clean_line(text) + "\n")


class JsonLines(Watcher):
    """Every event and chunk as one line of JSON; a reader that is slow slows the run's output down, and no more."""

    def __init__(self, progress: Progress, stream: TextIO, notes: TextIO) -> None:
        super().__init__(progress)
        self.outlet = Outlet(stream)
        self._notes = Outlet(notes)

    async def __aenter__(self) -> Self:
        """Open both streams."""
        await super().__aenter__()
        await self._open.enter_async_context(self._notes)
        await self._open.enter_async_context(self.outlet)
        return self

    def hear(self, event: events.Event | events.TaskChunk) -> Awaitable[None] | None:
        """Write the event; waits only where the reader is far behind."""
        self.progress.note(event, time.monotonic())
        self.outlet.put(for_stream(event_line(event), self.outlet.stream))
        return self.outlet.wait_for_room() if self.outlet.is_behind else None

    def note(self, text: str) -> None:
        """Say something on the other stream."""
        self._notes.put(clean_line(text) + "\n")
