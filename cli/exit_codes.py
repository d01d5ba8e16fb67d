"""What came of the work → the exit code of the command. One table, the first row that applies.

| code | when |
| --- | --- |
| 128 + n | signal n stopped the work (130 SIGINT, 143 SIGTERM, 129 SIGHUP) |
| 2 | usage or configuration; unmet dependencies (errors carry it themselves) |
| 3 | a budget is spent |
| 124 | the run's own `--timeout` |
| 127 | every failure is a missing agent |
| 1 | something failed, is blocked or was cancelled |
| 75 | only tasks that wait for a rate limit remain, or these and some that need a person |
| 4 | only tasks that need a person remain |
| 0 | all succeeded or were skipped |

Where both remain, the same command goes on by itself later, which is what 75 says; once it has, 4 says the rest. A task
of which one part waits for a limit and another for a person can be brought on by that person now: it is one of these.
"""

from collections.abc import Sequence
from typing import Final

from orchestration.kinds import ExecutionStatus, Failure, RunStatus
from orchestration.results import ExecutionResult, RunResult

SUCCESS: Final = 0
FAILED: Final = 1
USAGE: Final = 2
BUDGET_SPENT: Final = 3
NEEDS_PERSON: Final = 4
RATE_LIMITED: Final = 75
RUN_TIMEOUT: Final = 124
AGENT_MISSING: Final = 127
SIGNALLED: Final = 128

TIMEOUT_REASON: Final = "timeout"
BUDGET_REASON: Final = "budget"

_DONE: Final = frozenset({ExecutionStatus.SUCCESS, ExecutionStatus.SKIPPED})
_UNDONE: Final = frozenset({ExecutionStatus.FAILED, ExecutionStatus.BLOCKED, ExecutionStatus.CANCELLED})


def of_signal(number: int) -> int:
    """The code of work that a signal ended, as shells have it."""
    return SIGNALLED + number


def of_run(run: RunResult, signal: int | None = None) -> int:
    """The code of a run; `signal` is the first one that asked to stop it, if any did."""
    return of_results(run.results, run.reason, signal, paused=run.status is RunStatus.PAUSED)


def of_task(result: ExecutionResult, signal: int | None = None) -> int:
    """The code of a single task."""
    return of_results([result], None, signal)


def of_results(
    results: Sequence[ExecutionResult], reason: str | None = None, signal: int | None = None, *, paused: bool = False
) -> int:
    """The first row of the table that applies; work that was done before the signal came is not stopped by it.

    Args:
        results: of all tasks.
        reason: why the run ended as it did.
        signal: the first one that asked to stop it.
        paused: whether the run waits for something from outside.
    """
    done = all(result.status in _DONE for result in results)
    if signal is not None and not done:
        return of_signal(signal)
    failures = [result.failure for result in results if _failed(result)]
    if Failure.BUDGET in failures or (reason == BUDGET_REASON and not done):
        return BUDGET_SPENT
    if reason == TIMEOUT_REASON:
        return RUN_TIMEOUT
    if failures and all(failure is Failure.AGENT_MISSING for failure in failures):
        return AGENT_MISSING
    return SUCCESS if done else _of_what_remains(results, paused=paused)


def _of_what_remains(results: Sequence[ExecutionResult], *, paused: bool) -> int:
    if any(result.status in _UNDONE and not _waits_for_limit(result) for result in results):
        return FAILED
    if any(_waits_for_limit(result) for result in results):
        return RATE_LIMITED
    if any(_waits_for_person(result) for result in results):
        return NEEDS_PERSON
    if paused:  # for no person: tasks that were never tried wait for an account as well
        return RATE_LIMITED
    return FAILED  # open for a reason that has no row: not done is not success


def _failed(result: ExecutionResult) -> bool:
    return result.status is ExecutionStatus.FAILED


def _waits_for_person(result: ExecutionResult) -> bool:
    """Whether it, or a part of it, waits for a person."""
    from orchestration.exporting.spent import legs_of  # only where something waits

    return ExecutionStatus.NEEDS_INPUT in {result.status, *(leg.status for leg in legs_of(result))}


def _waits_for_limit(result: ExecutionResult) -> bool:
    return result.failure is Failure.RATE_LIMITED and result.status not in _DONE
