"""Tasks that were opened again, or cancelled between two attempts: what an earlier attempt came to is history."""

from datetime import UTC, datetime

import pytest

from orchestration.events import (
    RetryScheduled,
    RunResumed,
    TaskBlocked,
    TaskCancelled,
    TaskCompleted,
    TaskError,
    TaskInputGiven,
    TaskSkipped,
    TaskStarted,
)
from orchestration.kinds import ExecutionStatus, Failure
from orchestration.results import ExecutionResult, Outcome
from tests.core.test_ledger_parts import Fed

WRONG = Outcome(failure=Failure.EXIT_CODE, error="it went wrong", exit_code=3, output="oh", log_path="logs")


def failed(*, final: bool) -> Fed:
    fed = Fed("a", of="batch")
    fed.happen(TaskStarted, task_id="a", attempt=1, agent="shell")
    fed.happen(TaskError, task_id="a", attempt=1, outcome=WRONG, final=final, reason="no retry is declared")
    return fed


def said(result: ExecutionResult) -> tuple[object, ...]:
    return result.status, result.failure, result.error, result.exit_code, result.output, result.log_path


def test_a_failed_task_says_what_its_attempt_came_to() -> None:
    assert said(failed(final=True).ledger.result("a")) == (
        *(ExecutionStatus.FAILED, Failure.EXIT_CODE),
        *("it went wrong", 3, "oh", "logs"),
    )


def test_a_task_that_was_opened_again_has_not_failed() -> None:
    fed = failed(final=True)
    fed.happen(TaskInputGiven, task_id="a", action="retry")
    result = fed.ledger.result("a")
    assert said(result) == (ExecutionStatus.PENDING, None, None, None, "", None)
    assert result.started_at is None
    assert [attempt.outcome for attempt in result.attempts] == [WRONG]
    assert fed.ledger.previous_failure("a") == WRONG


@pytest.mark.parametrize(
    ("kind", "status"), [(TaskSkipped, ExecutionStatus.SKIPPED), (TaskBlocked, ExecutionStatus.BLOCKED)]
)
def test_what_is_not_done_then_says_why_and_nothing_else(
    kind: type[TaskSkipped | TaskBlocked], status: ExecutionStatus
) -> None:
    fed = failed(final=True)
    fed.happen(TaskInputGiven, task_id="a", action="retry")
    fed.happen(kind, task_id="a", reason="its condition is false")
    result = fed.ledger.result("a")
    assert said(result) == (status, None, None, None, "", None)
    assert result.reason == "its condition is false"


def test_what_cancelled_a_task_between_two_attempts_is_said() -> None:
    fed = failed(final=False)
    fed.happen(RetryScheduled, task_id="a", attempt=1, due_at=datetime(2026, 1, 2, tzinfo=UTC), reason="again")
    assert fed.ledger.result("a").error == "it went wrong"
    fed.happen(TaskCancelled, task_id="a", reason="stopped", cause="timeout")
    result = fed.ledger.result("a")
    assert (result.status, result.failure, result.error) == (ExecutionStatus.CANCELLED, Failure.CANCELLED, "timeout")


# -- runs that went on ----------------------------------------------------------------------------------------------


def test_the_time_between_two_lives_of_a_run_is_not_counted() -> None:
    fed = Fed("a", of="batch")
    fed.happen(TaskStarted, task_id="a", attempt=1)
    before = fed.ledger.wall_seconds
    fed.wait(3600)
    fed.happen(RunResumed)
    assert fed.ledger.wall_seconds == before > 0
    fed.happen(TaskCompleted, task_id="a", attempt=1)
    assert fed.ledger.wall_seconds == before + 1
