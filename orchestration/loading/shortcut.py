"""The YAML that most task files consist of, read by patterns instead of by the parser, which takes four times as long.

A text is taken apart at the keys in its first column. What a key has is read here if it is one line of plain text, a
list of plain words in brackets, or lines of `- ` and plain text; every other entry goes to the parser by itself. Where
that fails, or an entry seems to go on where the next one begins, there is no answer: then the parser reads the whole,
and it alone says what is wrong. A property test holds both answers to be the same.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from orchestration.loading.scalars import BEGINS_OTHER, Numeral, plain

LONGEST: Final = 64 * 1024
"""Characters; of longer texts the parser's bounds have to hold for the whole."""

# A key in the first column, what stands behind it, and the lines up to the next line that begins with a letter.
_ENTRY: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_-]*):(?: +([^\n]*)|(?=\n|\Z))((?:\n(?![A-Za-z_])[^\n]*)*)(?:\n|\Z)")
_BEFORE: Final = re.compile(r"(?:[ ]*(?:#[^\n]*)?\n)*")
_MARKER: Final = re.compile(r"\n(?:---|\.\.\.)")
_WORD: Final = r"[A-Za-z0-9_.][A-Za-z0-9_./-]*"
_WORDS: Final = re.compile(rf"\[ *(?:{_WORD}(?: *, *{_WORD})*)? *\]")
_ITEM: Final = re.compile(r"( *)- +([^\n]*)")


@dataclass(slots=True)
class Quick:
    """What was read: a mapping, where its entry `id` and its first entry begin (in characters), and whether numerals
    are in it.
    """

    value: dict[str, Any] = field(default_factory=dict)
    id_at: int | None = None
    begins_at: int = 0
    has_numerals: bool = False


def read_quickly(text: str, parse_entry: Callable[[str], tuple[Any, bool]]) -> Quick | None:
    """The mapping that a text holds, None where only the parser can tell.

    Args:
        text: a YAML document.
        parse_entry: the parser; gives the value of a document, and whether there are numerals in it.
    """
    before = _BEFORE.match(text)
    here = before.end() if before else 0
    quick = Quick(begins_at=here)
    while here < len(text):
        entry = _ENTRY.match(text, here)
        if entry is None or (key := entry[1]) in quick.value:
            return None
        value = _simple(entry[2], entry[3])
        if value is _NOT_SIMPLE:
            parsed, has_numerals = parse_entry(entry[0])
            if _MARKER.search(entry[0]) or not isinstance(parsed, dict) or list(parsed) != [key]:
                return None
            value = parsed[key]
            quick.has_numerals |= has_numerals
        elif value.__class__ is Numeral or (value.__class__ is list and any(one.__class__ is Numeral for one in value)):
            quick.has_numerals = True
        if key == "id":
            quick.id_at = here
        quick.value[key] = value
        here = entry.end()
    return quick if quick.value else None


_NOT_SIMPLE: Final = object()


def _simple(behind: str | None, below: str) -> Any:  # noqa: ANN401  # any of the plain values
    """The value of an entry, if it is one that can be read here."""
    behind = (behind or "").rstrip(" ")
    if not below or not below.strip("\n"):
        if not behind:
            return None
        if _is_plain(behind):
            return plain(behind) if behind[0] in BEGINS_OTHER else behind
        if behind[0] == "[" and _WORDS.fullmatch(behind):
            inner = behind[1:-1].strip(" ")
            return [plain(word.strip(" ")) for word in inner.split(",")] if inner else []
    elif not behind:
        return _listed(below.strip("\n").split("\n"))
    return _NOT_SIMPLE


def _listed(lines: list[str]) -> Any:  # noqa: ANN401  # a list of plain values
    indents = set()
    values = []
    for line in lines:
        item = _ITEM.fullmatch(line)
        if item is None or not _is_plain(text := item[2].rstrip(" ")):
            return _NOT_SIMPLE
        indents.add(item[1])
        values.append(plain(text))
    return values if len(indents) == 1 else _NOT_SIMPLE


def _is_plain(text: str) -> bool:
    """Whether unquoted text of one line means nothing but itself, whatever the parser thinks of what is around it."""
    return (
        text != ""
        and (text[0].isalnum() or text[0] in "_./(+~")
        and text.isprintable()
        and ": " not in text
        and " #" not in text
        and text[-1] != ":"
    )
