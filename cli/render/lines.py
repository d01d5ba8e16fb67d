"""Events → plain lines for people: what started, ended, waits, and why. No terminal, no clock."""

from datetime import datetime
from typing import Final

from cli.render.clean import clean, clean_line
from cli.render.words import duration, listed, painted
from orchestration import events
from orchestration.kinds import ExecutionStatus
from orchestration.records import dataclass
from orchestration.results import Outcome

VERB_CELLS: Final = 9
EVIDENCE_LINES: Final = 8
EVIDENCE_COLUMNS: Final = 500
"""A line of evidence is cut here: an agent may print megabytes without a newline."""

FOR_APPROVAL: Final = frozenset({"waits for approval", "its result waits for approval"})
"""Reasons of questions that are answered by yes or no."""


@dataclass(frozen=True, slots=True)
class Line:
    """What happened to one task: a verb of ours, the task, the rest in words; `evidence` are lines of its output.

    Parts of a task (`TASK/leg-1`) are indented; what is about no task has something else in the task's place.
    """

    verb: str
    task_id: str
    text: str = ""
    colour: str | None = None
    evidence: tuple[str, ...] = ()
    problem: bool = False

    def show(self, colour: bool = False) -> str:
        """The line, its evidence indented below it."""
        return f"{painted(self.head, self.colour, colour)} {self.rest}"

    @property
    def head(self) -> str:
        """The verb, as wide as all verbs are."""
        return f"{self.verb:<{VERB_CELLS}}"

    @property
    def rest(self) -> str:
        """What follows the verb."""
        first = f"{'  ' * self.task_id.count('/')}{self.task_id}  {clean_line(self.text)}".rstrip()
        return "\n".join([first, *(f"    | {line}" for line in self.evidence)])


def line_of(event: events.Event | events.TaskChunk, tail: str = "") -> Line | None:  # noqa: C901, PLR0911, PLR0912  # a table
    """The line for an event, None for what needs none; `tail` is the end of the task's output so far."""
    match event:
        case events.TaskStarted():
            again = f", attempt {event.attempt}" if (event.attempt or 1) > 1 else ""
            return Line("started", event.task_id, f"{event.agent or ''}{again}", "cyan")
        case events.TaskCompleted():
            took = "" if event.attempt is None else f"in {duration(event.duration_seconds)}"
            return Line("done", event.task_id, took, "green")
        case events.TaskError():
            return _failed(event, tail)
        case events.RetryScheduled():
            return Line("retry", event.task_id, _retry(event), "yellow")
        case events.TaskNeedsInput():
            return Line("needs you", event.task_id, how_to_answer(event.task_id, event.reason), "magenta")
        case events.TaskSkipped():
            return Line("skipped", event.task_id, event.reason)
        case events.TaskBlocked():
            return Line("blocked", event.task_id, event.reason or f"by {listed(event.by)}", "yellow", problem=True)
        case events.TaskCancelled():
            return Line("cancelled", event.task_id, event.cause or event.reason, "yellow", problem=True)
        case events.AttemptInterrupted():
            return Line("lost", event.task_id, f"orch ended while attempt {event.attempt} ran", "yellow")
        case events.TaskAdopted() if event.status is not ExecutionStatus.SUCCESS:
            return Line("stays", event.task_id, _standing(event), "yellow", problem=True)
        case events.TaskInputGiven():
            by = f" by {event.by}" if event.by else ""
            return Line("answered", event.task_id, f"{event.action}{by}")
        case events.TaskExpanded():
            return Line("expands", event.task_id, _parts(event), "cyan")
        case events.AccountPaused():
            return Line("paused", f"account {clean_line(event.account)}", _pause(event), "yellow")
        case events.LimitsChanged():
            limit = "no limit any more" if event.limit is None else f"at most {event.limit} at once"
            return Line("limit", clean_line(event.limit_name), f"{limit}: {event.reason}")
        case _:
            return None


def how_to_answer(task_id: str, reason: str | None = None, *, short: bool = False) -> str:
    """What a person types when the task is done, or cannot be, or may start, or is good; `short` only the first."""
    if short:
        return f"orch {'approve' if reason in FOR_APPROVAL else 'complete'} {task_id}"
    if reason in FOR_APPROVAL:
        return f"orch approve {task_id}, or orch reject {task_id}"
    return f"when it is done: orch complete {task_id}; if not: orch fail {task_id} --reason TEXT"


def why_failed(outcome: Outcome) -> str:
    """The kind of a failure and what its error says first."""
    kind = outcome.failure.value if outcome.failure else "failed"
    said = next(iter(clean(outcome.error or "").strip().splitlines()), "").rstrip(":")
    checks = listed(clean_line(check.name) for check in outcome.checks if not check.passed)
    if said or not checks:
        return f"{kind}: {said}" if said else kind
    return f"{kind}: {checks}"


def evidence_of(outcome: Outcome, tail: str) -> tuple[str, ...]:
    """The last lines that say what went wrong: the rest of the error, else a failed check's log, else the output."""
    _, _, rest = (outcome.error or "").strip().partition("\n")
    log = next((check.log for check in outcome.checks if not check.passed and check.log.strip()), "")
    return last_lines(rest) or last_lines(log) or last_lines(tail)


def last_lines(text: str, most: int = EVIDENCE_LINES) -> tuple[str, ...]:
    """The last lines with something on them."""
    lines = [line.rstrip() for line in clean(text).split("\n") if line.strip()]
    return tuple(line[:EVIDENCE_COLUMNS] for line in lines[-most:])


def _failed(event: events.TaskError, tail: str) -> Line:
    text = why_failed(event.outcome)
    if event.attempt is not None:
        text += f" (after {duration(event.duration_seconds)}, attempt {event.attempt})"
    if not event.final:
        return Line("failed", event.task_id, f"{text}; it will be tried again", "yellow")
    return Line("failed", event.task_id, text, "red", evidence_of(event.outcome, tail), problem=True)


def _retry(event: events.RetryScheduled) -> str:
    return f"in {duration(seconds_until(event.due_at, event.at))}" if event.due_at else "at once"


def _parts(event: events.TaskExpanded) -> str:
    """How the task becomes several, and who does each."""
    shown = (f"{str(item.get('id', '')).rpartition('/')[2]} {item.get('agent') or 'a command'}" for item in event.items)
    return f"{event.template or 'parts'}: {listed(shown, 6)}"


def _pause(event: events.AccountPaused) -> str:
    if event.until is None:
        return event.reason
    return f"for {duration(seconds_until(event.until, event.at))}: {event.reason}"


def seconds_until(due_at: datetime, now: datetime) -> float:
    """How long it is until then; zero when it has passed."""
    return max(0.0, (due_at - now).total_seconds())


def _standing(event: events.TaskAdopted) -> str:
    why = event.failure.value if event.failure else event.reason
    return f"{event.status.value}{f' ({why})' if why else ''} since run {event.from_run}; orch retry {event.task_id}"
