"""How single values are read: durations, lists, names, variables; and what all written things have in common.

What must be survived: numbers where text is meant (`phase: 2`, `PORT: 8080`), one string where a list is meant,
durations in people's units, absurd values (`timeout: 1e300`), and unknown keys, which are kept in `model_extra` so that
the loader can warn.
"""

import re
from typing import Annotated, Final, TypeAlias

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict

MAX_SECONDS: Final = 10 * 366 * 24 * 3600.0
"""Ten years: longer durations are typing errors, and overflow the clock of an event loop."""

SAFE_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
LOCAL: Final = "local"
"""The backend that is none: attempts run here."""

_BACKEND: Final = re.compile(rf"{SAFE_ID.pattern}(?::.*)?", re.DOTALL)
_TAKEN: Final = "owner.lock"
_DURATION: Final = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)\s*(ms|s|m|h)?\s*")
_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, None: 1.0}


def seconds_of(value: object) -> float:
    """Read a duration: a number of seconds, or `500ms`, `30s`, `5m`, `2h`.

    Raises:
        ValueError: it is none of these, negative, or over ten years.
    """
    if isinstance(value, str) and (found := _DURATION.fullmatch(value)):
        number: float = float(found[1]) * _UNITS[found[2]]
    elif isinstance(value, int | float) and not isinstance(value, bool):
        number = value
    else:
        raise ValueError(f"{value!r:.60} is no duration; write seconds, or 500ms, 30s, 5m, 2h")
    if not 0 <= number <= MAX_SECONDS:  # not so either for what is no number at all
        raise ValueError(f"{value!r:.60} is out of range; a duration lies between 0 and ten years")
    return float(number)


def _above_zero(value: float) -> float:
    if value <= 0:
        raise ValueError("a limit of zero would end the work before it starts; leave it out for no limit")
    return value


def _safe_id(value: str) -> str:
    if not SAFE_ID.fullmatch(value):
        raise ValueError(
            f"{value!r:.120} is not a safe id; use letters, digits, '.', '_' and '-', at most 100, "
            "beginning with a letter or digit",
        )
    return value


def _task_id(value: str) -> str:
    if _safe_id(value).lower() == _TAKEN:
        raise ValueError(f"{value!r} cannot be a task's id; in a run's folder, where its logs would be, it is a file")
    return value


def _backend(value: str) -> str:
    if not _BACKEND.fullmatch(value):
        raise ValueError(f"{value!r:.120} cannot be a backend; write NAME, or NAME:ADDRESS")
    return value


def listed(value: object) -> object:
    """One string where a list is meant is a list of one; nothing is an empty list."""
    if value is None:
        return ()
    return (value,) if isinstance(value, str | int | float) and not isinstance(value, bool) else value


def named(value: object) -> object:
    """Inputs given as a list are files, each by its own name."""
    if value is None:
        return {}
    if isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
        return {item: item for item in value}
    return value


def names_only(value: object) -> object:
    """Outputs may be described (`name: what it is`); the promise is the names."""
    return tuple(value) if isinstance(value, dict) else listed(value)


def _variables(value: dict[str, str]) -> dict[str, str]:
    """No program can be started with such variables; better said here than when it is its turn."""
    for name, text in value.items():
        if not name or "=" in name or "\0" in name or "\0" in text:
            raise ValueError(f"{name!r:.60} cannot be a variable; names are not empty, and hold no '=' and no NUL")
    return value


def runs_nothing(text: str) -> bool:
    """Whether a command, of one line or several, holds nothing but blanks and comments."""
    return all(not line.strip() or line.lstrip().startswith("#") for line in text.split("\n"))


def _commands(value: tuple[str, ...]) -> tuple[str, ...]:
    """A check that runs nothing says nothing of the work; better told here than when that is done."""
    for line in value:
        if runs_nothing(line) or "\0" in line:
            raise ValueError(f"{line!r:.60} is no command; write one, or leave it out")
    return value


def lowered(value: object) -> object:
    """Words may be written in any case."""
    return value.strip().lower() if isinstance(value, str) else value


def or_empty(value: object) -> object:
    """A key with nothing behind its colon is an empty mapping."""
    return {} if value is None else value


Duration: TypeAlias = Annotated[float, BeforeValidator(seconds_of, json_schema_input_type=float | str)]
Limit: TypeAlias = Annotated[Duration, AfterValidator(_above_zero)]
TaskId: TypeAlias = Annotated[str, AfterValidator(_task_id)]
Texts: TypeAlias = Annotated[tuple[str, ...], BeforeValidator(listed, json_schema_input_type=str | list[str])]
Commands: TypeAlias = Annotated[Texts, AfterValidator(_commands)]
Variables: TypeAlias = Annotated[dict[str, str], BeforeValidator(or_empty), AfterValidator(_variables)]
AgentName: TypeAlias = Annotated[str, AfterValidator(_safe_id)]
BackendName: TypeAlias = Annotated[str, AfterValidator(_backend)]


class Written(BaseModel):
    """What all written things have in common: frozen, unknown keys kept, numbers read as text where text is meant."""

    model_config = ConfigDict(
        frozen=True,
        extra="allow",
        coerce_numbers_to_str=True,
        hide_input_in_errors=True,
        ser_json_inf_nan="constants",
        defer_build=True,  # what checks a kind of thing is built when the first of that kind comes
    )
