"""Outcomes and results: they come back from their JSON, add up, and show themselves shortly."""

import copy
import json
import pickle
import tracemalloc
from collections.abc import Callable
from dataclasses import asdict, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.kinds import ExecutionStatus, Failure, RunStatus
from orchestration.results import (
    AttemptRecord,
    CheckResult,
    ExecutionResult,
    Outcome,
    RunResult,
    Usage,
)
from tests.core.outcomes import checks, json_dicts, outcomes, seconds, texts, usages

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
MEGABYTES = 50_000_000

times = st.datetimes(timezones=st.just(UTC))
statuses = st.sampled_from(ExecutionStatus)
attempts = st.builds(
    AttemptRecord,
    number=st.integers(0, 9),
    agent=st.none() | texts,
    started_at=times,
    completed_at=st.none() | times,
    duration_seconds=seconds,
    status=statuses,
    reason=st.none() | texts,
    outcome=outcomes,
)
results = st.builds(
    ExecutionResult,
    task_id=texts,
    agent=st.none() | texts,
    status=statuses,
    failure=st.none() | st.sampled_from(Failure),
    reason=st.none() | texts,
    queued_at=st.none() | times,
    started_at=st.none() | times,
    completed_at=st.none() | times,
    duration_seconds=seconds,
    output=texts,
    error=st.none() | texts,
    exit_code=st.none() | st.integers(0, 255),
    outputs=json_dicts,
    checks=st.lists(checks, max_size=2).map(tuple),
    usage=st.none() | usages,
    session_id=st.none() | texts,
    attempts=st.lists(attempts, max_size=2).map(tuple),
    log_path=st.none() | texts,
    metadata=json_dicts,
)
runs = st.builds(
    RunResult,
    run_id=texts,
    status=st.sampled_from(RunStatus),
    results=st.lists(results, max_size=2).map(tuple),
    started_at=st.none() | times,
    completed_at=st.none() | times,
    wall_seconds=seconds,
    step_seconds=seconds,
    critical_path_seconds=seconds,
    reason=st.none() | texts,
)


@pytest.mark.slow
@given(st.one_of(checks, usages, outcomes, attempts, results, runs))
def test_a_record_comes_back_from_its_json(
    record: CheckResult | Usage | Outcome | AttemptRecord | ExecutionResult | RunResult,
) -> None:
    data = record.to_dict()
    assert type(record).from_dict(data) == record
    assert type(record).from_dict(json.loads(json.dumps(data))) == record


@pytest.mark.slow
@given(outcomes, json_dicts)
def test_an_outcome_ignores_the_keys_of_others(outcome: Outcome, others: dict[str, object]) -> None:
    foreign = {f"x_{name}": value for name, value in others.items()}
    assert Outcome.from_dict(foreign | outcome.to_dict()) == outcome


def test_an_outcome_says_nothing_where_there_is_nothing_to_say() -> None:
    assert Outcome().to_dict() == {}
    assert Outcome(exit_code=0, output="done").to_dict() == {"exit_code": 0, "output": "done"}
    assert Outcome(error="").to_dict() == {"error": ""}


@pytest.mark.parametrize(
    ("outcome", "succeeded"),
    [(Outcome(), True), (Outcome(failure=Failure.TIMEOUT), False), (Outcome(needs_input=True), False)],
)
def test_an_attempt_succeeded_that_neither_failed_nor_waits(outcome: Outcome, succeeded: bool) -> None:
    assert outcome.succeeded == succeeded


def result(task_id: str, status: ExecutionStatus = ExecutionStatus.SUCCESS, **fields: object) -> ExecutionResult:
    return ExecutionResult.from_dict(ExecutionResult(task_id, "shell", status).to_dict() | fields)


def test_the_json_of_a_result_has_every_field() -> None:
    assert set(result("A").to_dict()) == set(ExecutionResult.__slots__)


def test_a_run_finds_results_by_id_and_counts_them() -> None:
    run = RunResult(
        "run",
        RunStatus.FAILED,
        (
            result("A", outputs={"x": 1, "y": 1}),
            result("B", ExecutionStatus.FAILED),
            result("C", outputs={"y": 2}),
        ),
    )
    assert run["B"].status is ExecutionStatus.FAILED
    assert list(run.by_id) == ["A", "B", "C"]
    assert run.counts == {"success": 2, "failed": 1}
    assert run.outputs == {"x": 1, "y": 2}
    assert not run.succeeded
    assert run["A"].succeeded
    with pytest.raises(KeyError, match="nobody"):
        run["nobody"]
    data = run.to_dict()
    assert (data["counts"], data["outputs"], data["usage"]) == (run.counts, run.outputs, None)


def test_the_usage_of_a_run_is_that_of_all_attempts() -> None:
    used = [Usage(input_total=n, requests=1, cost_usd=cost, source="reported") for n, cost in ((1, 0.5), (2, None))]
    tries = tuple(AttemptRecord(n, "agent", AT, outcome=Outcome(usage=usage)) for n, usage in enumerate((*used, None)))
    run = RunResult("run", RunStatus.SUCCESS, (ExecutionResult("A", "agent", ExecutionStatus.SUCCESS, attempts=tries),))
    assert run.usage == Usage(input_total=3, requests=2, cost_usd=0.5, source="unknown")


@pytest.mark.parametrize(
    ("costs", "total"),
    [((None, None), None), ((0.0, None), 0.0), ((None, 1.5), 1.5), ((1.0, 0.5), 1.5)],
)
def test_a_cost_that_is_not_known_is_not_zero(costs: tuple[float | None, float | None], total: float | None) -> None:
    one, other = (Usage(cost_usd=cost) for cost in costs)
    assert (one + other).cost_usd == total


