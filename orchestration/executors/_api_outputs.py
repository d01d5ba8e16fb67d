"""The values that a model passes on: a JSON object at the end of its answer, or the whole of it.

Only values that the task declares are taken, so an answer that merely ends with some JSON passes nothing on by mistake.
Edges survived: an object in a fence, with or without a word behind the fence's beginning; several objects (the last one
counts); braces in the text before it; JSON that only some readers accept; objects in objects in objects.
"""

import re
from collections.abc import Sequence
from typing import Any, Final

from orchestration.foreign import check_range, object_of

MAX_PLACES: Final = 50
"""Places, counted from the end, from which an object is tried to be read: lines that begin with a brace, and braces."""

_FENCED: Final = re.compile(r"```[ \t]*\w*[ \t]*\r?\n(?P<inside>(?:(?!```).)*)```\s*\Z", re.DOTALL)


def outputs_in(answer: str, declared: Sequence[str]) -> dict[str, Any]:
    """The declared values that stand in the object at the end of an answer; none where there is no such object."""
    if not declared:
        return {}
    text = answer.strip()
    if fence := _FENCED.search(text):
        text = fence["inside"].strip()
    found = _object_at_end(text)
    return {name: found[name] for name in declared if name in found}


def _object_at_end(text: str) -> dict[str, Any]:
    """The longest object that ends where the text ends; empty where there is none."""
    if not text.endswith("}"):
        return {}
    found: dict[str, Any] = {}
    for place in _places(text):
        try:
            value = object_of(text[place:])
            check_range(value)
        except (ValueError, RecursionError):
            continue
        found = value
    return found


def _places(text: str) -> list[int]:
    """From the innermost brace outwards; a line that begins with one is looked at however many there are behind it."""
    lines = [match.start() for match in re.finditer(r"^\{", text, re.MULTILINE)]
    braces = [match.start() for match in re.finditer(r"\{", text)]
    return sorted({*lines[-MAX_PLACES:], *braces[-MAX_PLACES:]}, reverse=True)
