"""Text for people: numbers with their nouns, and nothing in it that a page or a terminal would trip over."""

import unicodedata
from collections.abc import Mapping
from typing import Any

FORBIDDEN = frozenset({"Cc", "Cs"})
REPLACED = "\N{REPLACEMENT CHARACTER}"


def counted(number: int, one: str, many: str = "") -> str:
    """A number with its noun."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def span_of(history: Mapping[str, Any]) -> str:
    """From when to when a history goes."""
    first, last = history["first"], history["last"]
    return f"on {first}" if first == last else f"from {first} to {last}"


def visible(text: str) -> str:
    """The text on one line; what XML forbids (control characters, halves of characters) is shown as replaced."""
    return "".join(
        REPLACED if unicodedata.category(letter) in FORBIDDEN else letter for letter in " ".join(text.split())
    )
