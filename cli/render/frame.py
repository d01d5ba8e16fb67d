"""One picture of a run for a terminal of a given size: pure, from `Progress` to lines of styled text."""

from collections.abc import Iterator
from typing import Final

from cli.render.clean import cells, clean_line, clip, clip_middle, pad
from cli.render.progress import Progress, Running
from cli.render.words import duration
from orchestration.kinds import ExecutionStatus
from orchestration.records import dataclass

MARGIN: Final = 1
"""Cells left free at the right: many terminals wrap when the last cell is written."""

SPARE_ROWS: Final = 3
"""Rows that the board leaves to what is printed above it."""

MAX_ROWS: Final = 50
LONGEST_ID: Final = 24
LONGEST_AGENT: Final = 14
NARROW: Final = 60
"""Below this width the agent is left out, in favour of what the task printed."""


@dataclass(frozen=True, slots=True)
class Span:
    """Text in one style (a name that the terminal's palette knows)."""

    text: str
    style: str = ""


FrameLine = list[Span]


def frame(progress: Progress, now: float, columns: int, rows: int) -> list[FrameLine]:
    """The lines to show: a row for each task at work, retry that waits and paused account, and the counts."""
    width = max(1, columns - MARGIN)
    room = max(0, min(MAX_ROWS, rows - SPARE_ROWS - 1))
    lines = [*_running(progress, now, width), *_retries(progress, now, width), *_pauses(progress, now, width)]
    if len(lines) > room:
        hidden = len(lines) - max(0, room - 1)
        lines = [*lines[: max(0, room - 1)], [Span(clip(f"  and {hidden} more", width), "dim")]][:room]
    return [*lines, _fitted(list(_counts(progress, now)), width)]


def _running(progress: Progress, now: float, width: int) -> Iterator[FrameLine]:
    every = progress.shown()
    shown = every[:MAX_ROWS]
    id_cells = max((min(LONGEST_ID, width // 3, cells(_name(task))) for task in shown), default=0)
    agent_cells = max((min(LONGEST_AGENT, cells(task.agent)) for task in shown), default=0) if width >= NARROW else 0
    for task in shown:
        line = [Span("> ", "cyan"), Span(pad(clip_middle(_name(task), id_cells), id_cells), "bold")]
        if agent_cells:
            line.append(Span("  " + pad(clip(task.agent, agent_cells), agent_cells), "dim"))
        line += [Span(f"  {duration(now - task.since):>7}"), Span(f"  {task.last_line}", "dim")]
        yield _fitted(line, width)
    for _ in range(len(every) - len(shown)):
        yield []


def _name(task: Running) -> str:
    """Its id; a part has only its own name, indented below its task."""
    return "  " * task.depth + task.task_id.rpartition("/")[2]


def _retries(progress: Progress, now: float, width: int) -> Iterator[FrameLine]:
    for task_id, due in sorted(progress.due.items(), key=lambda item: item[1]):
        yield _fitted([Span("~ ", "yellow"), Span(task_id), Span(f"  again in {duration(due - now)}", "yellow")], width)


def _pauses(progress: Progress, now: float, width: int) -> Iterator[FrameLine]:
    """Accounts that have reached their limit, with what is left of the time."""
    for account, until in sorted(progress.paused.items(), key=lambda item: item[1]):
        if until > now:
            words = f"account {clean_line(account)} paused"
            yield _fitted([Span("~ ", "yellow"), Span(words), Span(f", {duration(until - now)} left", "yellow")], width)


def _counts(progress: Progress, now: float) -> Iterator[Span]:
    done = progress.number(ExecutionStatus.SUCCESS, ExecutionStatus.SKIPPED)
    yield Span(f"{done}/{progress.total} done", "bold")
    if failed := progress.number(ExecutionStatus.FAILED):
        yield Span(f", {failed} failed", "red")
    if stuck := progress.number(ExecutionStatus.BLOCKED, ExecutionStatus.CANCELLED):
        yield Span(f", {stuck} blocked or cancelled", "yellow")
    if progress.asked:
        yield Span(f", {len(progress.asked)} waiting for a person", "magenta")
    if progress.due:
        soonest = duration(min(progress.due.values()) - now)
        yield Span(f", {len(progress.due)} to retry (in {soonest})", "yellow")
    yield Span(f", {len(progress.running)} running")
    left = progress.seconds_left(now)
    if left is not None and (progress.running or progress.due):
        yield Span(f", about {duration(left)} left", "dim")
    if spent := progress.spent:
        yield Span(f", {spent.short}", "dim")


def _fitted(line: FrameLine, width: int) -> FrameLine:
    """The line cut to the width; what has no room at all is left out."""
    fitted: FrameLine = []
    for span in line:
        text = clip(span.text, width)
        width -= cells(text)
        fitted.append(Span(text, span.style))
        if text != span.text:
            break
    return fitted
