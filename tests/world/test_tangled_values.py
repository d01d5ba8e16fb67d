"""Values that hold themselves, or share so much that nobody could write them out, on their way through a run."""

import json
from pathlib import Path
from typing import Any

import pytest

from orchestration.flow import AsyncFlowExecutor, Flow, FlowStep, ref
from orchestration.kinds import Failure
from orchestration.pipeline import AsyncPipeline, AsyncPythonTask, Map
from tests.core.test_step_values import shared, tree


async def of_a_tree() -> Any:  # noqa: ANN401  # a dictionary
    return tree()


async def of_shares() -> Any:  # noqa: ANN401  # a list
    return shared()


async def look(found: Any) -> str:  # noqa: ANN401  # either
    return type(found).__name__


@pytest.mark.parametrize("make", [of_a_tree, of_shares])
async def test_in_memory_they_go_from_step_to_step_and_are_shown(make: Any) -> None:  # noqa: ANN401  # a function
    steps = [FlowStep("a", make), FlowStep("b", look, depends_on=["a"], inputs={"found": ref("a")}, cache=True)]
    for _ in range(2):
        run = await AsyncFlowExecutor().execute(Flow("f", steps))
        assert run.succeeded
        assert run.results[1].outputs == {"result": type(await make()).__name__}
        assert len(json.dumps(run.to_dict())) < 100_000_000


async def test_a_leaf_finds_its_parent_again() -> None:
    async def grow() -> Any:  # noqa: ANN401  # a list
        return [tree()]

    async def climb(grown: Any) -> str:  # noqa: ANN401  # a list; what asks for a type gets one of its own
        assert grown[0]["parts"][2]["above"] is grown[0]
        return str(grown[0]["parts"][2]["above"]["name"])

    steps = [FlowStep("a", grow), FlowStep("b", climb, depends_on=["a"], inputs={"grown": ref("a")})]
    run = await AsyncFlowExecutor().execute(Flow("f", steps))
    assert run.results[1].outputs == {"result": "root"}


@pytest.mark.parametrize(("make", "why"), [(of_a_tree, "it holds itself"), (of_shares, "shared so often")])
async def test_in_a_store_that_lasts_they_fail_their_step(make: Any, why: str, tmp_path: Path) -> None:  # noqa: ANN401  # a function
    run = await AsyncFlowExecutor(store=tmp_path).execute(Flow("f", [FlowStep("a", make)]))
    (result,) = run.results
    assert result.failure is Failure.INVALID_OUTPUT
    assert why in (result.error or "")


async def test_a_pipeline_hands_them_on_too() -> None:
    async def name(item: dict[str, Any]) -> str:
        return str(item["above"]["name"])

    async def parts() -> Any:  # noqa: ANN401  # a list
        return tree()["parts"]

    async def last(name: list[str]) -> str:
        return " ".join(name)

    first = AsyncPythonTask(parts, returns=["parts"])
    each = Map("m", AsyncPythonTask(name, returns=["name"]), iterate_on="parts", iterate_as="item")
    run = await AsyncPipeline([first, each, AsyncPythonTask(last)]).execute()
    assert run.succeeded
    assert run.results[-1].output == "root root root"
