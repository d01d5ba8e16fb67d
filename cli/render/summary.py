"""The end of a run in words: a summary for people, and the one line that says what went wrong and what to do."""

from collections.abc import Iterator
from typing import Final

from cli.render.clean import clean_line
from cli.render.lines import how_to_answer
from cli.render.words import RUN_COLOURS, STATUS_COLOURS, STATUS_WORDS, count, counted, duration, listed, painted
from orchestration.exporting.markdown import why
from orchestration.kinds import ExecutionStatus, RunStatus
from orchestration.results import ExecutionResult, RunResult

SHOWN_PROBLEMS: Final = 20
SHOWN_IDS: Final = 3
BY_NAME: Final = "cancelled"
VERB_CELLS: Final = 11

_OPEN: Final = (
    ExecutionStatus.FAILED,
    ExecutionStatus.BLOCKED,
    ExecutionStatus.CANCELLED,
    ExecutionStatus.NEEDS_INPUT,
    ExecutionStatus.IN_PROGRESS,
    ExecutionStatus.PENDING,
)


def run_summary(run: RunResult, started: int, colour: bool = False) -> str:
    """What came of a run; `started` is how many attempts began in it this time."""
    if not run.results:
        return "nothing to do: no task is selected"
    if run.succeeded and not started:
        return f"nothing to do: {_all_done(run)}"
    reason = f" ({clean_line(run.reason)})" if run.reason else ""
    status = painted(run.status.value, RUN_COLOURS[run.status], colour)
    head = f"run {run.run_id}: {status}{reason} after {duration(run.wall_seconds)}; {counted(run.counts)}"
    open_results = [result for status in _OPEN for result in run.results if result.status is status]
    lines = [_result_line(result, colour) for result in open_results[:SHOWN_PROBLEMS]]
    if len(open_results) > SHOWN_PROBLEMS:
        lines.append(f"  and {len(open_results) - SHOWN_PROBLEMS} more: orch status")
    return "\n".join([head, *lines])


def _all_done(run: RunResult) -> str:
    return f"all {len(run.results)} tasks are done" if len(run.results) > 1 else f"{run.results[0].task_id} is done"


def task_summary(result: ExecutionResult, colour: bool = False) -> str:
    """What came of a single task."""
    if result.succeeded and "adopted_from" in result.metadata:
        return f"nothing to do: {result.task_id} is done since run {result.metadata['adopted_from']}"
    return _result_line(result, colour).strip()


def _result_line(result: ExecutionResult, colour: bool) -> str:
    word = painted(f"{STATUS_WORDS[result.status]:<{VERB_CELLS}}", STATUS_COLOURS.get(result.status), colour)
    if result.succeeded:
        return f"  {word} {result.task_id}  in {duration(result.duration_seconds)}"
    asks = result.status is ExecutionStatus.NEEDS_INPUT
    said = how_to_answer(result.task_id, result.reason) if asks else clean_line(why(result))
    log = f"  [{clean_line(result.log_path)}]" if result.log_path and result.failure else ""
    return f"  {word} {result.task_id}  {said}{log}".rstrip()


def problem_of_run(run: RunResult, started: int) -> str:
    """What went wrong with a run, and what to do: one line."""
    return "; ".join(_problem_parts(run, started))


def _problem_parts(run: RunResult, started: int) -> Iterator[str]:
    by_status = {
        status: [result.task_id for result in run.results if result.status is status] for status in ExecutionStatus
    }
    failed, blocked = by_status[ExecutionStatus.FAILED], by_status[ExecutionStatus.BLOCKED]
    cancelled, asked = by_status[ExecutionStatus.CANCELLED], by_status[ExecutionStatus.NEEDS_INPUT]
    by_name = [task_id for task_id in cancelled if run.by_id[task_id].reason == BY_NAME]
    if run.reason and run.status is not RunStatus.PAUSED:
        yield f"the run ended early: {clean_line(run.reason)}"
    elif not started:
        yield "nothing could start"
    for ids, word in ((failed, "failed"), (blocked, "blocked"), (cancelled, "cancelled")):
        if ids:
            yield f"{count(len(ids), 'task')} {word} ({listed(ids, 3)})"
    if asked:
        yield f"{count(len(asked), 'task')} waiting for a person ({listed(asked, 3)})"
    yield _remedy(failed, blocked, cancelled, by_name, asked)


def _remedy(failed: list[str], blocked: list[str], cancelled: list[str], by_name: list[str], asked: list[str]) -> str:
    """What to do; tasks that were cut off with their run, or had not begun, need nothing but the same command."""
    if failed:
        return f"see: orch why {failed[0]}; then: orch retry --failed"
    if by_name:
        ids = " ".join(by_name) if len(by_name) <= SHOWN_IDS else "--failed"
        return f"to go on: orch retry {ids}, then orch run-batch"
    if cancelled:
        return "to go on: orch run-batch"
    if blocked:
        return f"see: orch why {blocked[0]}"
    return f"then: orch complete {asked[0]}" if asked else "to go on: orch run-batch"


def problem_of_task(result: ExecutionResult) -> str:
    """What went wrong with a single task, and what to do: one line."""
    if result.status is ExecutionStatus.NEEDS_INPUT:
        return f"{result.task_id} waits for a person; {how_to_answer(result.task_id, result.reason)}"
    said = clean_line(why(result))
    state = STATUS_WORDS[result.status]
    return f"{result.task_id} is {state}{f' ({said})' if said else ''}; see: orch why {result.task_id}"
