"""What the ends of its parts mean for a composite."""

from collections.abc import Sequence
from typing import Final

from orchestration.kinds import ExecutionStatus, Failure
from orchestration.results import Outcome
from orchestration.steps.box import Box
from orchestration.steps.unit import Seat

MAX_TOLD: Final = 5
"""Parts that the error of a composite names."""


def failure_of(box: Box, parts: Sequence[Seat] | None = None) -> Outcome | None:
    """The outcome of a composite whose parts did not all do well; None where they did.

    `parts` are those that are to be looked at, where it is known of the others that they did.
    """
    bad = {
        ExecutionStatus.FAILED: [],
        ExecutionStatus.CANCELLED: [],
        ExecutionStatus.BLOCKED: [],
    }  # type: dict[ExecutionStatus, list[Seat]]
    for seat in box.seats if parts is None else parts:
        status = box.crew.status_of(seat.path)
        if status in bad and not (seat.unit.excused and status is ExecutionStatus.FAILED):
            bad[status].append(seat)
    failed, cancelled, blocked = bad.values()
    if failed:
        told = "; ".join(_told(box, seat) for seat in failed[:MAX_TOLD])
        more = f" (and {len(failed) - MAX_TOLD} more)" if len(failed) > MAX_TOLD else ""
        failure = box.crew.outcome_of(failed[0].path).failure or Failure.CRASHED
        return Outcome(failure=failure, error=f"{told}{more}")
    if cancelled:
        return Outcome(failure=Failure.CANCELLED, error=f"{cancelled[0].path} was cancelled")
    if blocked:
        return Outcome(failure=Failure.CANCELLED, error=f"{blocked[0].path} is blocked")
    return None


def _told(box: Box, seat: Seat) -> str:
    """One sentence about a failed part; that of a part of a part says where it happened already."""
    error = box.crew.outcome_of(seat.path).error or "failed"
    return error if seat.unit.is_composite else f"{seat.path}: {error}"
