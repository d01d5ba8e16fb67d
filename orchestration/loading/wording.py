"""Pydantic's errors → sentences that name the field, what it may be, and what it was.

Several errors of one field (one for each branch of a union) become one sentence. Values are shown only where the kind
of value is the mistake, shortened, so that no secret and no megabyte lands in a message.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from orchestration.graph import nearest
from orchestration.loading.findings import FieldPath, Finding, field_name

_NUMBER: Final = "a number"
_WHOLE_NUMBER: Final = "a whole number"
_TRUE_OR_FALSE: Final = "true or false"
_MAPPING: Final = "a mapping of keys to values"
_KINDS_OF_VALUE: Final = {
    "string_type": "text",
    "bool_type": _TRUE_OR_FALSE,
    "bool_parsing": _TRUE_OR_FALSE,
    "int_type": _WHOLE_NUMBER,
    "int_parsing": _WHOLE_NUMBER,
    "int_parsing_size": _WHOLE_NUMBER,
    "int_from_float": _WHOLE_NUMBER,
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "finite_number": "a finite number",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": _MAPPING,
    "model_type": _MAPPING,
    "model_attributes_type": _MAPPING,
    "string_pattern_mismatch": "package.module:function",
}
_LIMITS: Final = {
    "greater_than_equal": ("at least", "ge"),
    "greater_than": ("more than", "gt"),
    "less_than_equal": ("at most", "le"),
    "less_than": ("less than", "lt"),
}
_COUNTS_ON: Final = "agent_counts_on"
_QUOTED: Final = re.compile(r"'([^']*)'")
_LONGEST_SHOWN: Final = 60


def findings_of(error: ValidationError, data: object) -> list[Finding]:
    """Say what is wrong with `data`; the findings have paths inside of it, and no file yet."""
    return findings_in(error.errors(include_url=False), data)


def findings_in(errors: Iterable[ErrorDetails], data: object) -> list[Finding]:
    """The same of the errors that another library has collected."""
    grouped: dict[FieldPath, list[ErrorDetails]] = {}
    for detail in errors:
        if detail["type"] != "callable_type":  # no file can hold a function; the other branch says what it can hold
            grouped.setdefault(_real_path(detail, data), []).append(detail)
    return [_finding(path, details) for path, details in grouped.items()]


def _real_path(detail: ErrorDetails, data: Any) -> FieldPath:  # noqa: ANN401  # whatever was written
    """The error's path without the names of union branches, which pydantic puts between."""
    if detail["type"] == _COUNTS_ON:  # which is found when all agents are known, so that no field is blamed for it
        return "agents", detail["ctx"]["agent"]
    path: list[str | int] = []
    for step in detail["loc"]:
        is_key = isinstance(data, Mapping) and step in data
        if is_key or (isinstance(data, list | tuple) and isinstance(step, int) and step < len(data)):
            data = data[step]
            path.append(step)
    if detail["type"] == "missing":
        path.append(detail["loc"][-1])
    return tuple(path)


def _finding(path: FieldPath, details: list[ErrorDetails]) -> Finding:
    detail = details[0]
    name = field_name(path)
    if (special := _SPECIAL.get(detail["type"])) is not None:
        message, hint = special(name, detail)
        is_kind = detail["type"] == "union_tag_invalid"
        return Finding(message, hint=hint, path=(*path, "kind") if is_kind else path)
    words = _words(detail)
    expected = f"one of {', '.join(words)}" if words else " or ".join(dict.fromkeys(map(_expected, details)))
    value = detail["input"]
    hint = None
    if words:
        hint = nearest_word(value, words) if isinstance(value, str) else None
    elif "text" in expected and isinstance(value, bool):
        hint = "put it in quotes"
    elif "text" in expected and isinstance(value, dict):
        hint = "put text that holds ': ' or begins with { in quotes"
    elif "text" in expected and value is None:
        hint = 'write "" for empty text, or leave it out'
    return Finding(f"{name or 'this'} must be {expected}; got {shown(value)}", hint=hint, path=path)


def shown(value: object) -> str:
    """A value as it is named in a message."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    text = repr(str(value)) if isinstance(value, str) else str(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"


def _expected(detail: ErrorDetails) -> str:
    kind = detail["type"]
    if kind in _LIMITS:
        phrase, key = _LIMITS[kind]
        return f"{phrase} {detail['ctx'][key]:g}"
    if detail.get("ctx", {}).get("class_name") == "RetryPolicy":
        return f"{_WHOLE_NUMBER} of tries or {_MAPPING}"
    return _KINDS_OF_VALUE.get(kind) or f"something else ({detail['msg']})"


def _words(detail: ErrorDetails) -> tuple[str, ...]:
    return tuple(_QUOTED.findall(detail["ctx"]["expected"])) if detail["type"] in {"enum", "literal_error"} else ()


@lru_cache(maxsize=1024)
def nearest_word(word: str, known: tuple[str, ...]) -> str | None:
    """A hint that names the nearest of a few known words; remembered, because one mistake is often made many times."""
    return nearest(word, known)


def _missing(name: str, _: ErrorDetails) -> tuple[str, str | None]:
    return f"{name} is missing", f"write `{name.rpartition('.')[2]}: …`"


def _too_short(name: str, _: ErrorDetails) -> tuple[str, str | None]:
    return f"{name} is empty", "give it at least one item"


def _no_text(name: str, _: ErrorDetails) -> tuple[str, str | None]:
    return f"{name} is empty", "give it a text"


def _too_long(name: str, detail: ErrorDetails) -> tuple[str, str | None]:
    most = detail["ctx"]["max_length"]
    return f"{name} is too long; it may have {most:,} {'items' if detail['type'] == 'too_long' else 'characters'}", None


def _unknown_field(name: str, _: ErrorDetails) -> tuple[str, str | None]:
    return f"there is no field {name}", None


def _own(name: str, detail: ErrorDetails) -> tuple[str, str | None]:
    """What one of our validators said, which is a sentence; whatever follows a semicolon is the remedy."""
    text, _, hint = str(detail["ctx"]["error"]).partition("; ")
    return f"{name}: {text}" if name else text, hint or None


def _unknown_kind(name: str, detail: ErrorDetails) -> tuple[str, str | None]:
    kinds = _QUOTED.findall(detail["ctx"]["expected_tags"])
    kind = str(detail["ctx"]["tag"])
    known = f"known kinds: {', '.join(kinds)}"
    return f"{name}: there is no kind {shown(kind)}; {known}", nearest(kind, kinds)


def _no_kind(name: str, _: ErrorDetails) -> tuple[str, str | None]:
    return f"{name} has no kind", "write `kind: shell`, or another kind of agent"


def _counts_on(_: str, detail: ErrorDetails) -> tuple[str, str | None]:
    return detail["msg"], "name single agents that are in `agents` or built in"


_SPECIAL: Final[dict[str, Callable[[str, Any], tuple[str, str | None]]]] = {
    "missing": _missing,
    "too_short": _too_short,
    "string_too_short": _no_text,
    "too_long": _too_long,
    "string_too_long": _too_long,
    "extra_forbidden": _unknown_field,
    "value_error": _own,
    "union_tag_invalid": _unknown_kind,
    "union_tag_not_found": _no_kind,
    _COUNTS_ON: _counts_on,
}
