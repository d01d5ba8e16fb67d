"""Server-sent events as bytes, by the rules of the WHATWG's HTML standard, section 9.2. Pure.

Edges survived: every kind of line end in the data (a carriage return alone ends a line there too), data that begins
with a blank, an id or a name of an event that would break out of its line (a line end, or a zero, which makes readers
ignore an id), half a character.
"""

import re
from typing import Final

HEARTBEAT: Final = b":\n\n"
"""A comment: readers skip it, and whatever stands between us and them sees that the line is alive."""

_LINE_END: Final = re.compile(r"\r\n|\r|\n")
_UNSAFE: Final = re.compile(r"[\r\n\0]")


def frame(data: str, *, number: str | None = None, name: str | None = None) -> bytes:
    r"""One event.

    Args:
        data: any text; its line ends arrive as `\n`, whichever they are.
        number: its id, which a reader that connects again gives back.
        name: what kind of event it is for a browser's `addEventListener`; `message` without.
    """
    lines = [] if name is None else [f"event: {_UNSAFE.sub('', name)}"]
    lines += [] if number is None else [f"id: {_UNSAFE.sub('', number)}"]
    lines += [f"data: {line}" for line in _LINE_END.split(data)]
    return ("\n".join(lines) + "\n\n").encode("utf-8", "replace")
