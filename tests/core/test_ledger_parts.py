"""Parts as results of the run: after their task, in the order in which they came, however deep."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from orchestration.events import (
    Event,
    RetryScheduled,
    RunStarted,
    TaskCompleted,
    TaskError,
    TaskExpanded,
    TaskNeedsInput,
    TaskStarted,
)
from orchestration.kinds import ExecutionStatus, Failure
from orchestration.ledger import Ledger
from orchestration.results import Outcome


class Fed:
    """A ledger with events that make themselves."""

    def __init__(self, *tasks: str, of: str = "pipeline") -> None:
        self.ledger = Ledger()
        self.seq = 0
        self.waited = timedelta()
        self.happen(RunStarted, tasks=tasks, kind=of)

    def happen(self, kind: type[Event], /, **fields: Any) -> None:  # noqa: ANN401  # the event's own fields
        self.seq += 1
        at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.seq) + self.waited
        self.ledger.apply(kind(run_id="run", seq=self.seq, at=at, **fields))

    def wait(self, seconds: float) -> None:
        """Let the next event happen so much later; each is a second after the one before it."""
        self.waited += timedelta(seconds=seconds)

    def expand(self, task_id: str, *parts: str, first: bool = True) -> None:
        if first:
            self.happen(TaskStarted, task_id=task_id, attempt=1)
        self.happen(TaskExpanded, task_id=task_id, attempt=1, items=tuple({"id": part} for part in parts))

    def complete(self, task_id: str, seconds: float, *, begun: bool = False) -> None:
        if not begun:
            self.happen(TaskStarted, task_id=task_id, attempt=1)
        self.happen(TaskCompleted, task_id=task_id, attempt=1, duration_seconds=seconds)


def test_each_task_is_followed_by_its_parts_and_theirs() -> None:
    fed = Fed("a", "m", "z")
    fed.expand("m", "m[0]", "m[1]")
    fed.expand("m[1]", "m[1]/x")
    fed.expand("m", "m[2]", first=False)
    fed.expand("m[0]", "m[0]/y", "m[0]/z")
    fed.complete("m[1]/x", 1)
    result = fed.ledger.run_result()
    listed = [one.task_id for one in result.results]
    assert listed == ["a", "m", "m[0]", "m[0]/y", "m[0]/z", "m[1]", "m[1]/x", "m[2]", "z"]
    assert result.counts == {"pending": 5, "in_progress": 3, "success": 1}
    assert all("legs" not in one.metadata for one in result.results)


def test_seconds_are_counted_once_and_the_critical_path_is_of_declared_tasks() -> None:
    fed = Fed("a", "m")
    fed.complete("a", 3)
    fed.expand("m", "m[0]", "m[1]")
    fed.complete("m[0]", 5)
    fed.happen(TaskStarted, task_id="m[1]", attempt=1)
    outcome = Outcome(failure=Failure.EXIT_CODE)
    fed.happen(TaskError, task_id="m[1]", attempt=1, duration_seconds=2, outcome=outcome)
    fed.complete("m", 6, begun=True)
    asked: list[Sequence[float]] = []

    def critical_path(seconds: Sequence[float]) -> float:
        asked.append(seconds)
        return sum(seconds)

    result = fed.ledger.run_result(critical_path)
    assert result.step_seconds == pytest.approx(10)
    assert [*asked[0]] == [3, 6]
    assert result.by_id["m[1]"].status is ExecutionStatus.FAILED


def test_a_task_of_which_a_part_waits_says_which_and_why() -> None:
    fed = Fed("m")
    fed.expand("m", "m[0]", "m[1]")
    fed.expand("m[1]", "m[1]/x")
    assert fed.ledger.result("m").reason is None
    fed.happen(TaskStarted, task_id="m[1]/x", attempt=1)
    fed.happen(TaskError, task_id="m[1]/x", attempt=1, outcome=Outcome(failure=Failure.EXIT_CODE))
    fed.happen(RetryScheduled, task_id="m[1]/x", attempt=1, due_at=datetime(2026, 1, 2, tzinfo=UTC), reason="again")
    assert fed.ledger.result("m").reason == "m[1]/x: again"
    assert fed.ledger.due_at("m[1]/x") == datetime(2026, 1, 2, tzinfo=UTC)
    fed.happen(TaskStarted, task_id="m[1]/x", attempt=2)
    assert fed.ledger.result("m").reason is None
    assert fed.ledger.due_at("m[1]/x") is None
    fed.happen(TaskStarted, task_id="m[0]", attempt=1)
    fed.happen(TaskNeedsInput, task_id="m[0]", attempt=1, reason="waits for a person")
    assert fed.ledger.result("m").reason == "m[0]: waits for a person"


def test_in_a_run_of_the_backlog_parts_stay_within_their_task() -> None:
    fed = Fed("m", of="batch")
    fed.expand("m", "m[0]")
    fed.complete("m[0]", 5)
    (result,) = fed.ledger.run_result().results
    assert [leg["task_id"] for leg in result.metadata["legs"]] == ["m[0]"]


def test_parts_may_lie_deeper_than_python_could_recurse() -> None:
    fed = Fed("0")
    for n in range(3_000):
        fed.expand(str(n), str(n + 1))
    assert [one.task_id for one in fed.ledger.run_result().results] == [str(n) for n in range(3_001)]
