"""JSON on a stream that cannot say every character: what it cannot is escaped instead of lost."""

import re
from typing import Final, TextIO

_BEYOND_ASCII: Final = re.compile(r"[^\x00-\x7f]")


def for_stream(text: str, stream: TextIO) -> str:
    """The JSON in the characters that the stream can say."""
    if stream.encoding.lower().replace("-", "").startswith("utf"):
        return text
    return _BEYOND_ASCII.sub(_escaped, text)


def _escaped(found: re.Match[str]) -> str:
    units = found[0].encode("utf-16-be")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))
