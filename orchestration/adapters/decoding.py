"""Bytes of a line → an event, or plain text. Nothing that a program prints makes this raise.

Survives: half a JSON line, JSON that is no object, nesting of any depth, digits without end, NaN, bytes that are not
UTF-8, halves of surrogate pairs, a byte order mark, carriage returns, control sequences in front of an object.
"""

import json
import re
from typing import Any, Final

from orchestration.adapters.values import clean

MAX_TAIL: Final = 64 * 1024
"""Characters of plain text that are kept for telling what went wrong; errors stand at the end."""

MAX_DOCUMENT: Final = 32 * 1024 * 1024
"""Bytes of output that is one JSON document."""

_SEQUENCES: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")

Event = dict[str, Any]


def text_in(line: bytes) -> str:
    """The line as text, without its end."""
    return line.decode("utf-8", "replace").rstrip("\r\n")


def event_in(line: bytes) -> Event | None:
    """The JSON object in a line; None where there is none."""
    head = line.lstrip()[:4]
    if not head.startswith((b"{", b"\xef\xbb\xbf{")):
        return None
    value = json_in(line)
    return value if isinstance(value, dict) else None


def json_in(data: bytes | str) -> Any:  # noqa: ANN401  # any JSON
    """The JSON in some text; None where it is none."""
    try:
        text = data.decode("utf-8", "replace") if isinstance(data, bytes) else data
        return json.loads(text.lstrip("\ufeff"))
    except (ValueError, RecursionError):
        return None


class Tail:
    """The last part of a text that comes in lines."""

    __slots__ = ("_lines", "_size")

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._size = 0

    def add(self, line: str) -> None:
        """Take in a line; older ones are forgotten when there are too many."""
        line = line[-MAX_TAIL:]
        self._lines.append(line)
        self._size += len(line) + 1
        if self._size > 2 * MAX_TAIL:
            text = self.text()[-MAX_TAIL:]
            self._lines, self._size = [text], len(text) + 1

    def text(self) -> str:
        """What is known of it."""
        return clean(plain("\n".join(self._lines)))


def plain(text: str) -> str:
    """The text without colours and other control sequences."""
    return _SEQUENCES.sub("", text) if "\x1b" in text else text
