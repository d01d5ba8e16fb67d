"""Values of a script's fields: as they were written → as they are played, or a word on what they are instead."""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from orchestration.scripted.steps import Field

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?")


def _text(value: object, _field: Field) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError("no text")  # noqa: TRY004  # one kind of error for all that is wrong
    return str(value)


def _word(value: object, field: Field) -> str:
    if value not in field.choices:
        raise ValueError(f"none of {', '.join(field.choices)}")
    return str(value)


def _flag(value: object, _field: Field) -> bool:
    if not isinstance(value, bool):
        raise ValueError("neither true nor false")  # noqa: TRY004  # as above
    return value


def _number(value: object, field: Field) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("no number")  # noqa: TRY004  # as above
    return _bounded(value, field)


def _bounded(value: float, field: Field) -> float:
    if not value >= field.low or (field.high is not None and value > field.high):
        bound = f" and at most {field.high:,g}" if field.high is not None else ""
        raise ValueError(f"out of bounds: at least {field.low:g}{bound}")
    return value


def _count(value: object, field: Field) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("no whole number")  # noqa: TRY004  # as above
    return int(_bounded(value, field))


def _seconds(value: object, field: Field) -> float:
    if isinstance(value, str):
        found = _DURATION.fullmatch(value.strip())
        if found is None:
            raise ValueError("no duration; write seconds, or a number with ms, s, m or h")
        value = float(found[1]) * _UNITS[found[2] or "s"]
    return _number(value, field)


def _moment(value: object, field: Field) -> float | str:
    """Seconds from now, or a time as it is written in ISO 8601."""
    if hasattr(value, "isoformat"):  # YAML reads a time as one
        value = value.isoformat()
    if isinstance(value, str) and _TIME.fullmatch(value.strip()):
        return value.strip()
    return _seconds(value, field)


def _free(value: object, _field: Field) -> Any:  # noqa: ANN401  # any mapping
    return value


KINDS: Mapping[str, Callable[[object, Field], Any]] = {
    "text": _text,
    "word": _word,
    "flag": _flag,
    "number": _number,
    "count": _count,
    "seconds": _seconds,
    "moment": _moment,
    "mapping": _free,
}
"""Kind of field → what reads its value; a ValueError says what the value is instead."""