@pytest.mark.parametrize(("one", "other", "source"), [("computed",) * 3, ("computed", "reported", "reported")])
def test_a_sum_of_different_sources_is_called_reported(one: str, other: str, source: str) -> None:
    assert (Usage(source=one) + Usage(source=other)).source == source


def test_a_cost_that_is_not_wholly_known_stays_so_in_every_sum() -> None:
    priced, unpriced = Usage(cost_usd=1.0, source="reported"), Usage(requests=1, source="reported")
    for total in (priced + unpriced + priced, priced + priced + unpriced, unpriced + priced + priced):
        assert (total.cost_usd, total.source) == (2.0, "unknown")


def test_records_show_themselves_shortly_and_at_once_whatever_the_output() -> None:
    big = "x" * MEGABYTES
    outcome = Outcome(output=big, error=big, metadata={"big": big})
    attempt = AttemptRecord(1, "shell", AT, outcome=outcome)
    one = ExecutionResult("A", "shell", ExecutionStatus.FAILED, Failure.TIMEOUT, output=big, attempts=(attempt,))
    run = RunResult("run", RunStatus.FAILED, (one,) * 3, wall_seconds=1.5)
    tracemalloc.start()
    try:
        shown = [repr(record) for record in (outcome, attempt, one, run)]
        needed = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert needed < MEGABYTES / 100
    assert max(map(len, shown)) < 400
    assert shown[0] == "<Outcome succeeded, 50,000,000 characters of output>"
    assert shown[2] == "<ExecutionResult A failed timeout 0.000s>"
    assert shown[3] == "<RunResult run failed: 3 failed; 1.500s>"


@pytest.mark.parametrize(
    ("record", "name"),
    [
        (Outcome(), "output"),
        (Usage(), "raw"),
        (result("A"), "status"),
        (RunResult("run", RunStatus.SUCCESS), "status"),
    ],
)
def test_records_are_frozen_and_small(record: object, name: str) -> None:
    assert not hasattr(record, "__dict__")
    with pytest.raises(AttributeError):
        setattr(record, name, "another")


def test_values_of_every_kind_are_written_as_json() -> None:
    odd: dict[Any, Any] = {
        "when": datetime(2026, 1, 2, tzinfo=UTC),
        "bytes": b"\xff",
        "pair": (1, {2}),
        "self": object(),
        3: Path("x"),
    }
    outcome = Outcome(outputs=odd, metadata={"seen": {1, 2}})
    attempt = AttemptRecord(1, "python", AT, outcome=outcome)
    result = ExecutionResult("A", "python", ExecutionStatus.SUCCESS, outputs=odd, attempts=(attempt,))
    run = RunResult("r", RunStatus.SUCCESS, (result,))
    data = json.loads(json.dumps(run.to_dict()))
    wanted = {"when": "2026-01-02T00:00:00Z", "bytes": "_w==", "pair": [1, [2]], "self": "<builtins.object>", "3": "x"}
    assert data["outputs"] == data["results"][0]["outputs"] == wanted
    assert data["results"][0]["attempts"][0]["outputs"] == wanted
    assert data["results"][0]["attempts"][0]["metadata"] == {"seen": [1, 2]}
    assert RunResult.from_dict(data).to_dict() == data
    assert result.outputs is odd, "what is in memory stays what it is"


class Books:
    def __init__(self) -> None:
        self.made = 0

    def results(self) -> tuple[ExecutionResult, ...]:
        self.made += 1
        return (ExecutionResult("a", "shell", ExecutionStatus.SUCCESS),)

    def statuses(self) -> list[ExecutionStatus]:
        return [ExecutionStatus.SUCCESS]


class Burnt(Books):
    def results(self) -> tuple[ExecutionResult, ...]:
        raise OSError("no such book")


@pytest.mark.parametrize(
    "looked_at",
    [
        lambda run: run.results,
        lambda run: run["a"],
        lambda run: run.to_dict(),
        lambda run: run == replace(run),
        copy.copy,
        copy.deepcopy,
        lambda run: pickle.loads(pickle.dumps(run)),  # noqa: S301  # our own
        lambda run: hasattr(run, "results"),
    ],
)
def test_results_are_made_once_and_for_whoever_looks(looked_at: Callable[[RunResult], object]) -> None:
    books = Books()
    run = RunResult("run", RunStatus.SUCCESS, wall_seconds=3.0).with_results_later(books)
    assert run.succeeded
    assert (run.counts, repr(run)) == ({"success": 1}, "<RunResult run success: 1 success; 3.000s>")
    assert (run.wall_seconds, books.made) == (3.0, 0)
    looked_at(run)
    assert (run["a"].agent, run.counts, books.made) == ("shell", {"success": 1}, 1)
    assert run == RunResult("run", RunStatus.SUCCESS, run.results, wall_seconds=3.0)
    assert pickle.loads(pickle.dumps(run)) == run  # noqa: S301  # our own
    assert copy.deepcopy(run).to_dict() == run.to_dict()


def test_results_that_cannot_be_made_are_an_error_each_time() -> None:
    run = RunResult("run", RunStatus.SUCCESS).with_results_later(Burnt())
    for _ in range(2):
        with pytest.raises(OSError, match="no such book"):
            _ = run.results
    with pytest.raises(AttributeError, match="nonsense"):
        _ = run.nonsense


def test_where_results_come_from_is_no_field() -> None:
    run = RunResult("run", RunStatus.SUCCESS).with_results_later(Books())
    assert "_books" not in {one.name for one in fields(run)}
    assert [*asdict(replace(run, results=()))] == [one.name for one in fields(RunResult)]
    assert RunResult(**{one.name: getattr(run, one.name) for one in fields(run)}) == run
