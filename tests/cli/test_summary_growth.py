"""What is said at the end of a run of very many tasks takes no longer for each of them."""

import math
import time
from collections.abc import Callable

import pytest

from cli.render.summary import problem_of_run, problem_of_steps
from orchestration.kinds import ExecutionStatus, Failure, RunStatus
from orchestration.results import ExecutionResult, RunResult

FEW, MANY = 300, 6_000
MOST = 6 * MANY // FEW
"""Times as long as few, at the most; were each compared with all, it would be hundreds."""


def _ended(names: list[str], status: ExecutionStatus) -> RunResult:
    results = tuple(ExecutionResult(name, "shell", status, failure=Failure.CRASHED, error="no") for name in names)
    return RunResult("r", RunStatus.FAILED, results)


def _tasks(count: int) -> RunResult:
    return _ended([f"T{n}" for n in range(count)], ExecutionStatus.CANCELLED)


def _steps(count: int) -> RunResult:
    return _ended([f"each[{n}]/step" for n in range(count)], ExecutionStatus.FAILED)


def _look_up(run: RunResult) -> None:
    for result in run.results:
        assert run[result.task_id] is run.by_id[result.task_id] is result


@pytest.mark.parametrize(
    ("say", "made"),
    [(lambda run: problem_of_run(run, 1), _tasks), (problem_of_steps, _steps), (_look_up, _tasks)],
    ids=["tasks", "steps", "looking up"],
)
def test_it_grows_with_the_tasks(say: Callable[[RunResult], object], made: Callable[[int], RunResult]) -> None:
    def seconds_for(count: int) -> float:
        best = math.inf
        for _ in range(4):
            run = made(count)
            began = time.perf_counter()
            say(run)
            best = min(best, time.perf_counter() - began)
        return best

    assert seconds_for(MANY) < MOST * seconds_for(FEW)


def test_only_the_innermost_steps_are_told_of() -> None:
    run = _ended(["a", "a/b", "a/b[0]", "a/b[0]/c", "ab", "a-c", "d[1]"], ExecutionStatus.FAILED)
    told = problem_of_steps(run)
    assert told.startswith("4 steps failed (a/b[0]/c, ab, a-c and 1 more); crashed: no")


def test_results_by_id_are_there_to_be_looked_at() -> None:
    run = _tasks(3)
    assert [*run.by_id] == ["T0", "T1", "T2"]
    with pytest.raises(TypeError):
        run.by_id["T0"] = run.results[1]  # type: ignore[index]  # that is what is refused
