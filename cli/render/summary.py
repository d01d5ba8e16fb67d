"""The end of a run in words: a summary for people, and the one line that says what went wrong and what to do."""

from collections.abc import Iterator, Sequence
from typing import Final

from cli.render.clean import clean_line
from cli.render.lines import how_to_answer
from cli.render.words import RUN_COLOURS, STATUS_COLOURS, STATUS_WORDS, count, counted, duration, listed, painted
from orchestration.exporting.markdown import why
from orchestration.exporting.spent import legs_of, spent_in
from orchestration.kinds import ExecutionStatus, Failure, RunStatus
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
    lines = [
        line for result in open_results[:SHOWN_PROBLEMS] for line in (_result_line(result, colour), *_legs(result))
    ]
    if len(open_results) > SHOWN_PROBLEMS:
        lines.append(f"  and {len(open_results) - SHOWN_PROBLEMS} more: orch status")
    used = _used_and_changed(run.results)
    return "\n".join([head, *([f"  {used}"] if used else []), *lines])


def _all_done(run: RunResult) -> str:
    if len(run.results) == 1:
        return f"{run.results[0].task_id} is {STATUS_WORDS[run.results[0].status]}"
    skipped = run.counts.get(ExecutionStatus.SKIPPED.value, 0)
    if not skipped:
        return f"all {len(run.results)} tasks are done"
    return f"all {len(run.results)} tasks are done or skipped ({skipped} skipped)"


def task_summary(result: ExecutionResult, colour: bool = False) -> str:
    """What came of a single task."""
    if result.succeeded and "adopted_from" in result.metadata:
        return f"nothing to do: {result.task_id} is done since run {result.metadata['adopted_from']}"
    used = _used_and_changed([result])
    return "\n".join([_result_line(result, colour).strip(), *_legs(result), *([f"  {used}"] if used else [])])


def _used_and_changed(results: Sequence[ExecutionResult]) -> str:
    """What attempts used of models, and how many files they changed; empty where nobody said anything of that."""
    spent = spent_in(results)
    changed = {str(path) for result in results for path in result.metadata.get("changed_files", ())}
    parts = [f"used {spent}"] if spent else []
    if changed:
        parts.append(f"{count(len(changed), 'file')} changed")
    return "; ".join(parts)


def _legs(result: ExecutionResult) -> list[str]:
    """The parts of a task, a line for each."""
    lines = []
    for leg in legs_of(result):
        took = f" in {duration(leg.duration_seconds)}" if leg.succeeded else ""
        said = clean_line(why(leg)) if not leg.succeeded else ""
        by = f", {leg.agent}" if leg.agent else ""
        lines.append(f"    {leg.task_id}  {STATUS_WORDS[leg.status]}{took}{by}  {said}".rstrip())
    return lines


def _result_line(result: ExecutionResult, colour: bool) -> str:
    word = painted(f"{STATUS_WORDS[result.status]:<{VERB_CELLS}}", STATUS_COLOURS.get(result.status), colour)
    if result.succeeded:
        is_measured = not result.attempts or result.attempts[-1].took is not None
        took = f"in {duration(result.duration_seconds)}" if is_measured else ""
        return f"  {word} {result.task_id}  {took}".rstrip()
    asks = result.status is ExecutionStatus.NEEDS_INPUT
    said = how_to_answer(result.task_id, result.reason) if asks else clean_line(why(result))
    log = f"  [{clean_line(result.log_path)}]" if result.log_path and result.failure else ""
    return f"  {word} {result.task_id}  {said}{log}".rstrip()


def problem_of_run(run: RunResult, started: int) -> str:
    """What went wrong with a run, and what to do: one line."""
    return "; ".join(_problem_parts(run, started))


def problem_of_steps(run: RunResult) -> str:
    """What went wrong with a run of a pipeline or flow, and what to do: one line."""
    words = {
        ExecutionStatus.FAILED: "failed",
        ExecutionStatus.BLOCKED: "blocked",
        ExecutionStatus.CANCELLED: "cancelled",
    }
    around = _made_of_others(run)
    inner = [result for result in run.results if result.task_id not in around]
    ids = {word: [result.task_id for result in inner if result.status is status] for status, word in words.items()}
    parts = [f"the run ended early: {clean_line(run.reason)}"] if run.reason else []
    parts += [f"{count(len(found), 'step')} {word} ({listed(found, 3)})" for word, found in ids.items() if found]
    failed = [result for result in inner if result.status is ExecutionStatus.FAILED]
    if failed:
        parts.append(clean_line(why(failed[0])))
    elif run.status is RunStatus.PAUSED:
        parts.append("to go on: the same command again")
    return "; ".join(parts)


def _made_of_others(run: RunResult) -> set[str]:
    """The steps that are made of others, whose failures say more than their own."""
    found: set[str] = set()
    for result in run.results:
        path = result.task_id
        while (end := max(path.rfind("/"), path.rfind("["))) > 0 and (path := path[:end]) not in found:
            found.add(path)
    return found


def _problem_parts(run: RunResult, started: int) -> Iterator[str]:
    by_status = {
        status: [result.task_id for result in run.results if result.status is status] for status in ExecutionStatus
    }
    failed, blocked = by_status[ExecutionStatus.FAILED], by_status[ExecutionStatus.BLOCKED]
    cancelled, asking = by_status[ExecutionStatus.CANCELLED], _asking(run)
    known = run.by_id
    by_name = [task_id for task_id in cancelled if known[task_id].reason == BY_NAME]
    if run.reason and run.status is not RunStatus.PAUSED:
        yield f"the run ended early: {clean_line(run.reason)}"
    elif not started:
        yield "nothing could start"
    for ids, word in ((failed, "failed"), (blocked, "blocked"), (cancelled, "cancelled")):
        if ids:
            yield f"{count(len(ids), 'task')} {word} ({listed(ids, 3)})"
    if asking:
        asked = [one.task_id for one in asking]
        yield f"{count(len(asked), 'task')} waiting for a person ({listed(asked, 3)})"
    limited = [result.task_id for result in run.results if _waits_for_limit(result)]
    if limited:
        yield f"{count(len(limited), 'task')} waiting for an account that has reached its limit ({listed(limited, 3)})"
    if asking and not (failed or by_name or cancelled or blocked):
        yield f"then: {how_to_answer(asking[0].task_id, asking[0].reason, short=True)}"
    else:
        yield _remedy(failed, blocked, cancelled, by_name, limited)


def _asking(run: RunResult) -> list[ExecutionResult]:
    """The tasks that wait for a person, and the parts of tasks."""
    every = (one for result in run.results for one in (result, *legs_of(result)))
    return [one for one in every if one.status is ExecutionStatus.NEEDS_INPUT]


def _waits_for_limit(result: ExecutionResult) -> bool:
    return result.status is ExecutionStatus.IN_PROGRESS and result.failure is Failure.RATE_LIMITED


def _remedy(failed: list[str], blocked: list[str], cancelled: list[str], by_name: list[str], limited: list[str]) -> str:
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
    return "to go on when it works again: orch run-batch" if limited else "to go on: orch run-batch"


def problem_of_task(result: ExecutionResult) -> str:
    """What went wrong with a single task, and what to do: one line."""
    if result.status is ExecutionStatus.NEEDS_INPUT:
        return f"{result.task_id} waits for a person; {how_to_answer(result.task_id, result.reason)}"
    said = clean_line(why(result))
    state = STATUS_WORDS[result.status]
    return f"{result.task_id} is {state}{f' ({said})' if said else ''}; see: orch why {result.task_id}"
