"""Results of steps that are remembered: by code and arguments, while files are as they were, and computed once."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from orchestration.errors import UsageError
from orchestration.flow import AsyncFlowExecutor, Flow, FlowExecutor, FlowStep
from orchestration.results import RunResult
from orchestration.steps.returns import Return, metric
from orchestration.testing import run_in_virtual_time
from tests.docs.pages import ROOT
from tests.loop.flows import play


def step(function: Callable[..., Any], name: str = "a", **options: Any) -> FlowStep:  # noqa: ANN401  # any option
    return FlowStep(name, function, cache=True, **options)


def cached(run: RunResult, name: str = "a") -> bool:
    return bool(run[name].metadata.get("cached"))


def test_the_same_call_is_made_once_by_one_executor_and_other_arguments_or_versions_are_other_calls() -> None:
    calls: list[int] = []

    def double(x: int) -> dict[str, int]:
        calls.append(x)
        return {"twice": 2 * x}

    executor = FlowExecutor()
    first, again, other = (executor.run(Flow("f", [step(double)]), {"x": x}) for x in (1, 1, 2))
    assert [cached(run) for run in (first, again, other)] == [False, True, False]
    assert again.outputs == first.outputs == {"twice": 2}
    assert calls == [1, 2]
    assert not cached(executor.run(Flow("f", [step(double, version="2")]), {"x": 1}))
    assert not cached(executor.run(Flow("f", [FlowStep("a", double)]), {"x": 1}))
    assert not cached(FlowExecutor().run(Flow("f", [step(double)]), {"x": 1}))


def test_what_a_remembered_step_hands_out_is_nobodys_to_change() -> None:
    def rows() -> list[int]:
        return [1]

    async def spoils(rows: list[int]) -> None:
        rows.append(2)

    executor = FlowExecutor()
    for _ in range(3):
        run = executor.run(Flow("f", [step(rows, "rows"), FlowStep("spoils", spoils, depends_on="rows")]))
        run.outputs["rows"].append(3)
        assert executor.run(Flow("f", [step(rows, "rows")])).outputs["rows"] == [1]


@pytest.mark.parametrize("limit", [1, 2, 6])
def test_what_is_being_computed_is_waited_for_in_one_run_and_in_several(limit: int) -> None:
    calls: list[int] = []

    async def slow(x: int) -> int:
        calls.append(x)
        await asyncio.sleep(1)
        return x

    flow = Flow("f", [step(slow, f"s{n}", inputs={"x": n % 2}) for n in range(6)])

    async def several() -> list[RunResult]:
        executor = AsyncFlowExecutor(limit)
        return list(await asyncio.gather(*(executor.execute(flow) for _ in range(3))))

    runs = run_in_virtual_time(several())
    assert sorted(calls) == [0, 1]
    assert all(run.succeeded for run in runs)
    assert [[one.outputs["result"] for one in run.results] for run in runs] == [[0, 1, 0, 1, 0, 1]] * 3


def test_one_that_waits_computes_it_itself_where_the_other_fails_or_is_cancelled() -> None:
    calls: list[str] = []

    async def shaky() -> str:
        calls.append("call")
        await asyncio.sleep(1)
        if len(calls) == 1:
            raise LookupError
        return "done"

    run = play(Flow("f", [step(shaky, "a"), step(shaky, "b"), step(shaky, "c")], on_error="continue"))
    assert [one.status.value for one in run.results] == ["failed", "success", "success"]
    assert len(calls) == 2
    calls.clear()

    async def first_is_cancelled() -> RunResult:
        executor = AsyncFlowExecutor()
        first = asyncio.create_task(executor.execute(Flow("f", [step(shaky)])))
        await asyncio.sleep(0.5)
        second = asyncio.create_task(executor.execute(Flow("f", [step(shaky)])))
        await asyncio.sleep(0.1)
        first.cancel()
        return await second

    assert run_in_virtual_time(first_is_cancelled()).outputs["a"] == "done"


def test_a_call_that_is_to_return_something_else_or_to_make_files_is_another_call(tmp_path: Path) -> None:
    def pair(x: int) -> list[int]:
        return [x, 2 * x]

    options: list[dict[str, Any]] = [
        {},
        {"returns": ["p"]},
        {"returns": ["q"]},
        {"returns": ["a", "b"]},
        {"files": "*"},
    ]
    executor = FlowExecutor(directory=tmp_path)
    runs = [executor.run(Flow("f", [step(pair, **one)]), {"x": 1}) for one in options * 2]
    found = [dict(run["a"].outputs) for run in runs]
    assert found == 2 * [{"result": [1, 2]}, {"p": [1, 2]}, {"q": [1, 2]}, {"a": 1, "b": 2}, {"result": [1, 2]}]
    assert [cached(run) for run in runs] == 5 * [False] + 5 * [True]


def test_a_row_of_a_durable_run_is_not_for_one_in_memory(tmp_path: Path) -> None:
    def give() -> list[int]:
        return [1, 2]

    flow = Flow("f", [step(give, returns=[Return("x", "object", serializer=json)])])
    runs = [
        FlowExecutor(cache=tmp_path / "cache", store=store).run(flow)
        for store in (tmp_path / "a", None, tmp_path / "b", None)
    ]
    assert [run.outputs["x"] for run in runs] == 2 * [{"$serialized": "[1, 2]"}, [1, 2]]
    assert [cached(run) for run in runs] == [False, False, True, True]


def test_a_remembered_metric_is_still_one() -> None:
    executor = FlowExecutor()
    flow = Flow("f", [step(lambda: 0.5, returns=[metric("loss")])])
    found = [executor.run(flow)["a"].metadata for _ in range(2)]
    assert found == [{"metrics": {"loss": 0.5}}, {"cached": True, "metrics": {"loss": 0.5}}]


@dataclass
class Point:
    x: int


def deep() -> list[Any]:
    made: list[Any] = []
    for _ in range(5_000):
        made = [made]
    return made


def circle() -> list[Any]:
    made: list[Any] = []
    made.append(made)
    return made


@pytest.mark.parametrize("make_value", [deep, circle, lambda: 10**5_000])
@pytest.mark.parametrize("folder", [None, "cache"])
def test_what_json_cannot_say_at_all_is_still_a_result(
    tmp_path: Path, make_value: Callable[[], Any], folder: str | None
) -> None:
    executor = FlowExecutor(cache=folder and tmp_path / folder)
    runs = [executor.run(Flow("f", [step(make_value)])) for _ in range(2)]
    assert [(run.status.value, cached(run)) for run in runs] == 2 * [("success", False)]


@pytest.mark.parametrize("value", [(1, 2), {1: 2}, {1, 2}, Point(1), b"x", float("inf"), {"deep": [(1,)]}])
def test_a_result_that_json_would_change_is_computed_each_time(value: object) -> None:
    calls: list[int] = []

    def give() -> object:
        calls.append(1)
        return value

    executor = FlowExecutor()
    runs = [executor.run(Flow("f", [step(give)])) for _ in range(2)]
    assert len(calls) == 2
    assert runs[0].outputs == runs[1].outputs


def test_a_row_counts_only_while_its_files_are_as_they_were(tmp_path: Path) -> None:
    made, calls = tmp_path / "out" / "made.txt", list[int]()

    def build() -> str:
        calls.append(1)
        made.parent.mkdir(exist_ok=True)
        made.write_text("made")
        return "built"

    flow = Flow("f", [step(build, files="out/*.txt")])
    executor = FlowExecutor(directory=tmp_path, cache=tmp_path / "cache")
    assert [cached(executor.run(flow)) for _ in range(3)] == [False, True, True]
    made.unlink()
    assert not cached(executor.run(flow))
    made.write_text("changed")
    assert not cached(executor.run(flow))
    assert made.read_text() == "made"
    (tmp_path / "out" / "more.txt").write_text("of somebody else")
    assert cached(executor.run(flow))
    assert len(calls) == 3


def test_two_stars_at_the_end_of_a_pattern_mean_the_files_of_every_folder_below(tmp_path: Path) -> None:
    made = [tmp_path / "out" / "made.txt", tmp_path / "out" / "deep" / "made.txt"]

    def build() -> str:
        for file in made:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("made")
        return "built"

    flow = Flow("f", [step(build, files="out/**")])
    executor = FlowExecutor(directory=tmp_path, cache=tmp_path / "cache")
    assert [cached(executor.run(flow)) for _ in range(2)] == [False, True]
    for file in made:
        file.unlink()
        assert not cached(executor.run(flow))
        assert cached(executor.run(flow))


def test_a_folder_is_shared_with_later_executors_and_what_is_broken_in_it_is_a_miss(tmp_path: Path) -> None:
    calls: list[int] = []

    def compute(x: int) -> int:
        calls.append(x)
        return x

    def once() -> bool:
        return cached(FlowExecutor(cache=tmp_path).run(Flow("f", [step(compute)]), {"x": 1}))

    assert [once() for _ in range(2)] == [False, True]
    (row,) = tmp_path.iterdir()
    for text in ("", "{", "[]", '{"outputs": 3}', json.dumps({"outputs": {}, "output": ""})):
        row.write_text(text)
        assert not once()
        assert once()
    assert len(calls) == 6


_CHILD = """
import sys
from orchestration.flow import Flow, FlowExecutor, FlowStep
def work(x):
    with open("calls", "a") as file:
        file.write("x")
    return {"got": x in {"one", "two", "three"} or x in ({"four", "five", "six"}, 1)}
run = FlowExecutor(cache="cache").run(Flow("f", [FlowStep("a", work, cache=True)]), {"x": {"b", "a", "c"} and 1})
print(run["a"].metadata.get("cached", False))
"""


@pytest.mark.slow
def test_a_folder_is_shared_by_processes_under_any_hash_seed(tmp_path: Path) -> None:
    (tmp_path / "child.py").write_text(_CHILD)
    said = []
    for seed in "012":
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            [sys.executable, "child.py"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
        )
        said.append(done.stdout.strip())
    assert said == ["False", "True", "True"]
    assert (tmp_path / "calls").read_text() == "x"


def test_neither_a_fallback_nor_a_failure_is_remembered() -> None:
    calls: list[str] = []

    def fails() -> None:
        calls.append("main")
        raise LookupError

    executor = FlowExecutor()
    for _ in range(2):
        run = executor.run(Flow("f", [step(fails, fallback=lambda: "instead")]))
        assert run.outputs["a"] == "instead"
    assert calls == ["main", "main"]


def test_what_is_made_again_in_each_run_cannot_be_remembered() -> None:
    with pytest.raises(UsageError, match="cannot be cached"):
        step(lambda: 1, returns=[Return("x", "object", recompute=True)])
