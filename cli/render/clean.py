"""Makes text of agents and tasks harmless on a terminal, and measures it there.

Agents print colours, move the cursor, set window titles and hide links; a title or an error can hold the same. Whatever
was made outside goes through here before a terminal shows it. Edges survived: sequences in 7 and 8 bits, strings that
never end (their text is shown, it cannot hide what follows), sequences cut in half by a chunk's end, marks that reverse
the direction of text, half surrogates, characters that take two cells or none.
"""

import re
import unicodedata
from typing import Final

_CSI: Final = r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
_STRING: Final = r"(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c\n\r]*(?:\x07|\x1b\\|\x9c)"
_SHORT: Final = r"\x1b[ -/]*[0-~]"
_CONTROL: Final = r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]"
_DIRECTION: Final = r"[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"
_HARMFUL: Final = re.compile(f"{_STRING}|{_CSI}|{_SHORT}|{_CONTROL}|{_DIRECTION}")
_LINE_END: Final = re.compile(r"\r\n?")
_SURROGATE: Final = re.compile(r"[\ud800-\udfff]")
_BEGUN: Final = re.compile(r"(?:\x1b(?:[\]PX^_][^\x07\x1b\x9c\n\r]*\x1b?|\[[0-?]*[ -/]*|[ -/]*)?|\r)\Z")

MAX_HELD_BACK: Final = 4096
"""A sequence longer than this is none: it is shown as text instead of being waited for."""

TAB_CELLS: Final = 4


def clean(text: str) -> str:
    """The text without anything that a terminal would obey; of the control characters only newline and tab stay."""
    if text.isascii() and text.isprintable():
        return text
    return _SURROGATE.sub("\ufffd", _HARMFUL.sub("", _LINE_END.sub("\n", text)))


def clean_line(text: str) -> str:
    """The text on one line: what separated its lines is a space."""
    return " ".join(clean(text).split())


def last_line(tail: str) -> str:
    """The last line with something on it, as a progress bar that rewrites its line would show it."""
    for line in reversed(re.split(r"[\r\n]", tail)):
        if shown := clean_line(line):
            return shown
    return ""


class Cleaner:
    """Cleans a stream that comes in chunks: a sequence cut by a chunk's end is held back until the rest is there."""

    def __init__(self) -> None:
        self._held = ""

    def feed(self, chunk: str) -> str:
        """What may be shown now."""
        text = self._held + chunk
        begun = _BEGUN.search(text)
        cut = len(text) if begun is None or len(text) - begun.start() > MAX_HELD_BACK else begun.start()
        self._held = text[cut:]
        return clean(text[:cut])

    def rest(self) -> str:
        """What was held back when the stream ended."""
        held, self._held = self._held, ""
        return clean(held)


def cells(text: str) -> int:
    """How many cells of a terminal the text takes."""
    return len(text) if text.isascii() else sum(map(_cells_of, text))


def clip(text: str, width: int) -> str:
    """The text cut to a number of cells, with an ellipsis where something is missing."""
    if cells(text) <= width:
        return text
    if width < 1:
        return ""
    room = width - 1
    taken = 0
    for i, character in enumerate(text):
        taken += _cells_of(character)
        if taken > room:
            return text[:i] + "…"
    return text


def clip_middle(text: str, width: int) -> str:
    """The text cut to a number of cells within, since ids and paths often differ at their ends alone."""
    if cells(text) <= width:
        return text
    start, taken = len(text), 0
    while (wider := taken + _cells_of(text[start - 1])) <= (width - 1) // 2:
        start, taken = start - 1, wider
    return clip(text, width - taken) + text[start:]


def pad(text: str, width: int) -> str:
    """The text with spaces up to a number of cells."""
    return text + " " * (width - cells(text))


def _cells_of(character: str) -> int:
    if character == "\t":
        return TAB_CELLS
    if unicodedata.category(character) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1
