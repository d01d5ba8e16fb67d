"""Small things said the same way everywhere: durations, counts, lists, states, colours."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

from orchestration.kinds import ExecutionStatus, RunStatus

SHORT: Final = 10.0
MINUTE: Final = 60.0
HOUR: Final = 3600.0
SHOWN_IDS: Final = 5

STATUS_WORDS: Final[Mapping[str, str]] = {
    ExecutionStatus.PENDING: "pending",
    ExecutionStatus.IN_PROGRESS: "in progress",
    ExecutionStatus.NEEDS_INPUT: "needs input",
    ExecutionStatus.SUCCESS: "done",
    ExecutionStatus.FAILED: "failed",
    ExecutionStatus.CANCELLED: "cancelled",
    ExecutionStatus.SKIPPED: "skipped",
    ExecutionStatus.BLOCKED: "blocked",
}

STATUS_COLOURS: Final[Mapping[str, str]] = {
    ExecutionStatus.IN_PROGRESS: "cyan",
    ExecutionStatus.NEEDS_INPUT: "magenta",
    ExecutionStatus.SUCCESS: "green",
    ExecutionStatus.FAILED: "red",
    ExecutionStatus.CANCELLED: "yellow",
    ExecutionStatus.BLOCKED: "yellow",
}

RUN_COLOURS: Final[Mapping[str, str]] = {
    RunStatus.RUNNING: "cyan",
    RunStatus.PAUSED: "magenta",
    RunStatus.SUCCESS: "green",
    RunStatus.FAILED: "red",
    RunStatus.CANCELLED: "yellow",
}

_CODES: Final[Mapping[str, str]] = {
    "bold": "1",
    "dim": "2",
    "red": "31",
    "green": "32",
    "yellow": "33",
    "magenta": "35",
    "cyan": "36",
}


def painted(text: str, colour: str | None, on: bool) -> str:
    """The text in a colour, where colours are wanted."""
    return f"\x1b[{_CODES[colour]}m{text}\x1b[0m" if on and colour and text else text


def duration(seconds: float) -> str:
    """A duration in the largest fitting units: `0.4s`, `12s`, `3m 05s`, `2h 04m`."""
    seconds = max(0.0, seconds)
    if seconds < SHORT - 0.05:
        return f"{seconds:.1f}s"
    if seconds < MINUTE - 0.5:
        return f"{seconds:.0f}s"
    whole = round(seconds)
    if seconds < HOUR - 0.5:
        return f"{whole // 60}m {whole % 60:02d}s"
    return f"{whole // 3600}h {whole % 3600 // 60:02d}m"


def hours(value: float) -> str:
    """Hours as people write them: `1h`, `2.5h`."""
    return f"{value:.2f}".rstrip("0").rstrip(".") + "h"


def count(number: int, noun: str, plural: str | None = None) -> str:
    """`1 task`, `2 tasks`."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def listed(ids: Iterable[str], shown: int = SHOWN_IDS) -> str:
    """Ids in a row, only the first few where there are many."""
    every = list(ids)
    more = f" and {len(every) - shown} more" if len(every) > shown else ""
    return ", ".join(every[:shown]) + more


def counted(counts: Mapping[str, int]) -> str:
    """How many tasks are in each state, in the order of `ExecutionStatus`, with the good news first."""
    order = [ExecutionStatus.SUCCESS, *(status for status in ExecutionStatus if status is not ExecutionStatus.SUCCESS)]
    return ", ".join(f"{counts[status]} {STATUS_WORDS[status]}" for status in order if counts.get(status)) or "no tasks"


def moment(at: datetime | None) -> str:
    """A time in this machine's zone, to the second; a dash where there is none."""
    return at.astimezone().strftime("%Y-%m-%d %H:%M:%S") if at else "-"
