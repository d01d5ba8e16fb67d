"""Runs and events as the tests of the stores need them: short to write, and the same each time."""

from datetime import UTC, datetime, timedelta
from typing import Any

from orchestration.events import (
    Event,
    RunStarted,
    TaskCompleted,
    TaskError,
    TaskStarted,
)
from orchestration.kinds import Failure, RunStatus
from orchestration.protocols import RunRecord, RunStore
from orchestration.results import Outcome

START = datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC)


def at(seq: int) -> datetime:
    """A moment for the event of that number."""
    return START + timedelta(seconds=seq, microseconds=7 * seq)


def record(run_id: str, **fields: Any) -> RunRecord:  # noqa: ANN401  # the fields of a record
    """A run that has just been opened."""
    known: dict[str, Any] = {
        "status": RunStatus.RUNNING,
        "created_at": START,
        "updated_at": START,
        "tasks": ("A", "B"),
        "shape": {"A": [], "B": ["A"]},
    }
    return RunRecord(run_id=run_id, **(known | fields))


def run_started(run_id: str) -> RunStarted:
    """The first event of a run."""
    return RunStarted(run_id, 1, at(1), tasks=("A", "B"), fingerprint="f", name="sample")


def started(run_id: str, seq: int, task_id: str = "A", attempt: int = 1) -> TaskStarted:
    """An attempt that began."""
    return TaskStarted(run_id, seq, at(seq), task_id, attempt, agent="shell", slot=1, queued_at=START)


def completed(
    run_id: str, seq: int, task_id: str = "A", attempt: int | None = 1, output: str = "done"
) -> TaskCompleted:
    """An attempt that succeeded."""
    outcome = Outcome(output=output, exit_code=0, outputs={"n": 1})
    return TaskCompleted(run_id, seq, at(seq), task_id, attempt, agent="shell", duration_seconds=0.5, outcome=outcome)


def failed(run_id: str, seq: int, task_id: str = "A", attempt: int = 1, *, final: bool = True) -> TaskError:
    """An attempt that failed."""
    outcome = Outcome(failure=Failure.EXIT_CODE, error="exit code 1", exit_code=1)
    return TaskError(run_id, seq, at(seq), task_id, attempt, agent="shell", outcome=outcome, final=final)


def many(run_id: str, count: int, first: int = 1) -> list[Event]:
    """Events of a run in which one task after the other succeeds."""
    return [
        started(run_id, seq, f"T{seq // 2}") if seq % 2 == 0 else completed(run_id, seq, f"T{seq // 2}")
        for seq in range(first, first + count)
    ]


async def opened(store: RunStore, run_id: str = "r") -> str:
    """Open a run that has its first event."""
    await store.open_run(record(run_id), [run_started(run_id)])
    return run_id
