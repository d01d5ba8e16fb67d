"""What earlier runs mean for a new one: which ends are kept, and as which event they enter.

A success is kept. A failure is kept until somebody asks for another try. A cancellation is kept where the task itself
was cancelled; where its run was stopped (Ctrl-C, a timeout), or it had not begun, the task is simply not done. What was
blocked or skipped follows from other tasks and is looked at anew.
"""

from collections.abc import Mapping
from typing import Any

from orchestration.events import AttemptEnd, Event, TaskCancelled, TaskError
from orchestration.kinds import ExecutionStatus
from orchestration.protocols import Standing
from orchestration.scheduler import CANCELLED


def is_kept(standing: Standing | None, *, reopen_failed: bool = False) -> bool:
    """Whether a new run adopts the task's standing."""
    if standing is None:
        return False
    if standing.status is ExecutionStatus.SUCCESS:
        return True
    if reopen_failed:
        return False
    if isinstance(standing.event, TaskCancelled):
        return standing.event.reason == CANCELLED
    if isinstance(standing.event, TaskError) and standing.event.outcome.metadata.get("budget_of") == "run":
        return False  # it was the run whose budget was spent
    return standing.status is ExecutionStatus.FAILED


def is_satisfied(standing: Standing | None) -> bool:
    """Whether whoever depends on the task may start."""
    return standing is not None and standing.status in {ExecutionStatus.SUCCESS, ExecutionStatus.SKIPPED}


def seen_in(standings: Mapping[str, Standing]) -> dict[str, int]:
    """What a run that looks at these standings knows of others: of each run the number of its last event among them."""
    seen: dict[str, int] = {}
    for standing in standings.values():
        seen[standing.run_id] = max(standing.seq, seen.get(standing.run_id, 0))
    return seen


def is_new(standing: Standing, seen: Mapping[str, int]) -> bool:
    """Whether the task has ended so since somebody looked: a run's events are numbered, and no clock is asked."""
    return standing.seq > seen.get(standing.run_id, 0)


def adoption(standing: Standing) -> dict[str, Any]:
    """The fields of the `task_adopted` event by which the standing enters another run."""
    return {
        "task_id": standing.task_id,
        "from_run": standing.run_id,
        "status": standing.status,
        **_details(standing.event),
    }


def _details(event: Event) -> Mapping[str, Any]:
    if not isinstance(event, AttemptEnd):
        return {"reason": getattr(event, "reason", None)}
    outcome = event.outcome
    reason = event.reason if isinstance(event, TaskError | TaskCancelled) else None
    return {
        "agent": event.agent,
        "reason": reason,
        "failure": outcome.failure,
        "error": outcome.error,
        "exit_code": outcome.exit_code,
        "log_path": outcome.log_path,
        "output": outcome.output,
        "outputs": outcome.outputs,
    }
