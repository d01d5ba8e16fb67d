"""Answers from outside to a run's tasks: complete, fail, approve, reject, retry, cancel.

`apply` lets an answer happen to a run in memory, whoever holds it: the owner that found it in the command table, or,
where no process owns the run, the command itself after it took the owner lock and replayed the run. Every answer is
events through the same plan; one that does not fit the task's state is refused with `WrongState`, and nothing changed.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from orchestration.errors import WrongState
from orchestration.events import (
    RunCompleted,
    RunPaused,
    TaskCancelled,
    TaskCompleted,
    TaskError,
    TaskInputGiven,
)
from orchestration.executor import LiveRun
from orchestration.kinds import Failure
from orchestration.ledger import Ledger
from orchestration.plan import FINAL, STATUS, Phase, State
from orchestration.results import CheckResult, Outcome
from orchestration.scheduler import CANCELLED, NOT_STARTED

REOPENABLE = frozenset({State.FAILED, State.CANCELLED, State.BLOCKED, State.NEEDS_INPUT})
_RETRYABLE = frozenset(STATUS[state] for state in REOPENABLE)


def apply(run: LiveRun, action: str, task_id: str, body: Mapping[str, Any]) -> None:
    """Let an answer happen, and all that follows from it without any work.

    Raises:
        WrongState: the task is in no state for it.
    """
    if action == "complete":
        said = {name: body[name] for name in ("output", "output_file") if body.get(name)}
        _end(run, task_id, body, Outcome(checks=_checks(body), **said, **_outputs(body)))
    elif action == "fail":
        reason = body.get("note") or "a person said so"
        _end(run, task_id, body, Outcome(failure=Failure.EXIT_CODE, error=reason, claim="failed"))
    elif action == "retry":
        retry(run, [task_id], body.get("by", ""), body.get("note"))
    elif action in {"approve", "reject"}:
        _approve(run, task_id, action, body)
    else:
        raise WrongState(f"there is no answer {action!r}")
    run.scheduler.settle()


def _outputs(body: Mapping[str, Any]) -> dict[str, Any]:
    return {"outputs": dict(body["outputs"])} if body.get("outputs") else {}


def _checks(body: Mapping[str, Any]) -> tuple[CheckResult, ...]:
    return tuple(CheckResult.from_dict(check) for check in body.get("checks", ()))


def expect_work(run: LiveRun, task_id: str, action: str) -> None:
    """Refuse to complete or fail a task of which nothing is left to be done by a person, who is asked to approve it.

    Raises:
        WrongState: it waits for that, or for nobody.
    """
    _expect(run, task_id, State.NEEDS_INPUT)
    if run.ledger.awaiting(task_id) is not None:
        waits = "it is done, and its result waits for approval"
    elif run.ledger.asks_to_begin(task_id):
        waits = "it has not begun, and waits for approval"
    else:
        return
    no = f"orch reject {task_id} --note TEXT"
    hint = no if action == "fail" else f"orch approve {task_id}, or {no}"
    raise WrongState(f"{task_id} is not for a person to {action}: {waits}", hint=hint)


def _end(run: LiveRun, task_id: str, body: Mapping[str, Any], outcome: Outcome) -> None:
    action = "fail" if outcome.failure else "complete"
    expect_work(run, task_id, action)
    attempt = run.plan.attempt_of(task_id)
    seconds = run.ledger.seconds_in(task_id, run.recorder.at())
    _given(run, task_id, action, body)
    agent = run.ledger.result(task_id).agent
    if outcome.failure is None:
        run.scheduler.settler.complete(task_id, attempt, agent, outcome, seconds)
        return
    ending: dict[str, Any] = {"task_id": task_id, "attempt": attempt, "agent": agent, "duration_seconds": seconds}
    run.recorder.emit(TaskError, **ending, outcome=outcome, final=True, reason=outcome.error)


def _approve(run: LiveRun, task_id: str, action: str, body: Mapping[str, Any]) -> None:
    _expect(run, task_id, State.NEEDS_INPUT)
    if run.plan.attempt_of(task_id) is not None or run.ledger.awaiting(task_id) is not None:
        _judge_result(run, task_id, action, body)
        return
    _given(run, task_id, action, body)
    if action == "reject":
        cause = body.get("note") or "rejected"
        run.recorder.emit(TaskCancelled, task_id=task_id, reason=CANCELLED, cause=cause)


def _judge_result(run: LiveRun, task_id: str, action: str, body: Mapping[str, Any]) -> None:
    """What an attempt made counts, or the attempt has failed and may be followed by another one.

    Where a person has done what a crash had cut off, no attempt is open: then it is the one before that is judged.
    """
    outcome, attempt = run.ledger.awaiting(task_id), run.plan.attempt_of(task_id)
    if outcome is None:
        hint = f"orch complete {task_id}" if action == "approve" else f"orch fail {task_id} --reason TEXT"
        raise WrongState(f"{task_id} waits to be done, not to be approved", hint=hint)
    agent = run.ledger.result(task_id).agent
    seconds = run.ledger.seconds_in(task_id, run.recorder.at())
    _given(run, task_id, action, body, attempt or run.plan.attempts_of(task_id))
    if action == "approve":
        ending = {"task_id": task_id, "attempt": attempt, "agent": agent, "duration_seconds": seconds}
        run.recorder.emit(TaskCompleted, **ending, outcome=outcome)
    else:
        run.scheduler.settler.reject(task_id, attempt, agent, outcome, body.get("note") or "", seconds)


def retry(run: LiveRun, task_ids: Sequence[str], by: str, note: str | None) -> list[str]:
    """Put ended tasks back to waiting, with everything that was blocked or never begun because of them.

    Raises:
        WrongState: a task has not ended, or it succeeded, or the run is being stopped.
    """
    if run.plan.stopping is not None:
        raise WrongState(f"run {run.run_id} is being stopped ({run.plan.stopping})", hint="retry when it has ended")
    for task_id in task_ids:
        state = run.plan.state_of(task_id)
        if state not in REOPENABLE or run.plan.attempt_of(task_id) is not None:
            raise WrongState(f"{task_id} is {state.value}; only what failed, was cancelled or blocked can be retried")
    named = frozenset(task_ids)
    reopened = [
        task_id
        for task_id in run.graph.downstream(task_ids)
        if task_id in named or run.plan.state_of(task_id) in {State.BLOCKED, State.CANCELLED}
    ]
    for task_id in reopened:
        _given(run, task_id, "retry", {"by": by, "note": note})
    return reopened


def check_retryable(book: Ledger, task_id: str) -> None:
    """Refuse a retry, as `retry` will, before anything else is opened again.

    Raises:
        WrongState: the task has not ended, or it succeeded.
    """
    if not is_retryable(book, task_id):
        status = book.status_of(task_id).value
        raise WrongState(f"{task_id} is {status}; only what failed, was cancelled or blocked can be retried")


def is_retryable(book: Ledger, task_id: str) -> bool:
    """Whether a task has failed, was cancelled or blocked, or waits for a person, and nothing of it goes on."""
    return book.status_of(task_id) in _RETRYABLE and not has_open_attempt(book, task_id)


def has_open_attempt(book: Ledger, task_id: str) -> bool:
    """Whether an attempt of the task has not ended, be it that a person does it or judges it."""
    attempts = book.attempts_of(task_id)
    return bool(attempts) and attempts[-1].completed_at is None


def close(run: LiveRun, reason: str, *, resumed: bool) -> None:
    """After an answer to a run that nobody drives: say whether it is over now, or waits to be driven."""
    if run.plan.is_over and run.plan.phase is not Phase.ENDED:
        status, wall = run.plan.final_status(), run.ledger.wall_seconds
        run.recorder.emit(RunCompleted, status=status, wall_seconds=wall)
    elif resumed and not run.plan.is_over and not run.plan.count(State.RUNNING):
        run.recorder.emit(RunPaused, reason=reason)


def cancel_at_rest(run: LiveRun, task_ids: Sequence[str], cause: str, *, by_name: bool) -> list[str]:
    """Cancel tasks of a run that no process drives; returns those that were not ended before.

    A task that has not begun stays cancelled only if it was named itself, not where its whole run was cancelled.
    """
    cancelled = [task_id for task_id in task_ids if run.plan.state_of(task_id) not in FINAL]
    parts = [part for task_id in cancelled for part in run.plan.parts_of(task_id)]
    open_parts = [part for part in parts if run.plan.state_of(part) not in FINAL]
    for task_id in (*reversed(open_parts), *cancelled):  # parts end before what they are parts of
        attempt = run.plan.attempt_of(task_id)
        outcome = Outcome() if attempt is None else Outcome(failure=Failure.CANCELLED, error=cause)
        died = run.plan.state_of(task_id) is State.RUNNING  # nobody knows when
        seconds = 0.0 if died else run.ledger.seconds_in(task_id, run.recorder.at())
        run.recorder.emit(
            TaskCancelled,
            task_id=task_id,
            attempt=attempt,
            reason=CANCELLED if by_name or run.plan.attempts_of(task_id) else NOT_STARTED,
            cause=cause,
            duration_seconds=seconds,
            outcome=outcome,
        )
    run.scheduler.settle()
    return cancelled


def _given(run: LiveRun, task_id: str, action: str, body: Mapping[str, Any], attempt: int | None = None) -> None:
    run.recorder.emit(
        TaskInputGiven,
        task_id=task_id,
        attempt=attempt or run.plan.attempt_of(task_id),
        action=action,
        by=body.get("by") or "",
        note=body.get("note"),
        outputs=dict(body.get("outputs") or {}),
    )


def _expect(run: LiveRun, task_id: str, state: State) -> None:
    actual = run.plan.state_of(task_id)
    if actual is not state:
        hint = f"orch retry {task_id}" if actual in REOPENABLE else None
        raise WrongState(f"{task_id} is {actual.value}, it does not wait for a person", hint=hint)
