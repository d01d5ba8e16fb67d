"""What is different about single steps in one run: by their paths, checked before anything runs."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from orchestration import (
    AgentRegistry,
    AgentStep,
    AsyncPipeline,
    AsyncPythonTask,
    Conditional,
    Failure,
    Loop,
    Map,
    Parallel,
    PythonTask,
    ShellTask,
)
from orchestration.errors import UsageError

CALLED: list[str] = []


async def hangs() -> None:
    CALLED.append("hangs")
    await asyncio.sleep(60)


async def fails() -> None:
    CALLED.append("fails")
    raise ValueError("no")


def nested() -> AsyncPipeline:
    CALLED.clear()
    return AsyncPipeline(
        [
            Parallel(
                "p",
                {
                    "left": AsyncPipeline([AsyncPythonTask(hangs, "fetch")], "l"),
                    "right": AsyncPythonTask(fails, "f"),
                },
                max_concurrent=1,
            )
        ],
        "outer",
    )


async def test_a_nested_step_is_changed_by_its_path_and_the_pipeline_stays_what_it_is() -> None:
    one = nested()
    changes: dict[str, dict[str, Any]] = {
        "p/left/fetch": {"timeout": 0.05},
        "p/right/f": {"retry": {"max": 3, "backoff": 0}},
    }
    run = await one.execute(overrides=changes)
    assert run["p/left/fetch"].failure is Failure.TIMEOUT
    assert len(run["p/right/f"].attempts) == 3
    async with one.execute_streaming(overrides={**changes, "p/right/f": {"retry": 2}}) as stream:
        assert len((await stream.result())["p/right/f"].attempts) == 2
    assert one.steps[0].branches["right"].read_retry is None  # type: ignore[union-attr]  # the Parallel above


async def test_items_and_rounds_are_changed_one_by_one_or_all_together() -> None:
    async def one(item: int) -> None:
        await asyncio.sleep(60 if item else 0)

    pipeline = AsyncPipeline([Map("m", AsyncPythonTask(one, "x"), "items", "item")])
    run = await pipeline.execute(
        {"items": [1, 1, 1]}, overrides={"m[*]/x": {"timeout": 0.05}, "m[1]/x": {"timeout": 0.1, "retry": 2}}
    )
    assert [run[f"m[{i}]/x"].failure for i in range(3)] == [Failure.TIMEOUT] * 3
    assert [len(run[f"m[{i}]/x"].attempts) for i in range(3)] == [1, 2, 1]
    loop = AsyncPipeline([Loop("l", PythonTask(lambda: True, "r", returns=["done"]), "done", 3)])
    assert (await loop.execute(overrides={"l[*]/r": {"timeout": "5s"}})).status == "success"


async def test_how_many_at_once_can_be_changed() -> None:
    busy, most = 0, 0

    async def counts(item: int) -> None:
        nonlocal busy, most
        del item
        busy += 1
        most = max(most, busy)
        await asyncio.sleep(0.005)
        busy -= 1

    pipeline = AsyncPipeline([Map("m", AsyncPythonTask(counts), "items", "item", max_concurrent=1)])
    for limit in (3, None, 1):
        most = 0
        run = await pipeline.execute({"items": list(range(6))}, overrides={"m": {"max_concurrent": limit}})
        assert run.status == "success"
        assert most == (limit or 6)


async def test_commands_and_agents_get_other_variables_limits_and_doers(tmp_path: Path) -> None:
    registry = AgentRegistry()
    registry.register("one", lambda: "one")
    registry.register("two", lambda: "two")
    pipeline = AsyncPipeline(
        [
            ShellTask("s", "echo $A $B", env={"A": "a", "B": "b"}),
            AgentStep("g", "one", prompt="x"),
            Parallel("p", {"g": AgentStep("g", "one", prompt="x")}),
            ShellTask("slow", "sleep 60", timeout=60),
        ],
        registry=registry,
        directory=tmp_path,
    )
    run = await pipeline.execute(
        overrides={
            "s": {"env": {"B": "c"}},
            "g": {"agent": "two"},
            "slow": {"timeout": "200ms"},
            "p/g/g": {"agent": "two"},
        }
    )
    assert (run["g"].agent, run["p/g/g"].agent, run["p/g/g"].output) == ("two", "two", "two")
    assert run["s"].output == "a c"
    assert run["g"].output == "two"
    assert run["slow"].failure is Failure.TIMEOUT


@pytest.mark.parametrize(
    ("overrides", "error", "hint"),
    [
        ({"p/left/fetsh": {}}, "there is no step 'p/left/fetsh'", "p/left/fetch"),
        ({"fetch": {"timeout": 1}}, "there is no step 'fetch'", ""),
        ({"p/left/fetch": {"timeot": 1}}, "has no 'timeot'", "timeout"),
        ({"p/left/fetch": {"on_failure": "x"}}, "has no 'on_failure'", ""),
        ({"p/left/fetch": {"env": {}}}, "kind python has no 'env'", ""),
        ({"p": {"timeout": 1}}, "kind parallel has no 'timeout'", "max_concurrent"),
        ({"p/left": {"max_concurrent": 1}}, "kind pipeline has no 'max_concurrent'", ""),
        ({"p": {"max_concurrent": 0}}, "max_concurrent is 0", ""),
        ({"p/left/fetch": {"timeout": "soon"}}, "timeout", ""),
        ({"p/left/fetch": {"timeout": 0}}, "timeout", ""),
        ({"p/left/fetch": {"retry": {"max": 0}}}, "retry.max", ""),
        ({"p/left/fetch": 3}, "overrides of p/left/fetch", ""),
        ([1], "overrides are a dictionary", ""),
        ({"p[0]": {}}, "there is no step 'p[0]'", ""),
    ],
)
async def test_what_is_not_there_is_refused_before_anything_runs(overrides: Any, error: str, hint: str) -> None:  # noqa: ANN401  # wrong on purpose
    with pytest.raises(UsageError) as raised:
        await nested().execute(overrides=overrides)
    assert error in str(raised.value)
    assert hint in (raised.value.hint or "")
    assert not CALLED


@pytest.mark.parametrize("changes", [{"env": {"A": 1j}}, {"agent": 3}, {"env": 5}, {"timeout": -1}])
async def test_what_a_command_cannot_have_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        await AsyncPipeline([ShellTask("s", "true")]).execute(overrides={"s": changes})


async def test_branches_of_a_choice_have_paths_too_and_a_run_goes_on_without_its_overrides(tmp_path: Path) -> None:
    pipeline = AsyncPipeline([Conditional("c", {"a": AsyncPythonTask(hangs, "h")}, parameter="x")])
    store = tmp_path / "state"
    run = await pipeline.execute({"x": "a"}, "r", store=store, overrides={"c/a/h": {"timeout": 0.05}})
    assert run["c/a/h"].failure is Failure.TIMEOUT
    assert (await pipeline.execute({"x": "a"}, "r", store=store)).to_dict() == run.to_dict()
