"""What agents write for numbers, sums of money and times → numbers, or nothing where it is none.

A closed set of words says how a value is to be read (`as: money`). Survives NaN and infinities (which JSON readers let
through), negative counts, numbers in text, `1.0k`, `$0.0022`, `1,234`, `1m30s`, and digits without end.
"""

import math
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, Literal, TypeAlias

from orchestration.records import dataclass

Conversion: TypeAlias = Literal["count", "money", "seconds", "milliseconds", "duration", "epoch", "time", "clock"]

MAX_NUMBER: Final = 1e15
"""Larger than any count of tokens or time; beyond it a float is not exact, and the value is nonsense."""

LONGEST: Final = 100
"""Characters of the longest text that is looked at; nobody writes a number or a time with more."""

_NUMBER: Final = re.compile(r"\s*[$€£]?\s*(\d{1,15}(?:,\d{3}){0,5}(?:\.\d{1,15})?|\.\d{1,15})\s*([kKmMbB]?)\s*")
_FACTORS: Final = {"": 1.0, "k": 1e3, "m": 1e6, "b": 1e9}
_PART: Final = re.compile(r"(\d{1,12}(?:\.\d{1,9})?)\s*([a-zA-Zµ]*)[\s,]*(?:and\s+)?")
_UNITS: Final = {
    "": 1.0,
    "ms": 0.001, "millisecond": 0.001, "milliseconds": 0.001,
    "s": 1.0, "sec": 1.0, "secs": 1.0, "second": 1.0, "seconds": 1.0,
    "m": 60.0, "min": 60.0, "mins": 60.0, "minute": 60.0, "minutes": 60.0,
    "h": 3600.0, "hr": 3600.0, "hrs": 3600.0, "hour": 3600.0, "hours": 3600.0,
    "d": 86400.0, "day": 86400.0, "days": 86400.0,
}  # fmt: skip
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_CLOCK: Final = re.compile(
    r"(?:([A-Za-z]{3})[a-z]*\.?\s+(\d{1,2})(?:st|nd|rd|th)?,?\s+(?:(\d{4}),?\s+)?(?:at\s+)?)?"
    r"(\d{1,2})(?::(\d{2}))?\s*([AaPp]\.?[Mm]\.?)?"
    r"(?:\s*\(?([A-Z][A-Za-z_]{1,30}(?:/[A-Za-z0-9_+-]{1,30}){0,2})\)?)?",
)
NO_DATE: Final = 1
"""The year of a time of day that names no date."""

_MILLISECONDS_SINCE: Final = 1e11  # an epoch beyond this counts milliseconds: as seconds it would be the year 5138


@dataclass(frozen=True, slots=True)
class Shown:
    """What a clock on the wall shows: in the year `NO_DATE` where no year is named; `zone` is its time zone's name."""

    at: datetime
    zone: str | None = None

    def __str__(self) -> str:
        return f"{self.at.isoformat()} {self.zone or ''}".strip()


def number(value: object) -> float | None:
    """A number that is finite, not negative and of a sensible size; text such as `1.0k` or `$0.0022` counts too."""
    if isinstance(value, str):
        found = _NUMBER.fullmatch(value) if len(value) <= LONGEST else None
        if found is None:
            return None
        value = float(found[1].replace(",", "")) * _FACTORS[found[2].lower()]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value <= MAX_NUMBER and math.isfinite(value) else None


def converted(value: object, how: Conversion) -> float | datetime | Shown | None:
    """The value as the word says: a count, US dollars, seconds from now, or a moment; None if it is none."""
    return _READERS[how](value)


def _clock(value: object) -> Shown | None:
    """`8:11 PM`, `20:11`, `3pm (Europe/Berlin)`, `Nov 23rd, 2026 2:58 AM`."""
    found = _CLOCK.fullmatch(value.strip()) if isinstance(value, str) and len(value) <= LONGEST else None
    if found is None or (found[5] is None and found[6] is None):
        return None
    month, day, year, hour, minute, half, zone = found.groups()
    hours = int(hour)
    if half is not None:
        if not 1 <= hours <= 12:  # noqa: PLR2004  # as clocks with halves of days have it
            return None
        hours = hours % 12 + (12 if half[0] in "pP" else 0)
    if month is not None and month.lower() not in _MONTHS:
        return None
    date = (1, 1) if month is None else (_MONTHS.index(month.lower()) + 1, int(day))
    try:
        at = datetime(int(year or NO_DATE), *date, hours, int(minute or 0))  # noqa: DTZ001  # that is the point
    except ValueError:
        return None
    return Shown(at, zone)


def _milliseconds(value: object) -> float | None:
    found = number(value)
    return None if found is None else found / 1000


def _duration(value: object) -> float | None:
    """`20s`, `1m30s`, `2 days 3 hours`, `1.5 minutes`; a bare number counts seconds."""
    if not isinstance(value, str):
        return number(value)
    total, at, text = 0.0, 0, value.strip()[: LONGEST + 1]
    if len(text) > LONGEST:
        return None
    while at < len(text):
        part = _PART.match(text, at)
        if part is None or part[2].lower() not in _UNITS:
            return None
        total += float(part[1]) * _UNITS[part[2].lower()]
        at = part.end()
    return number(total) if text else None


def _epoch(value: object) -> datetime | None:
    found = number(value)
    if not found:
        return None
    try:
        return datetime.fromtimestamp(found / 1000 if found > _MILLISECONDS_SINCE else found, UTC)
    except (OverflowError, ValueError, OSError):
        return None


def _time(value: object) -> datetime | None:
    """ISO 8601; without an offset it is taken for UTC."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value.strip())
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


_READERS: Final[dict[Conversion, Callable[[object], float | datetime | Shown | None]]] = {
    "count": number,
    "money": number,
    "seconds": number,
    "milliseconds": _milliseconds,
    "duration": _duration,
    "epoch": _epoch,
    "time": _time,
    "clock": _clock,
}
