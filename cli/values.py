"""What the values of options have to be, whoever has read the command line: numbers, durations, budgets, selections."""

import re
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from orchestration.errors import UsageError

if TYPE_CHECKING:
    from orchestration.kinds import Priority
    from orchestration.models import Budget
    from orchestration.orchestrator import Selection

MOST_AT_ONCE: Final = 10_000
"""Tasks at once beyond which a number is a slip of the hand: a machine has neither the processes nor the files."""

WHOLE: Final = re.compile(r"[+-]?[0-9]{1,18}")


def whole_number(option: str, least: int, most: int = sys.maxsize) -> Callable[[str], int]:
    """What reads the number that an option takes, and refuses any other with words for people."""

    def read(text: str) -> int:
        if not WHOLE.fullmatch(text.strip()):
            raise UsageError(f"{option}: {text!r} is not a whole number", hint=f"for example: {option} {max(least, 3)}")
        number = int(text)
        if not least <= number <= most:
            bounds = f"at least {least:,}" if most == sys.maxsize else f"between {least:,} and {most:,}"
            raise UsageError(f"{option}: {text} is out of range", hint=f"it has to be {bounds}")
        return number

    return read


def selection_of(
    ids: list[str] | None, labels: list[str] | None, phases: list[str] | None, priorities: "list[Priority] | None"
) -> "Selection":
    """The tasks that were asked for; without ids, all that fit the rest."""
    from orchestration.orchestrator import Selection

    return Selection(
        task_ids=tuple(dict.fromkeys(ids)) if ids else None,
        labels=tuple(labels or ()),
        phases=tuple(phases or ()),
        priorities=tuple(priority.value for priority in priorities or ()),
    )


def seconds_option(text: str | None, option: str) -> float | None:
    """A duration given to an option, in seconds; None where none was given.

    Raises:
        UsageError: it is no duration, or none above zero.
    """
    from orchestration.models import seconds_of

    if text is None:
        return None
    try:
        seconds = seconds_of(text)
    except ValueError as error:
        raise UsageError(f"{option}: {error}", hint=f"for example: {option} 30m") from error
    if seconds <= 0:
        raise UsageError(f"{option} {text} would end the run before it starts", hint=f"for example: {option} 30m")
    return seconds


BUDGET_EXAMPLE: Final = "for example: --budget 5 (dollars), or --budget cost_usd=5,tokens=1000000,wall=2h"
BUDGET_PARTS: Final = ("cost_usd", "tokens", "wall")


def budget_option(text: str | None) -> "Budget | None":
    """What a run may use: `5` for dollars, or `cost_usd=5,tokens=1000000,wall=2h`; None where nothing was given.

    Raises:
        UsageError: it is no budget.
    """
    from pydantic import ValidationError

    from orchestration.models import Budget

    if text is None:
        return None
    given = _budget_parts(text)
    try:
        return Budget.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        part = str(first["loc"][0])
        said = first["msg"].removeprefix("Value error, ")
        said = said[:1].lower() + said[1:]
        raise UsageError(f"--budget: {part} {given[part]!r} cannot be: {said}", hint=BUDGET_EXAMPLE) from error


def _budget_parts(text: str) -> dict[str, str]:
    plain = text.strip().removeprefix("$")
    if "=" not in plain:
        return {"cost_usd": plain}
    given: dict[str, str] = {}
    for item in text.split(","):
        name, equals, value = (part.strip() for part in item.partition("="))
        if not equals or name not in BUDGET_PARTS or name in given:
            wrong = "is there twice" if name in given else f"is none of {', '.join(BUDGET_PARTS)}"
            raise UsageError(f"--budget: {name[:80]!r} {wrong}", hint=BUDGET_EXAMPLE)
        given[name] = value.removeprefix("$") if name == "cost_usd" else value.replace("_", "")
    return given


def from_stdin(what: str, option: str) -> str:
    """What standard input has, as text.

    Raises:
        UsageError: it is closed, or no text; says what was to be read, and with which option it can be given.
    """
    if sys.stdin is None:
        raise UsageError("standard input is closed", hint=f"give {what} with {option} TEXT")
    try:
        return sys.stdin.buffer.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"standard input is not UTF-8 at byte {error.start}", hint=f"{what} is text") from error


def refuse_both(first: str, second: str, *, both: bool) -> None:
    """Refuse two options that exclude each other.

    Raises:
        UsageError: both were given.
    """
    if both:
        raise UsageError(f"{first} and {second} exclude each other", hint="give one of them")
