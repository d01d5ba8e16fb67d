"""Options that several commands share, and what their values have to be."""

import re
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

import typer

from orchestration.errors import UsageError
from orchestration.kinds import Mode, Priority

if TYPE_CHECKING:
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


TaskIds: TypeAlias = Annotated[
    list[str] | None, typer.Argument(metavar="[IDS]...", help="Tasks; all without any.", show_default=False)
]
TaskId: TypeAlias = Annotated[str, typer.Argument(metavar="TASK", help="The task's id.", show_default=False)]
Labels: TypeAlias = Annotated[
    list[str] | None, typer.Option("--label", "-l", metavar="LABEL", help="Only tasks with this label (repeatable).")
]
Phases: TypeAlias = Annotated[
    list[str] | None, typer.Option("--phase", metavar="PHASE", help="Only tasks of this phase (repeatable).")
]
Priorities: TypeAlias = Annotated[
    list[Priority] | None,
    typer.Option("--priority", case_sensitive=False, help="Only tasks of this priority (repeatable)."),
]
AtOnce: TypeAlias = Annotated[
    int | None,
    typer.Option(
        "--max-concurrent",
        "-j",
        metavar="N",
        parser=whole_number("--max-concurrent", 1, MOST_AT_ONCE),
        help="How many tasks run at once (default: the project's setting, 3).",
    ),
]
AgentName: TypeAlias = Annotated[
    str | None, typer.Option("--agent", "-a", metavar="AGENT", help="Have this agent do it, whatever the task says.")
]
Force: TypeAlias = Annotated[bool, typer.Option("--force", help="Run what is done already, too.")]
Events: TypeAlias = Annotated[bool, typer.Option("--events", help="Print every event as a line of JSON.")]
ModeName: TypeAlias = Annotated[
    Mode | None, typer.Option("--mode", case_sensitive=False, help="How it is to be done, whatever the task says.")
]
RunOption: TypeAlias = Annotated[
    str | None, typer.Option("--run", "-r", metavar="RUN", help="The run (default: the newest).", show_default=False)
]
RunArgument: TypeAlias = Annotated[
    str | None, typer.Argument(metavar="[RUN]", help="The run; without it, the newest.", show_default=False)
]
By: TypeAlias = Annotated[str, typer.Option("--by", metavar="NAME", help="Who says so.", show_default=False)]


def selection_of(
    ids: list[str] | None, labels: list[str] | None, phases: list[str] | None, priorities: list[Priority] | None
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


def refuse_both(first: str, second: str, *, both: bool) -> None:
    """Refuse two options that exclude each other.

    Raises:
        UsageError: both were given.
    """
    if both:
        raise UsageError(f"{first} and {second} exclude each other", hint="give one of them")
