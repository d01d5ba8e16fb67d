"""Options that several commands share, and what their values have to be."""

import re
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

import typer

from orchestration.errors import UsageError
from orchestration.kinds import Priority

if TYPE_CHECKING:
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


def refuse_both(first: str, second: str, *, both: bool) -> None:
    """Refuse two options that exclude each other.

    Raises:
        UsageError: both were given.
    """
    if both:
        raise UsageError(f"{first} and {second} exclude each other", hint="give one of them")
