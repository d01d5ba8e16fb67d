"""Pieces of Markdown that prompts are made of."""

import re
from collections.abc import Iterable
from typing import Final

_FENCES: Final = re.compile(r"`{3,}")


def listed(items: Iterable[str]) -> str:
    """A list with a dash before each item."""
    return "\n".join(f"- {item}" for item in items)


def fenced(text: str, kind: str = "") -> str:
    """A text in a fence that nothing in it can close."""
    fence = "`" * max([3, *(len(found) + 1 for found in _FENCES.findall(text))])
    return f"{fence}{kind}\n{text}\n{fence}"


def end_of(text: str, size: int) -> str:
    """The last characters of a text, and how many are missing."""
    return text if len(text) <= size else f"[{len(text) - size} characters left out]\n{text[-size:]}"
