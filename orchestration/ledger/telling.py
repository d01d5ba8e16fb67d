"""What is told of a task in its result, as its entry stands; the parts of a result that take more than a name."""

from collections.abc import Sequence
from typing import Any

from orchestration.events import TaskAdopted
from orchestration.kinds import ExecutionStatus, Failure
from orchestration.ledger.entries import Entry
from orchestration.results import ADOPTED_FROM, AttemptRecord, ExecutionResult, Outcome, Usage


def used_of(attempts: Sequence[AttemptRecord]) -> Usage | None:
    """What all attempts used together; None where nothing was reported."""
    if len(attempts) == 1:
        return attempts[0].outcome.usage
    used = [attempt.outcome.usage for attempt in attempts if attempt.outcome.usage is not None]
    return sum(used[1:], used[0]) if used else None


def failure_of(entry: Entry, outcome: Outcome) -> tuple[Failure | None, str | None]:
    """The failure of a task, and what is said of it."""
    if entry.status is ExecutionStatus.SUCCESS:
        return None, None
    if entry.status is ExecutionStatus.CANCELLED:  # between two attempts, the latest one says nothing of it
        said = outcome.error if outcome.failure is Failure.CANCELLED else None
        return Failure.CANCELLED, said or entry.cause or outcome.error
    return outcome.failure, outcome.error


def metadata_of(entry: Entry, outcome: Outcome) -> dict[str, Any]:
    """What is known of a task beside; of its parts, nothing."""
    metadata = dict(outcome.metadata)
    if outcome.output_file:
        metadata["output_file"] = outcome.output_file
    if outcome.abandoned:
        metadata["abandoned"] = True
    if entry.prompt is not None:
        metadata["prompt"] = entry.prompt
    if entry.by:
        metadata["blocked_by"] = list(entry.by)
    if entry.given is not None:
        metadata["input"] = {"action": entry.given.action, "by": entry.given.by, "note": entry.given.note}
    return metadata


def adopted_result(task_id: str, event: TaskAdopted, entry: Entry) -> ExecutionResult:
    """The result of a task that another run has ended."""
    return ExecutionResult(
        task_id=task_id,
        agent=event.agent,
        status=entry.status,
        failure=event.failure,
        reason=entry.reason,
        completed_at=event.at,
        output=event.output,
        error=event.error,
        exit_code=event.exit_code,
        log_path=event.log_path,
        outputs=event.outputs,
        usage=used_of(entry.attempts),
        attempts=entry.attempts,
        metadata={ADOPTED_FROM: event.from_run},
    )
