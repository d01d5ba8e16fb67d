"""What a refusing service says about when to come back → seconds and a moment.

Pure; `now` is an argument. Edges survived: seconds, milliseconds, durations (`6m0s`, `20ms`), moments as text and as a
number (in seconds or milliseconds), limits that are told though they are not the ones that were met, nonsense.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from orchestration.records import dataclass

LONGEST: Final = 40 * 24 * 3600.0
"""Seconds: no plan has a longer period than a month, so anything further away was misread."""

_PART: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_RESET: Final = re.compile(r"^(?:x-ratelimit|anthropic-ratelimit|ratelimit)-(?:.*-)?reset(?:-.*)?$")


@dataclass(frozen=True, slots=True)
class Limit:
    """When a limit ends; both are None where nothing was said."""

    retry_after: float | None = None
    resets_at: str | None = None

    @property
    def facts(self) -> dict[str, Any]:
        """The same for an outcome's metadata."""
        facts = {"retry_after": self.retry_after, "resets_at": self.resets_at}
        return {name: value for name, value in facts.items() if value is not None}


def limit_of(retry_after: float | None, headers: Mapping[str, str], body: object, now: datetime) -> Limit:
    """When to come back: what is said outright counts before what the body says, and that before the headers' limits.

    Args:
        retry_after: seconds, from the header of that name.
        headers: of the answer, their names in lower case.
        body: of the answer, where it was JSON.
        now: in UTC.
    """
    seconds = retry_after if _is_possible(retry_after) else None
    if seconds is None:
        seconds = _in_body(body, now)
    if seconds is None:
        seconds = _in_headers(headers, now)
    if seconds is None:
        return Limit()
    return Limit(round(seconds, 3), (now + timedelta(seconds=seconds)).isoformat())


def seconds_until(text: str, now: datetime) -> float | None:
    """Seconds until what a header names: a duration, a number of seconds, or a moment; None for anything else."""
    text = text.strip()
    if text and not _PART.sub("", text):
        return _possible(sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text)))
    try:
        return _seconds_of_number(float(text), now)
    except (ValueError, OverflowError):
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return _possible((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - now.timestamp())


def _seconds_of_number(number: float, now: datetime) -> float | None:
    """A small number is a duration, a big one a moment, in seconds or in milliseconds."""
    if number > 1e11:  # noqa: PLR2004  # milliseconds since 1970, from 1973 on
        number /= 1000
    if number > 1e8:  # noqa: PLR2004  # seconds since 1970; as a duration that would be three years
        number -= now.timestamp()
    return _possible(number)


def _possible(seconds: float) -> float | None:
    """What has passed is now; what is absurd was not understood."""
    return max(0.0, seconds) if seconds <= LONGEST else None


def _is_possible(seconds: float | None) -> bool:
    return seconds is not None and 0 <= seconds <= LONGEST


def _in_body(body: object, now: datetime) -> float | None:
    error = body.get("error", body) if isinstance(body, Mapping) else None
    if not isinstance(error, Mapping):
        return None
    for name in ("resets_at", "resets_in_seconds", "retry_after"):
        value = error.get(name)
        if isinstance(value, int | float | str) and not isinstance(value, bool):
            found = seconds_until(str(value), now)
            if found is not None:
                return found
    return None


def _in_headers(headers: Mapping[str, str], now: datetime) -> float | None:
    """The latest reset among the limits of which nothing is left; among all of them where none is said to be empty."""
    resets = list(_resets(headers, now))
    empty = [seconds for seconds, is_empty in resets if is_empty]
    return max(empty or [seconds for seconds, _ in resets], default=None)


def _resets(headers: Mapping[str, str], now: datetime) -> Iterator[tuple[float, bool]]:
    for name, text in headers.items():
        if not _RESET.match(name):
            continue
        seconds = seconds_until(text, now)
        if seconds is not None:
            status = headers.get(name.replace("reset", "status"))
            left = headers.get(name.replace("reset", "remaining"))
            yield seconds, status == "rejected" or (left or "").strip() in {"0", "0.0"}
