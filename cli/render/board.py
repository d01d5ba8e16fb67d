"""The live board: running tasks with what they last printed, redrawn at most four times a second.

What ends is printed as one plain line above the board and stays. Lines are collected between two pictures, because each
print above a live display draws it again; a picture is left out while the terminal has not taken the last one. Edges
survived: terminals that get narrower (the old picture then covers more rows than it had lines), terminals without a
size, and whatever agents print, which never reaches the terminal uncleaned.
"""

import asyncio
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Final, Self, TextIO

from rich.console import Console
from rich.live import Live
from rich.text import Text

from cli.render.clean import cells, clean_line
from cli.render.frame import FrameLine, frame
from cli.render.lines import Line
from cli.render.outlet import Outlet
from cli.render.progress import Progress
from cli.render.watching import Past, Watcher

SECONDS_PER_PICTURE: Final = 0.25
ERASE_BELOW: Final = "\x1b[J"
SIZES_OF_ANOTHER_TIME: Final = frozenset({"COLUMNS", "LINES"})
"""What a shell has exported stays as it was when the window changes; the terminal itself is asked."""


class _Screen:
    """What the console writes to: the outlet, with the manners of a terminal."""

    encoding = "utf-8"

    def __init__(self, outlet: Outlet) -> None:
        self._outlet = outlet
        self.encoding = outlet.stream.encoding

    def write(self, text: str) -> int:
        self._outlet.put(text)
        return len(text)

    def flush(self) -> None:
        """Nothing is held back."""

    def isatty(self) -> bool:
        return True


class Board(Watcher):
    """Draws the run on a terminal for as long as it is open."""

    shows = True

    def __init__(self, progress: Progress, stream: TextIO, environment: Mapping[str, str], past: Past) -> None:
        super().__init__(progress, past)
        self.outlet = Outlet(stream)
        self._console = Console(
            file=_Screen(self.outlet),  # type: ignore[arg-type]  # rich asks for a whole IO and uses these three
            force_terminal=True,
            highlight=False,
            markup=False,
            emoji=False,
            legacy_windows=False,
            _environ={name: value for name, value in environment.items() if name not in SIZES_OF_ANOTHER_TIME},
        )
        self._live = Live(
            console=self._console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
            vertical_overflow="crop",
        )
        self._above: list[Text] = []
        self._drawn: list[FrameLine] = []
        self._width = 0
        self._drawing: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Begin to draw."""
        await super().__aenter__()
        await self._open.enter_async_context(self.outlet)
        self._live.start()
        self._drawing = asyncio.create_task(self._draw_now_and_then(), name="orch-board")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the board away, leave what was printed above it, give the cursor back."""
        try:
            if self._drawing is not None:
                self._drawing.cancel()
                await asyncio.wait([self._drawing])
            self._draw()
        finally:
            self._live.stop()
            await super().__aexit__(kind, error, trace)

    def show(self, line: Line) -> None:
        """Show a line above the board with the next picture."""
        self._above.append(Text.assemble((line.head, line.colour or ""), " " + line.rest))

    def note(self, text: str) -> None:
        """Say something above the board at once."""
        self._above.append(Text(clean_line(text), style="bold"))
        self._draw()

    async def _draw_now_and_then(self) -> None:
        while True:
            await asyncio.sleep(SECONDS_PER_PICTURE)
            if not self.outlet.is_busy:
                self._draw()

    def _draw(self) -> None:
        self._allow_for_a_narrower_terminal()
        columns, rows = self._console.size
        self._drawn = frame(self.progress, time.monotonic(), columns, rows)
        self._live.update(Text("\n").join(map(_text_of, self._drawn)))
        if self._above:
            above, self._above = Text("\n").join(self._above), []
            self._console.print(above, soft_wrap=True)
        else:
            self._live.refresh()

    def _allow_for_a_narrower_terminal(self) -> None:
        """Erase the rows onto which the terminal has wrapped the last picture, or it would stay above the next."""
        width = max(1, self._console.width)
        if width < self._width:
            wrapped = sum((sum(cells(span.text) for span in line) - 1) // width for line in self._drawn)
            if wrapped > 0:
                self.outlet.put(f"\r{ERASE_BELOW}\x1b[{wrapped}A{ERASE_BELOW}")
        self._width = width


def _text_of(line: FrameLine) -> Text:
    return Text.assemble(*((span.text, span.style) for span in line), no_wrap=True, overflow="crop")
