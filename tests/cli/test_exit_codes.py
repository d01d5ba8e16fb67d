"""The table of exit codes, row by row and in its order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli import exit_codes
from orchestration.kinds import ExecutionStatus, Failure, RunStatus
from orchestration.results import ExecutionResult, RunResult

OK = ExecutionStatus.SUCCESS
SKIPPED = ExecutionStatus.SKIPPED
FAILED = ExecutionStatus.FAILED
BLOCKED = ExecutionStatus.BLOCKED
CANCELLED = ExecutionStatus.CANCELLED
ASKS = ExecutionStatus.NEEDS_INPUT
PENDING = ExecutionStatus.PENDING
GOES_ON = ExecutionStatus.IN_PROGRESS


def run_of(
    *ends: tuple[ExecutionStatus, Failure | None], reason: str | None = None, status: RunStatus = RunStatus.FAILED
) -> RunResult:
    results = [ExecutionResult(f"T-{i}", "shell", status, failure) for i, (status, failure) in enumerate(ends)]
    return RunResult("r", status, tuple(results), reason=reason)


def plain(*statuses: ExecutionStatus) -> list[tuple[ExecutionStatus, Failure | None]]:
    return [(status, None) for status in statuses]


@pytest.mark.parametrize(
    ("run", "signal", "code"),
    [
        (run_of(), None, 0),
        (run_of(*plain(OK, OK)), None, 0),
        (run_of(*plain(OK, SKIPPED)), None, 0),
        (run_of(*plain(SKIPPED)), None, 0),
        # signals come first
        (run_of(*plain(OK, CANCELLED), reason="signal 2"), 2, 130),
        (run_of(*plain(OK, PENDING), reason="signal 15"), 15, 143),
        (run_of(*plain(CANCELLED), reason="signal 1"), 1, 129),
        (run_of((FAILED, Failure.EXIT_CODE), reason="timeout"), 2, 130),
        (run_of(*plain(OK, OK)), 2, 0),
        # a budget, before the run's own time limit
        (run_of((FAILED, Failure.BUDGET), (FAILED, Failure.EXIT_CODE)), None, 3),
        (run_of((FAILED, Failure.BUDGET), reason="timeout"), None, 3),
        (run_of(*plain(OK, CANCELLED), reason="budget"), None, 3),
        (run_of((FAILED, Failure.EXIT_CODE), (PENDING, None), reason="budget"), None, 3),
        (run_of(*plain(OK, SKIPPED), reason="budget"), None, 0),  # nothing was stopped
        # the run's own time limit, before what failed
        (run_of((FAILED, Failure.EXIT_CODE), (CANCELLED, None), reason="timeout"), None, 124),
        (run_of((FAILED, Failure.TIMEOUT)), None, 1),
        # an agent that is not there
        (run_of((FAILED, Failure.AGENT_MISSING)), None, 127),
        (run_of((OK, None), (FAILED, Failure.AGENT_MISSING), (BLOCKED, None)), None, 127),
        (run_of((FAILED, Failure.AGENT_MISSING), (FAILED, Failure.EXIT_CODE)), None, 1),
        # what failed, is blocked or was cancelled
        (run_of((OK, None), (FAILED, Failure.EXIT_CODE)), None, 1),
        (run_of(*plain(OK, BLOCKED)), None, 1),
        (run_of(*plain(OK, CANCELLED)), None, 1),
        (run_of((FAILED, Failure.EXIT_CODE), (ASKS, None)), None, 1),
        # what only has to wait
        (run_of((OK, None), (FAILED, Failure.RATE_LIMITED)), None, 75),
        (run_of((GOES_ON, Failure.RATE_LIMITED), (PENDING, None)), None, 75),
        (run_of((GOES_ON, Failure.RATE_LIMITED), (ASKS, None)), None, 75),
        (run_of((FAILED, Failure.RATE_LIMITED), (BLOCKED, None)), None, 1),
        # tasks that wait for their account were perhaps never tried
        (run_of(*plain(OK, PENDING), status=RunStatus.PAUSED), None, 75),
        (run_of((GOES_ON, Failure.EXIT_CODE), (PENDING, None), status=RunStatus.PAUSED), None, 75),
        (run_of(*plain(ASKS, PENDING), status=RunStatus.PAUSED), None, 4),
        (run_of(*plain(BLOCKED, PENDING), status=RunStatus.PAUSED), None, 1),
        # what needs a person
        (run_of(*plain(OK, ASKS)), None, 4),
        (run_of(*plain(ASKS, PENDING)), None, 4),
        # not done, and no row says why
        (run_of(*plain(OK, PENDING)), None, 1),
        (run_of(*plain(GOES_ON)), None, 1),
    ],
)
def test_the_first_row_that_applies_decides(run: RunResult, signal: int | None, code: int) -> None:
    assert exit_codes.of_run(run, signal) == code


def test_a_single_task_has_the_code_of_a_run_with_that_task() -> None:
    assert exit_codes.of_task(ExecutionResult("T", "shell", OK)) == 0
    assert exit_codes.of_task(ExecutionResult("T", "shell", FAILED, Failure.AGENT_MISSING)) == 127
    assert exit_codes.of_task(ExecutionResult("T", "shell", ASKS)) == 4
    assert exit_codes.of_task(ExecutionResult("T", "shell", CANCELLED), 2) == 130


@given(
    st.lists(st.tuples(st.sampled_from(ExecutionStatus), st.none() | st.sampled_from(Failure)), max_size=5),
    st.none() | st.sampled_from(["timeout", "budget"]),
    st.none() | st.sampled_from([1, 2, 15]),
)
def test_zero_means_that_everything_is_done(
    ends: list[tuple[ExecutionStatus, Failure | None]], reason: str | None, signal: int | None
) -> None:
    code = exit_codes.of_run(run_of(*ends, reason=reason), signal)
    assert code in {0, 1, 3, 4, 75, 124, 127, 129, 130, 143}
    if code == 0:
        assert {status for status, _ in ends} <= {OK, SKIPPED}
