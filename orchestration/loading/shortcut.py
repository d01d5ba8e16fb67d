"""The YAML that most task files consist of, read by patterns instead of by the parser, which takes four times as long.

A text is taken apart at the keys in its first column. What a key has is read here if it is one line of plain text, a
list or mapping of words in brackets, or lines of `- ` or keys, each with plain text; other entries go to the parser,
each as a document. Where that fails, or an entry seems to go on where the next one begins, there is no answer: then the
parser reads the whole, and it alone says what is wrong. A property test holds both answers to be the same.
"""

import json
import re
from collections.abc import Callable
from dataclasses import field
from typing import Any, Final

from orchestration.loading.scalars import BEGINS_OTHER, Numeral, plain
from orchestration.records import dataclass

LONGEST: Final = 64 * 1024
"""Characters; of longer texts the parser's bounds have to hold for the whole."""

# A key in the first column, what stands behind it, and the lines up to the next line that begins with a letter.
_ENTRY: Final = re.compile(
    r"([A-Za-z_][A-Za-z0-9_-]{0,99}):(?: +([^\n]*)|(?=\n|\Z))((?:\n(?![A-Za-z_])[^\n]*)*)(?:\n|\Z)"
)
_BEFORE: Final = re.compile(r"(?:[ ]*(?:#[^\n]*)?\n)*")
_MARKER: Final = re.compile(r"\n(?:---|\.\.\.|%)")
_WORD: Final = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_./-]*")
_BRACKETS: Final = re.compile(r"[\[{](?:[A-Za-z0-9_./,\[\]{} -]|: )*[\]}]")
_MOST_BRACKETS: Final = 16  # far below the depth that the parser allows
_NOT_SIMPLE: Final = object()
_ITEM: Final = re.compile(r"( *)(-) +([^\n]*)")
_INNER: Final = re.compile(r"( +)([A-Za-z_][A-Za-z0-9_-]*): +([^\n]*)")


@dataclass(slots=True)
class Quick:
    """What was read; where the entry `id` and the first entry begin, in characters; whether there are numerals."""

    value: dict[str, Any] = field(default_factory=dict)
    id_at: int | None = None
    begins_at: int = 0
    has_numerals: bool = False


def read_quickly(text: str, parse_all: Callable[[str], tuple[list[Any], bool]]) -> Quick | None:
    """The mapping that a text holds, None where only the parser can tell.

    Args:
        text: a YAML document.
        parse_all: the parser; gives the values of all documents of a text, and whether there are numerals in them.
    """
    before = _BEFORE.match(text)
    here = before.end() if before else 0
    quick = Quick(begins_at=here)
    others: dict[str, str] = {}
    while here < len(text):
        entry = _ENTRY.match(text, here)
        if entry is None or (key := entry[1]) in quick.value:
            return None
        value = quick.value[key] = _simple(entry[2], entry[3])
        if value is _NOT_SIMPLE:
            others[key] = entry[0]
        elif _has_numerals(value):
            quick.has_numerals = True
        if key == "id":
            quick.id_at = here
        here = entry.end()
    return quick if quick.value and _with_others(quick, others, parse_all) else None


def _with_others(quick: Quick, others: dict[str, str], parse_all: Callable[[str], tuple[list[Any], bool]]) -> bool:
    """Let the parser read the other entries, each as a document, in which none can reach into the next."""
    if not others:
        return True
    if any(_MARKER.search(entry) for entry in others.values()):
        return False
    values, has_numerals = parse_all("---\n".join(others.values()))
    if len(values) != len(others):
        return False
    for key, value in zip(others, values, strict=True):
        if not isinstance(value, dict) or list(value) != [key]:
            return False
        inner = quick.value[key] = value[key]
        if isinstance(inner, list) and any(isinstance(item, dict) for item in inner):
            return False  # where each of them begins has to be known
    quick.has_numerals |= has_numerals
    return True


def _simple(behind: str | None, below: str) -> Any:  # noqa: ANN401  # any of the plain values
    """The value of an entry, if it is one that can be read here."""
    behind = (behind or "").rstrip(" ")
    if not below or not below.strip("\n"):
        if not behind:
            return None
        if _is_plain(behind):
            return plain(behind) if behind[0] in BEGINS_OTHER else behind
        if _BRACKETS.fullmatch(behind):
            return _in_brackets(behind)
    elif not behind:
        return _below(below.strip("\n").split("\n"))
    return _NOT_SIMPLE


def _in_brackets(text: str) -> Any:  # noqa: ANN401  # a list or a mapping of plain values
    """Lists and mappings of words in brackets; with the words in quotes it is JSON, or else not simple."""
    if text.count("[") + text.count("{") > _MOST_BRACKETS:
        return _NOT_SIMPLE
    try:
        return _meant(_JSON.decode(_WORD.sub(_quoted, text)))
    except ValueError:
        return _NOT_SIMPLE


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice")
    return found


_JSON: Final = json.JSONDecoder(object_pairs_hook=_unique)


def _quoted(word: re.Match[str]) -> str:
    return f'"{word[0]}"'


def _meant(value: Any) -> Any:  # noqa: ANN401  # what JSON gives
    if isinstance(value, str):
        return plain(value)
    return {key: _meant(item) for key, item in value.items()} if isinstance(value, dict) else list(map(_meant, value))


def _below(lines: list[str]) -> Any:  # noqa: ANN401  # a list or a mapping of plain values
    """What stands in lines that are all items, or all entries of plain text, with the same indentation."""
    first = _ITEM.fullmatch(lines[0])
    pattern = _ITEM if first else _INNER
    found = [match for line in lines if (match := pattern.fullmatch(line)) and _is_plain(match[3].rstrip(" "))]
    if len(found) < len(lines) or len({match[1] for match in found}) > 1:
        return _NOT_SIMPLE
    values = [plain(match[3].rstrip(" ")) for match in found]
    if first:
        return values
    keys = [match[2] for match in found]
    return dict(zip(keys, values, strict=True)) if len(set(keys)) == len(keys) else _NOT_SIMPLE


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


def _has_numerals(value: Any) -> bool:  # noqa: ANN401  # any of the values that are read here
    if isinstance(value, dict):
        return any(map(_has_numerals, value.values()))
    return any(map(_has_numerals, value)) if isinstance(value, list) else isinstance(value, Numeral)
