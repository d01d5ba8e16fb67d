"""Durable pipelines: killed in the middle, they go on with what is left; changed ones are refused, with the change."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from orchestration import (
    AsyncFlowExecutor,
    AsyncPipeline,
    AsyncPythonTask,
    Flow,
    FlowStep,
    Map,
    OrchError,
    Parallel,
    PythonTask,
    Return,
    RunStatus,
    ShellTask,
)
from orchestration.errors import GraphChanged, StoreError, UsageError
from orchestration.store.memory import MemoryStore
from tests.world.processes import ROOT
from tests.world.steps import nothing, pipeline_of


def run_child(folder: Path, shape: str, die: str = "", beside: int = 0) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-m", "tests.world.durable_pipelines", str(folder), shape, die, str(beside)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


EXPECTED: dict[str, dict[str, Any]] = {
    "branches": {"x": 5, "a": 12, "b": 12, "c": 12, "all": [12, 12, 12]},
    "items": {"xs": [3, 1, 2], "y": [30, 10, 20], "z": [31, 11, 21], "total": 63},
    "choice": {"way": "left", "went": "left", "told": "LEFT"},
    "rounds": {"n": 10, "m": 10},
    "objects": {"n": 1, "kind": "object", "told": ["object", 1]},
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("shape", "die", "beside"),
    [
        ("branches", "start", 0),
        ("branches", "p/b/b1", 5),
        ("branches", "p/c/c2", 6),
        ("branches", "end", 7),
        ("items", "m[1]/one", 5),
        ("items", "m[2]/two", 6),
        ("items", "end", 7),
        ("choice", "c/left/left", 2),
        ("choice", "end", 3),
        ("rounds", "l[2]/up", 2),
        ("rounds", "end", 4),
    ],
)
def test_a_killed_run_goes_on_and_does_what_had_ended_not_again(
    tmp_path: Path, shape: str, die: str, beside: int
) -> None:
    killed = run_child(tmp_path, shape, die, beside)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    again = run_child(tmp_path, shape)
    assert again.returncode == 0, again.stderr
    told = json.loads(again.stdout)
    assert (told["status"], told["outputs"]) == ("success", EXPECTED[shape])
    executed = Counter((tmp_path / "log").read_text().split())
    assert executed.pop(die) == 2
    assert set(executed.values()) <= {1}


@pytest.mark.slow
def test_a_run_killed_twice_goes_on_twice(tmp_path: Path) -> None:
    for die, beside in (("p/a/a1", 5), ("p/a/a2", 6)):
        assert run_child(tmp_path, "branches", die, beside).returncode == -signal.SIGKILL
    told = json.loads(run_child(tmp_path, "branches").stdout)
    assert told["outputs"] == EXPECTED["branches"]


@pytest.mark.slow
def test_objects_that_lived_in_memory_are_made_again_and_nothing_else_is(tmp_path: Path) -> None:
    assert run_child(tmp_path, "objects", "end", 2).returncode == -signal.SIGKILL
    told = json.loads(run_child(tmp_path, "objects").stdout)
    assert told["outputs"] == EXPECTED["objects"]
    assert Counter((tmp_path / "log").read_text().split()) == {"make": 2, "middle": 1, "end": 2}


@pytest.mark.slow
def test_a_step_in_a_branch_that_must_not_be_begun_twice_has_failed_and_its_branch_with_it(tmp_path: Path) -> None:
    assert run_child(tmp_path, "guarded", "p/a/once", 1).returncode == -signal.SIGKILL
    again = run_child(tmp_path, "guarded")
    assert again.returncode == 0, again.stderr
    told = json.loads(again.stdout)
    assert told["status"] == "failed"
    assert told["steps"] == {
        "p": "failed",
        "p/a": "failed",
        "p/a/once": "failed",
        "p/b": "success",
        "p/b/other": "success",
        "end": "blocked",
    }
    assert Counter((tmp_path / "log").read_text().split()) == {"p/a/once": 1, "p/b/other": 1}


# -- in one process --------------------------------------------------------------------------------------------------


def shape_of_all(name: str = "a", *, extra: bool = False, kind: Any = AsyncPythonTask, swap: bool = False) -> Any:  # noqa: ANN401  # a pipeline
    inner: list[Any] = [AsyncPythonTask(nothing, name), *([AsyncPythonTask(nothing, "extra")] if extra else [])]
    last = kind(nothing, "last") if kind is AsyncPythonTask else PythonTask(lambda: None, "last")
    steps: list[Any] = [Parallel("p", {"b": pipeline_of(*inner)}), last]
    return pipeline_of(*(reversed(steps) if swap else steps))


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (shape_of_all("z"), ["the step p/b/a is gone", "the step p/b/z is new"]),
        (shape_of_all(extra=True), ["the step p/b/extra is new"]),
        (shape_of_all(swap=True), ["p depended on nothing and now depends on last"]),
        (pipeline_of(Parallel("p", {}), AsyncPythonTask(nothing, "last")), ["the step p/b is gone"]),
        (
            pipeline_of(
                pipeline_of(pipeline_of(AsyncPythonTask(nothing, "a"), name="b"), name="p"),
                AsyncPythonTask(nothing, "last"),
            ),
            ["p was of kind parallel and is now of kind pipeline"],
        ),
    ],
)
async def test_a_changed_pipeline_is_refused_with_what_changed(tmp_path: Path, other: Any, told: list[str]) -> None:  # noqa: ANN401  # a pipeline
    await shape_of_all().execute(run_id="r", store=tmp_path)
    with pytest.raises(GraphChanged) as caught:
        await other.execute(run_id="r", store=tmp_path)
    assert caught.value.exit_code == 2
    for one in told:
        assert one in caught.value.message
    assert (await shape_of_all().execute(run_id="r", store=tmp_path)).succeeded


async def test_a_run_of_another_name_is_refused_though_its_steps_are_called_the_same(tmp_path: Path) -> None:
    first, other = (AsyncPipeline([AsyncPythonTask(nothing, "load")], name=name) for name in ("sales", "stock"))
    flow = Flow("sales", [FlowStep("load", nothing)])
    assert (await first.execute(run_id="nightly", store=tmp_path)).succeeded
    with pytest.raises(GraphChanged, match="it is a run of the pipeline sales, and this is the pipeline stock"):
        await other.execute(run_id="nightly", store=tmp_path)
    with pytest.raises(GraphChanged, match="it is a run of the pipeline sales, and this is the flow sales"):
        await AsyncFlowExecutor(store=tmp_path).execute(flow, run_id="nightly")
    unnamed = AsyncPipeline([AsyncPythonTask(nothing, "load")])
    for again in (first, unnamed):
        assert (await again.execute(run_id="nightly", store=tmp_path)).succeeded


async def test_other_parameters_are_refused_and_those_not_given_again_are_what_they_were(tmp_path: Path) -> None:
    pipeline = pipeline_of(AsyncPythonTask(add, returns=["s"]))
    assert (await pipeline.execute({"x": 1, "y": 2}, run_id="r", store=tmp_path)).outputs == {"s": 3}
    assert (await pipeline.execute({"x": 1}, run_id="r", store=tmp_path)).outputs == {"s": 3}
    with pytest.raises(GraphChanged, match="parameter x was 1 and is now 5"):
        await pipeline.execute({"x": 5}, run_id="r", store=tmp_path)
    with pytest.raises(GraphChanged, match="parameter z is new"):
        await pipeline.execute({"z": 5}, run_id="r", store=tmp_path)


async def add(x: int, y: int) -> int:
    return x + y


class Model(BaseModel):
    """A parameter that JSON shows, and that does not come back from it as what it was."""

    a: int


class Client:
    """A parameter that JSON knows nothing of."""


@pytest.mark.parametrize("value", [Client(), Model(a=1), (1, 2), {"deep": [Client()]}, {1: 2}], ids=repr)
async def test_parameters_that_no_store_can_keep_have_to_be_given_again(value: Any) -> None:  # noqa: ANN401  # any value
    store = Mute()
    seen: list[Any] = []

    async def use(given: Any) -> None:  # noqa: ANN401  # any value
        seen.append(given)
        store.is_mute = len(seen) == 1

    pipeline = pipeline_of(use)
    with pytest.raises(StoreError):
        await pipeline.execute({"given": value}, run_id="r", store=store)
    store.is_mute = False
    with pytest.raises(UsageError, match="the run has to be given given again"):
        await pipeline.execute(run_id="r", store=store)
    run = await pipeline.execute({"given": value}, run_id="r", store=store)
    assert run.succeeded
    assert seen == [value, value]
    assert (await pipeline.execute(run_id="r", store=store)).succeeded


class Mute(MemoryStore):
    """A store that can be made to take nothing more, which leaves a run as a kill leaves it."""

    is_mute = False

    def append(self, run_id: str, events: Any) -> Any:  # noqa: ANN401  # as its twin has it
        if self.is_mute:
            raise StoreError("no room")
        return super().append(run_id, events)


async def test_a_run_that_has_ended_is_not_run_again_and_has_the_same_result(tmp_path: Path) -> None:
    ran: list[int] = []

    async def note(x: int) -> int:
        ran.append(x)
        return x

    pipeline = pipeline_of(Map("m", AsyncPythonTask(note, returns=["y"]), "xs", "x"), ShellTask("s", "echo hi"))
    first = await pipeline.execute({"xs": [1, 2]}, run_id="r", store=tmp_path)
    second = await pipeline.execute({"xs": [1, 2]}, run_id="r", store=tmp_path)
    assert ran == [1, 2]
    assert first.to_dict() == second.to_dict()


async def test_durable_values_are_json_and_what_is_not_is_refused_before_anything_runs(tmp_path: Path) -> None:
    ran: list[int] = []

    async def make() -> Any:  # noqa: ANN401  # any value
        ran.append(1)
        return Client()

    pipeline = pipeline_of(AsyncPythonTask(make, returns=[Return("c", "object")]))
    with pytest.raises(UsageError, match="returns the object c, which this store cannot keep"):
        await pipeline.execute(store=tmp_path)
    assert not ran
    run = await pipeline_of(AsyncPythonTask(make, returns=["c"])).execute(store=tmp_path)
    assert "the return c is not JSON" in (run["make"].error or "")
    inner = Parallel("p", {"b": AsyncPythonTask(make, returns=[Return("c", "object", recompute=True)])})
    with pytest.raises(UsageError, match="which only outermost steps can do"):
        await pipeline_of(inner).execute(store=tmp_path)


class Upper:
    """A serializer."""

    @staticmethod
    def dumps(value: Any) -> str:  # noqa: ANN401  # any object
        return f"{value.real}"

    @staticmethod
    def loads(data: Any) -> Any:  # noqa: ANN401  # as above
        return complex(int(float(data)))


async def test_objects_travel_through_a_durable_store_by_their_serializer(tmp_path: Path) -> None:
    async def make(x: int) -> complex:
        return complex(x)

    async def use(c: Any) -> list[str]:  # noqa: ANN401  # an object
        return [repr(one) for one in c]

    made = AsyncPythonTask(make, returns=[Return("c", "object", serializer=Upper)])
    pipeline = pipeline_of(Map("m", made, "xs", "x"), AsyncPythonTask(use, returns=["told"]))
    for _ in range(2):
        run = await pipeline.execute({"xs": [1, 2]}, run_id="r", store=tmp_path)
        assert run.outputs["told"] == ["(1+0j)", "(2+0j)"]


async def test_a_reducer_is_given_objects_and_what_it_makes_is_kept_as_they_are(tmp_path: Path) -> None:
    async def make(x: int) -> complex:
        return complex(x)

    made = AsyncPythonTask(make, returns=[Return("c", "object", serializer=Upper)])
    for reducer, expected in ((sum, "(3+0j)"), (len, "(2+0j)"), (lambda made: {"all": len(made)}, "{'all': 2}")):
        told = PythonTask(lambda c: f"{c!r}", "tell", returns=["told"])
        pipeline = pipeline_of(Map("m", made, "xs", "x", reducer=reducer), told)
        run = await pipeline.execute({"xs": [1, 2]}, store=tmp_path)
        assert run.outputs["told"] == expected


async def test_models_and_other_records_are_json_in_a_durable_store_live_and_again(tmp_path: Path) -> None:
    async def make() -> dict[str, Any]:
        return {"m": Model(a=1), "t": (1, 2), "s": {2, 1}}

    async def use(m: Model, t: list[int], s: list[int]) -> list[Any]:
        return [m.a, t, s]

    pipeline = pipeline_of(AsyncPythonTask(make, returns=["m", "t", "s"]), AsyncPythonTask(use, returns=["told"]))
    run = await pipeline.execute(run_id="r", store=tmp_path)
    assert run.outputs == {"m": {"a": 1}, "t": [1, 2], "s": [1, 2], "told": [1, [1, 2], [1, 2]]}


async def test_logs_of_durable_runs_are_kept_and_named(tmp_path: Path) -> None:
    async def talks(x: int) -> Any:  # noqa: ANN401  # an async generator
        print("working")
        yield {"x": x}

    run = await pipeline_of(Map("m", AsyncPythonTask(talks), "xs", "x")).execute(
        {"xs": [7]}, run_id="r", store=tmp_path
    )
    folder = Path(run["talks"].log_path or "")
    assert folder == tmp_path / "runs" / "r" / "m[0]" / "talks" / "1"
    assert json.loads((folder / "chunks.jsonl").read_text()) == {"x": 7}
    assert (folder / "stdout.log").read_text() == "working\n"


async def test_a_store_in_memory_continues_within_its_process() -> None:
    store = MemoryStore()
    pipeline = pipeline_of(AsyncPythonTask(add, returns=["s"]))
    first = await pipeline.execute({"x": 1, "y": 2}, run_id="r", store=store)
    assert (await pipeline.execute({"x": 1, "y": 2}, run_id="r", store=store)).to_dict() == first.to_dict()
    assert (await store.runs())[0].status is RunStatus.SUCCESS


async def test_names_of_runs_that_no_folder_can_have_are_refused(tmp_path: Path) -> None:
    for name in ("../up", "a/b", "", "x" * 300):
        with pytest.raises(OrchError):
            await pipeline_of(nothing).execute(run_id=name, store=tmp_path)
