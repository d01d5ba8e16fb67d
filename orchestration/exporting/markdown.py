"""The report of a run in Markdown: what ran, how each task ended and why, its checks, usage and logs.

Text of agents and tasks is untrusted: in tables it is escaped, longer text stands in fences that it cannot close.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from orchestration.exporting.palette import one_line
from orchestration.exporting.spent import legs_of, spent_in
from orchestration.kinds import ExecutionStatus
from orchestration.results import ExecutionResult, RunResult

CELL_CHARACTERS: Final = 200
EVIDENCE_CHARACTERS: Final = 4000

_MARKUP: Final = re.compile(r"([\\`*_\[\]<>|#&~])")
_CONTROL: Final = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_TICKS: Final = re.compile(r"`+")


def markdown(run: RunResult) -> str:
    """The report, ending in a newline."""
    return "\n".join([*_head(run), "", *_table(run), *_details(run)]) + "\n"


def _head(run: RunResult) -> Iterator[str]:
    counts = ", ".join(f"{number} {status}" for status, number in run.counts.items()) or "no tasks"
    yield f"# Run {_escaped(run.run_id)}: {run.status.value}"
    yield ""
    if run.reason:
        yield f"- Reason: {_escaped(run.reason)}"
    yield f"- Tasks: {counts}"
    yield f"- Started: {_time(run.started_at)}"
    yield f"- Ended: {_time(run.completed_at)}"
    time = "Time" if run.completed_at else "Time up to its last event"
    yield (
        f"- {time}: {run.wall_seconds:.1f} s; work {run.step_seconds:.1f} s; "
        f"critical path {run.critical_path_seconds:.1f} s"
    )
    if spent := spent_in(run.results):
        yield f"- Usage: {_escaped(str(spent))}"
    if changed := {str(path) for result in run.results for path in result.metadata.get("changed_files", ())}:
        yield f"- Changed files: {len(changed)}"


def _time(at: object) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC" if at else "not yet"


def _table(run: RunResult) -> Iterator[str]:
    """A row for each task and for each of its parts; what nobody has anything to say about has no column."""
    rows = [[column(result) for _, _, column in COLUMNS] for result in _with_legs(run.results)]
    shown = [i for i, (_, kept, _) in enumerate(COLUMNS) if kept or any(row[i] for row in rows)]
    yield f"| {' | '.join(COLUMNS[i][0] for i in shown)} |"
    yield f"| {' | '.join('---:' if COLUMNS[i][0] in NUMBERS else '---' for i in shown)} |"
    for row in rows:
        yield f"| {' | '.join(_escaped(one_line(row[i])[:CELL_CHARACTERS]) for i in shown)} |"


def _with_legs(results: Iterable[ExecutionResult]) -> Iterator[ExecutionResult]:
    for result in results:
        yield result
        yield from _with_legs(legs_of(result))


def _checks(result: ExecutionResult) -> str:
    passed = sum(check.passed for check in result.checks)
    return f"{passed} of {len(result.checks)} passed" if result.checks else ""


def _used(result: ExecutionResult) -> str:
    spent = spent_in([result])
    return str(spent) if spent else ""


def why(result: ExecutionResult) -> str:
    """Why a task is in its state: the kind of failure with the first line of its error, or else the reason."""
    kind = result.failure.value if result.failure else ""
    said = next(iter((result.error or "").strip().splitlines()), "").rstrip(":") if kind else ""
    if not said:
        adopted = result.metadata.get("adopted_from")
        said = (result.reason or (f"done in run {adopted}" if adopted else "")).removeprefix(f"{kind}: ")
    return f"{kind}: {said}" if kind and said not in ("", kind) else kind or said


def _details(run: RunResult) -> Iterator[str]:
    """A section for each task that did not succeed or had failed attempts or checks."""
    for result in _with_legs(run.results):
        if not _is_worth_details(result):
            continue
        yield from ("", f"## {_escaped(result.task_id)}: {result.status.value}")
        if result.error:
            yield from ("", *_fenced(result.error))
        for check in result.checks:
            state = "passed" if check.passed else "failed"
            code = f", exit code {check.exit_code}" if check.exit_code is not None else ""
            yield from ("", f"- {check.kind} {state}{code}: {_escaped(one_line(check.name))}")
            if not check.passed and check.log.strip():
                yield from ("", *_fenced(check.log))
        for attempt in result.attempts:
            ended = attempt.outcome.failure.value if attempt.outcome.failure else attempt.status.value
            log = f", log {_escaped(attempt.outcome.log_path)}" if attempt.outcome.log_path else ""
            took = "" if attempt.took is None else f" after {attempt.took:.1f} s"
            yield from ("", f"- attempt {attempt.number}: {ended}{took}{log}")


def _is_worth_details(result: ExecutionResult) -> bool:
    unsuccessful = {ExecutionStatus.FAILED, ExecutionStatus.NEEDS_INPUT, ExecutionStatus.CANCELLED}
    failed_before = any(attempt.outcome.failure for attempt in result.attempts)
    return result.status in unsuccessful or failed_before or any(not check.passed for check in result.checks)


def _fenced(text: str) -> Iterator[str]:
    """The end of the text, between fences longer than any run of backticks in it."""
    shown = _CONTROL.sub("", text.replace("\r\n", "\n").replace("\r", "\n").strip())[-EVIDENCE_CHARACTERS:]
    fence = "`" * max(3, 1 + max(map(len, _TICKS.findall(shown)), default=0))
    yield from (f"{fence}text", shown, fence)


def _escaped(text: str) -> str:
    return _MARKUP.sub(r"\\\1", one_line(text))


NUMBERS: Final = frozenset({"Attempts", "Seconds", "Files"})

COLUMNS: Final[tuple[tuple[str, bool, Callable[[ExecutionResult], str]], ...]] = (
    ("Task", True, lambda result: result.task_id),
    ("Outcome", True, lambda result: result.status.value),
    ("Why", True, why),
    ("Agent", True, lambda result: result.agent or ""),
    ("Attempts", True, lambda result: str(len(result.attempts))),
    ("Seconds", True, lambda result: f"{result.duration_seconds:.1f}"),
    ("Checks", True, _checks),
    ("Files", False, lambda result: str(len(result.metadata.get("changed_files", ())) or "")),
    ("Usage", False, _used),
    ("Log", True, lambda result: result.log_path or ""),
)
"""Title, whether the column is there also when it is empty, and what stands in it."""
