"""Hears what an agent program writes while it writes it: events to its adapter, words to whoever watches.

It also is the one who knows when the program has to end although no clock of the process says so: when it never said a
first word, and when it said its last one and stays. Edges survived: a program that goes on working after what looked
like its last word (the grace begins anew with each event, and is taken back where something begins), a watcher that is
slow (reading waits for it), floods (what an agent used so far is computed a few times a second, not per line).
"""

import asyncio
from collections.abc import Awaitable
from typing import Final

from orchestration.adapters import Reader, Seen
from orchestration.executors._lines import Lines
from orchestration.process import Control, EndedBy, Stream
from orchestration.protocols import Report, Work

COUNTING: Final = 0.25
"""Seconds between two looks at what an attempt has used so far."""


class Hearing:
    """The sink of one attempt's process."""

    def __init__(self, reader: Reader, work: Work, report: Report, control: Control, linger: float) -> None:
        """`linger` is the grace after the final event, in seconds."""
        self._reader = reader
        self._work = work
        self._report = report
        self._control = control
        self._linger = linger
        self._silent = True
        self.said_its_last = False
        self._counted = float("-inf")
        self._counting: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self._lines = {
            stream: Lines(lambda size, name=stream.value: reader.overlong(name, size))  # type: ignore[misc]  # bound now
            for stream in Stream
        }

    def begin(self, first_output_timeout: float | None) -> None:
        """The process is about to start."""
        if first_output_timeout is not None:
            self._control.end_after(first_output_timeout, EndedBy.FIRST_OUTPUT)

    def __call__(self, stream: Stream, data: bytes) -> Awaitable[None] | None:
        """Take a chunk; what is returned, if anything, is to be awaited before the next one."""
        if self._silent:
            self._silent = False
            self._control.spare(EndedBy.FIRST_OUTPUT)
        seen = [self._reader.feed(line, stream.value) for line in self._lines[stream].feed(data)]
        return self._after(seen)

    async def finish(self) -> None:
        """Take the last line, where it has no end."""
        for stream, lines in self._lines.items():
            answer = self._after([self._reader.feed(line, stream.value) for line in lines.rest()])
            if answer is not None:
                await answer
        self._count()

    def close(self) -> None:
        """Nothing more is counted."""
        if self._counting is not None:
            self._counting.cancel()
            self._counting = None

    def _after(self, seen: list[Seen]) -> Awaitable[None] | None:
        if not seen:
            return None
        if not self._control.is_ending:
            self.said_its_last = self._reader.is_final
            if not self.said_its_last:
                self._control.spare(EndedBy.LINGERING)
            elif any(one.word for one in seen):
                self._control.end_after(self._linger, EndedBy.LINGERING)
        self._count_soon()
        said = "\n".join(one.text for one in seen if one.text)
        return self._report(said + "\n", None) if said else None

    def _count_soon(self) -> None:
        """Count now, or when it is time again: what was used counts also if nothing is said any more."""
        left = self._counted + COUNTING - self._loop.time()
        if left <= 0:
            self._count()
        elif self._counting is None:
            self._counting = self._loop.call_later(left, self._count)

    def _count(self) -> None:
        self.close()
        self._counted = self._loop.time()
        usage = self._reader.usage
        if usage is not None:
            self._work.spent(usage)
