"""What other runs have done since a run rests, taken over by it before it goes on or is cancelled.

What was done elsewhere is done. What failed there, or was cancelled by name, stays so until somebody asks for another
try: it counts where it is later than all that this run knows of the task. And what somebody asked for since, in another
run, is asked for here too. Edges survived: attempts that the run's last life left open, which end as interrupted, and
`on_crash` has no say in it; a person who was asked, or parts that were at work, when the task ended elsewhere; forced
runs, which do again what was done before them; and a second look, which needs no clock to know what is new.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from orchestration.events import (
    BY_ORCH,
    AttemptEnd,
    AttemptInterrupted,
    RunResumed,
    TaskAdopted,
    TaskCancelled,
    TaskCompleted,
    TaskError,
    TaskInputGiven,
)
from orchestration.executor import LiveRun
from orchestration.kinds import ExecutionStatus, Failure, OnCrash
from orchestration.orchestrator.standings import adoption, is_kept, is_new, is_satisfied, seen_in
from orchestration.plan import FINAL, State
from orchestration.protocols import RunRecord, RunStore, Standing
from orchestration.records import dataclass
from orchestration.results import ADOPTED_FROM, Outcome
from orchestration.scheduler import CANCELLED

_ENDED_BADLY = frozenset({State.FAILED, State.CANCELLED})


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """What a run that rests is to be told of others.

    Attributes:
        standings: of its tasks.
        later: the runs that were opened after it.
        before: the standings that it was told of already, where this is a second look.
        again: tasks whose failure elsewhere is not kept.
        seen: what it knew of others when it last went on, None where it did not say so.
    """

    standings: Mapping[str, Standing]
    later: frozenset[str]
    before: Mapping[str, Standing] | None = None
    again: frozenset[str] = frozenset()
    seen: Mapping[str, int] | None = None


async def look_elsewhere(
    store: RunStore,
    record: RunRecord,
    run: LiveRun,
    standings: Mapping[str, Standing],
    again: frozenset[str] = frozenset(),
) -> Elsewhere:
    """What others have done of the tasks of a replayed run, before it goes on; `standings` says how these stand."""
    newest_first = [other.run_id for other in await store.runs()]
    later = frozenset(newest_first[: newest_first.index(record.run_id)])
    return Elsewhere(standings, later, again=again, seen=run.ledger.seen)


def resume(run: LiveRun, elsewhere: Elsewhere, max_concurrent: int | None = None, *, fail_fast: bool = False) -> None:
    """Let a replayed run be one that goes on, and say what it knows of others from now on."""
    seen = seen_in(elsewhere.standings)
    run.recorder.emit(RunResumed, max_concurrent=max_concurrent, fail_fast=fail_fast, seen=seen)


def take_up(run: LiveRun, elsewhere: Elsewhere) -> None:
    """Let a replayed and resumed run go on: first what others have done, then what its own last life left open."""
    retried = [
        task_id
        for task_id in run.ledger.tasks
        if run.plan.state_of(task_id) in _ENDED_BADLY and task_id not in elsewhere.standings
    ]
    reopen(run, retried, by=BY_ORCH, note="it was opened again elsewhere")
    if retried:
        _open_blocked(run, elsewhere)
    _take_over_all(run, elsewhere)
    run.scheduler.take_up()
    run.scheduler.settle()


def catch_up(run: LiveRun, elsewhere: Elsewhere) -> None:
    """Let a replayed run know what other runs have done, and leave the rest as it is."""
    _take_over_all(run, elsewhere)
    run.scheduler.settle()


def _take_over_all(run: LiveRun, elsewhere: Elsewhere) -> None:
    done = False
    for task_id in run.ledger.tasks:
        standing = elsewhere.standings.get(task_id)
        if standing is None or standing.run_id == run.run_id:
            continue
        if is_satisfied(standing):
            done = (_is_later(run, standing, elsewhere) and _take_over(run, standing)) or done
        elif is_kept(standing, reopen_failed=task_id in elsewhere.again) and _is_news(run, standing, elsewhere):
            _take_over(run, standing)
    if done:
        _open_blocked(run, elsewhere)


def _is_later(run: LiveRun, standing: Standing, elsewhere: Elsewhere) -> bool:
    """Whether a task was done elsewhere since this run began; what was done before, a forced run does again."""
    if run.ledger.seen_at_first is not None:
        return is_new(standing, run.ledger.seen_at_first)
    return standing.run_id in elsewhere.later or run.ledger.started_at is None or standing.at >= run.ledger.started_at


def _is_news(run: LiveRun, standing: Standing, elsewhere: Elsewhere) -> bool:
    """Whether the run has not ended the task, and another one has, since all that this one knows of it."""
    if run.plan.state_of(standing.task_id) in FINAL:
        return False
    if elsewhere.before is not None:
        known = elsewhere.before.get(standing.task_id)
        return known is None or (known.run_id, known.seq) != (standing.run_id, standing.seq)
    if elsewhere.seen is not None:
        return is_new(standing, elsewhere.seen)
    known_at = run.ledger.said_at(standing.task_id) or run.ledger.started_at
    return known_at is None or standing.at >= known_at


def _open_blocked(run: LiveRun, elsewhere: Elsewhere) -> None:
    """Look at what was blocked anew; what another run has tried since stays, as opening it would take that away."""
    standings = elsewhere.standings
    blocked = [
        task_id
        for task_id in run.plan.tasks_in(State.BLOCKED)
        if task_id not in standings or standings[task_id].run_id == run.run_id or not is_kept(standings[task_id])
    ]
    reopen(run, blocked, by=BY_ORCH, note="what it waits for was done elsewhere")


def _take_over(run: LiveRun, standing: Standing) -> bool:
    """Let a task have ended as in another run; False where it is done here."""
    task_id, state, emit = standing.task_id, run.plan.state_of(standing.task_id), run.recorder.emit
    attempt = run.plan.attempt_of(task_id)
    if state is State.RUNNING:
        _interrupt(run, task_id, attempt)
        emit(TaskAdopted, **adoption(standing))
    elif state in {State.WAITING, State.RETRYING}:
        emit(TaskAdopted, **adoption(standing))
    elif state is State.EXPANDED:
        _end_parts(run, standing)
        _end_as(run, standing, attempt)
    elif state is State.NEEDS_INPUT and (attempt is not None or not is_satisfied(standing)):
        if attempt is not None and is_satisfied(standing):
            emit(TaskInputGiven, task_id=task_id, attempt=attempt, action="complete", by=BY_ORCH, note=_note(standing))
        _end_as(run, standing, attempt)
    elif state in {State.FAILED, State.BLOCKED, State.CANCELLED, State.NEEDS_INPUT}:
        reopen(run, [task_id], by=BY_ORCH, note=_note(standing))
        emit(TaskAdopted, **adoption(standing))
    else:
        return False
    return True


def _note(standing: Standing) -> str:
    word = "done" if is_satisfied(standing) else standing.status.value
    return f"{word} in run {standing.run_id}"


def _interrupt(run: LiveRun, task_id: str, attempt: int | None) -> None:
    """An attempt that a dead owner left, and whose end no longer decides anything."""
    run.recorder.emit(
        AttemptInterrupted,
        task_id=task_id,
        attempt=attempt,
        agent=run.ledger.attempts_of(task_id)[-1].agent,
        outcome=Outcome(failure=Failure.INTERRUPTED, error="orch ended while the attempt ran"),
        then=OnCrash.RERUN,
    )


def _end_parts(run: LiveRun, standing: Standing) -> None:
    parts = [part for part in run.plan.parts_of(standing.task_id) if run.plan.state_of(part) not in FINAL]
    for part in reversed(parts):
        attempt, cause = run.plan.attempt_of(part), _note(standing)
        outcome = Outcome() if attempt is None else Outcome(failure=Failure.CANCELLED, error=cause)
        told = {"attempt": attempt, "reason": CANCELLED, "cause": cause, "outcome": outcome}
        run.recorder.emit(TaskCancelled, task_id=part, **told)


def _end_as(run: LiveRun, standing: Standing, attempt: int | None) -> None:
    """End an open attempt, or a wait for a person, as the task ended elsewhere."""
    event, emit, note = standing.event, run.recorder.emit, _note(standing)
    ending: dict[str, Any] = {"task_id": standing.task_id, "attempt": attempt, "agent": BY_ORCH}
    outcome = event.outcome if isinstance(event, AttemptEnd) else Outcome()
    if standing.status is ExecutionStatus.CANCELLED:
        outcome = Outcome() if attempt is None else Outcome(failure=Failure.CANCELLED, error=note)
    ending["outcome"] = replace(outcome, metadata={**outcome.metadata, ADOPTED_FROM: standing.run_id})
    if standing.status is ExecutionStatus.FAILED:
        reason = event.reason if isinstance(event, TaskError) else note
        emit(TaskError, **ending, final=True, reason=reason)
    elif standing.status is ExecutionStatus.CANCELLED:
        emit(TaskCancelled, **ending, reason=CANCELLED, cause=note)
    else:
        emit(TaskCompleted, **ending)


def reopen(run: LiveRun, task_ids: Sequence[str], *, by: str, note: str | None) -> None:
    """Put ended tasks back to waiting."""
    for task_id in task_ids:
        run.recorder.emit(TaskInputGiven, task_id=task_id, action="retry", by=by, note=note)
