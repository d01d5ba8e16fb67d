"""Rows of cells → aligned text. The last column takes what room is left, and is cut only where a width is given.

Its own few lines instead of a library's table: listing the backlog must start fast, and what is piped into another
program must not be wrapped, boxed or cut.
"""

from collections.abc import Sequence
from typing import Final

from cli.render.clean import cells, clean_line, clip, pad
from cli.render.words import painted
from orchestration.records import dataclass

GAP: Final = "  "
MIN_LAST: Final = 8
"""Cells that the last column keeps on the narrowest terminal; below that, lines are longer than the terminal."""


@dataclass(frozen=True, slots=True)
class Cell:
    """Text from anywhere, and a colour of ours."""

    text: str
    colour: str | None = None


Row = Sequence[Cell | str]


def table(header: Sequence[str], rows: Sequence[Row], *, width: int | None = None, colour: bool = False) -> str:
    """The rows under their header, columns aligned; `width` in cells is the terminal's, None for no limit."""
    lines = [[Cell(title, "bold") for title in header], *([_cell(cell) for cell in row] for row in rows)]
    widths = [max(cells(line[i].text) for line in lines) for i in range(len(header))]
    room = None if width is None else max(MIN_LAST, width - sum(widths[:-1]) - len(GAP) * (len(widths) - 1))
    return "\n".join(_line(line, widths, room, colour) for line in lines)


def _cell(cell: Cell | str) -> Cell:
    return Cell(clean_line(cell)) if isinstance(cell, str) else Cell(clean_line(cell.text), cell.colour)


def _line(line: Sequence[Cell], widths: Sequence[int], room: int | None, colour: bool) -> str:
    *first, last = line
    shown = [painted(pad(cell.text, wide), cell.colour, colour) for cell, wide in zip(first, widths, strict=False)]
    text = last.text if room is None else clip(last.text, room)
    return GAP.join([*shown, painted(text, last.colour, colour)]).rstrip()
