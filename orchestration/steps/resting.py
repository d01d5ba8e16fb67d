"""A run of steps that nobody drives, ended from outside; what describes its steps need not be at hand for that.

Its events alone say what is open. The ends are recorded from the inside out, as a live run would record them, and what
the run has left running is ended first.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from orchestration.errors import WrongState
from orchestration.events import Event, RunCompleted, TaskCancelled
from orchestration.kinds import ExecutionStatus, Failure, RunStatus
from orchestration.ledger import Ledger
from orchestration.protocols import RunRecord, RunStore
from orchestration.results import Outcome
from orchestration.scheduler import CANCELLED, NOT_STARTED
from orchestration.steps.home import Home
from orchestration.steps.leftovers import end_what_is_left


async def cancel_at_rest(store: RunStore, record: RunRecord, cause: str) -> list[str]:
    """Cancel all of a run's open steps, and end the run.

    Returns:
        The steps that were open.

    Raises:
        RunOwned: somebody drives it.
        WrongState: it has ended meanwhile.
    """
    folder = getattr(store, "folder", None)
    with store.own(record.run_id):
        await end_what_is_left(Home(state=folder / "runs" if isinstance(folder, Path) else None), record)
        ledger, seq = Ledger(), 0
        for event in await store.events(record.run_id):
            ledger.apply(event)
            seq = event.seq
        if ledger.completed_at is not None:
            raise WrongState(f"run {record.run_id} has ended, there is nothing to cancel")
        events = list(_ends(record.run_id, ledger, cause, seq))
        await store.append(record.run_id, events)
    return [event.task_id for event in events if isinstance(event, TaskCancelled)]


def _ends(run_id: str, ledger: Ledger, cause: str, seq: int) -> Iterator[Event]:
    now = datetime.now(UTC)
    for result in reversed(ledger.run_result().results):  # parts come after what they are parts of
        if result.status.is_final:
            continue
        seq += 1
        begun = result.attempts[-1] if result.attempts else None
        is_open = begun is not None and result.status is ExecutionStatus.IN_PROGRESS and begun.completed_at is None
        yield TaskCancelled(
            run_id,
            seq,
            now,
            task_id=result.task_id,
            attempt=begun.number if begun is not None and is_open else None,
            agent=result.agent,
            outcome=Outcome(failure=Failure.CANCELLED, error=cause) if is_open else Outcome(),
            reason=CANCELLED if begun is not None else NOT_STARTED,
            cause=cause,
        )
    wall = ledger.wall_seconds
    yield RunCompleted(run_id, seq + 1, now, status=RunStatus.CANCELLED, reason=cause, wall_seconds=wall)
