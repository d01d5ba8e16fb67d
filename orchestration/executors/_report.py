"""The report that a script leaves on its stdout → its claim, checked field by field.

Strict where a report is meant, generous where it is not: stdout that is no JSON object, or one without a single field
of ours, is plain text. Edges survived: noise or a byte order mark before the report, a report printed over several
lines, line ends inside its texts (easily made by shell scripts), a report that is broken (which must not pass for text:
it may have said `failed`), cut off, too deep, or with values that only some readers of JSON accept; a use of models
that cannot be (sums of such numbers would be infinite).
"""

import json
import re
from collections.abc import Mapping
from dataclasses import field
from typing import Any, Final

from orchestration.adapters.numbers import MAX_NUMBER
from orchestration.foreign import check_range, object_of
from orchestration.kinds import OURS_TO_SAY, Failure
from orchestration.records import dataclass
from orchestration.results import Usage

SUCCEEDED: Final = frozenset({"success", "succeeded", "ok", "completed", "done"})
FAILED: Final = frozenset({"failed", "failure", "error"})
FIELDS: Final = frozenset({"status", "output", "error", "outputs", "model", "usage", "failure"})
MAX_PLACES: Final = 20
"""Lines beginning with a brace from which a report is tried to be read, the last ones."""

MAX_SHOWN: Final = 40
"""Characters of a wrong value that an error shows."""

_BEGINNINGS: Final = re.compile(r"^\{", re.MULTILINE)
_MARK: Final = re.compile(r"^\ufeff(?=\s*\{)", re.MULTILINE)
"""A byte order mark in front of a report, as some programs write it at the beginning of all that they print."""

_MEANT: Final = re.compile(r'\{\s*"')
_COUNTS: Final = {
    "input_total": ("input_total", "input_tokens", "prompt_tokens"),
    "output_total": ("output_total", "output_tokens", "completion_tokens"),
    "cached_read": ("cached_read",),
    "cache_write": ("cache_write",),
    "reasoning": ("reasoning",),
    "requests": ("requests",),
}


class BadReport(Exception):
    """A report was meant, but it cannot be read; the message names the field or the place."""


@dataclass(frozen=True, slots=True)
class ScriptReport:
    """What a script says of itself; `status` is None where it did not say."""

    status: str | None = None
    failure: Failure | None = None
    output: str = ""
    error: str | None = None
    outputs: Mapping[str, Any] = field(default_factory=dict)
    usage: Usage | None = None
    model: str | None = None
    others: Mapping[str, Any] = field(default_factory=dict)

    @property
    def claims_success(self) -> bool:
        """Whether nothing in it speaks of a failure."""
        return self.failure is None


def read_report(text: str, *, cut: bool) -> ScriptReport | None:
    """Find the report: the whole of stdout, or what stands from one of its last lines to its end.

    Args:
        text: What the script wrote.
        cut: Whether the beginning of it is missing.

    Returns:
        The report; None for plain text.

    Raises:
        BadReport: a report was meant, but it cannot be read.
    """
    text = _MARK.sub("", text).strip()
    places = [found.start() for found in _BEGINNINGS.finditer(text)]
    places = [*(place for place in places[:1] if place == 0), *places[: -MAX_PLACES - 1 : -1]]
    problem: ValueError | RecursionError | None = None
    for candidate in (text[place:] for place in places):
        try:
            found = object_of(candidate, strict=False)
        except (ValueError, RecursionError) as error:
            problem = error if _is_meant(candidate) else problem
            continue
        if FIELDS.intersection(found):
            return _checked(found)
        return None
    if problem is not None:
        raise BadReport(f"the report on stdout is no valid JSON: {problem}") from problem
    if cut and text.endswith("}"):
        raise BadReport("the report on stdout is longer than what is kept of it; pass big values on by files")
    return None


def _is_meant(candidate: str) -> bool:
    return _MEANT.match(candidate) is not None and '"status"' in candidate


def _checked(found: dict[str, Any]) -> ScriptReport:
    status = _text(found, "status")
    return ScriptReport(
        status=status,
        failure=_failure(found, status),
        output=_text(found, "output") or "",
        error=_text(found, "error"),
        outputs=_outputs(found),
        usage=_usage(found),
        model=_text(found, "model"),
        others={name: value for name, value in found.items() if name not in FIELDS},
    )


def _text(found: Mapping[str, Any], name: str) -> str | None:
    value = found.get(name)
    if value is None or isinstance(value, str):
        return value
    raise BadReport(f"{name} in the report on stdout must be text, not {_kind(value)}")


def _failure(found: Mapping[str, Any], status: str | None) -> Failure | None:
    """The kind of failure it speaks of: `failure` names one, `status` may too; an error without status is one."""
    word = _text(found, "failure")
    said = None if status is None else status.strip().lower()
    claimed = None if said is None or said in SUCCEEDED else _named(said, "status")
    if word is not None:
        return _named(word, "failure")
    return Failure.EXIT_CODE if said is None and found.get("error") else claimed


def _named(word: str, name: str) -> Failure:
    if name == "status" and word in FAILED:
        return Failure.EXIT_CODE
    known = [kind.value for kind in Failure if kind not in OURS_TO_SAY]
    if word not in known:
        words = ", ".join(known if name == "failure" else ["success", "failed", *known])
        raise BadReport(f"{name} in the report on stdout is {word[:MAX_SHOWN]!r}; it must be one of {words}")
    return Failure(word)


def _outputs(found: Mapping[str, Any]) -> dict[str, Any]:
    outputs = found.get("outputs")
    if outputs is None:
        return {}
    if not isinstance(outputs, dict):
        raise BadReport(f"outputs in the report on stdout must be an object, not {_kind(outputs)}")
    try:
        check_range(outputs)
    except ValueError as error:
        raise BadReport(f"outputs in the report on stdout cannot be kept: {error}") from error
    return outputs


def _usage(found: Mapping[str, Any]) -> Usage | None:
    raw = found.get("usage")
    if raw is None:
        return None
    if not isinstance(raw, dict):
        raise BadReport(f"usage in the report on stdout must be an object, not {_kind(raw)}")
    counts = {name: _count(raw, spellings) for name, spellings in _COUNTS.items()}
    return Usage(**counts, cost_usd=_cost(raw), source="reported", raw=raw)


def _count(raw: Mapping[str, Any], spellings: tuple[str, ...]) -> int:
    for name in spellings:
        value = raw.get(name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_NUMBER:
            raise BadReport(f"usage.{name} in the report on stdout must be a whole number, not {_kind(value)}")
        return value
    return 0


def _cost(raw: Mapping[str, Any]) -> float | None:
    value = raw.get("cost_usd")
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MAX_NUMBER:
        raise BadReport(f"usage.cost_usd in the report on stdout must be a number of dollars, not {_kind(value)}")
    return float(value)


def _kind(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"
