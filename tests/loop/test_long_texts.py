"""Text without end that a generator yields: what is kept of it is known, and what later steps are given is whole."""

from collections.abc import AsyncIterator

import pytest

from orchestration.flow import AsyncFlowExecutor, Flow, FlowStep
from orchestration.pipeline import AsyncPipeline, AsyncPythonTask
from orchestration.steps.items import MAX_TEXT

PIECE = MAX_TEXT // 2 + 1


async def speak() -> AsyncIterator[str]:
    for letter in "abcd":
        yield letter * PIECE


WHOLE = "".join(letter * PIECE for letter in "abcd")


async def test_the_last_part_of_a_long_output_is_kept_and_the_rest_is_counted() -> None:
    run = await AsyncPipeline([AsyncPythonTask(speak)]).execute()
    (result,) = run.results
    assert result.output == WHOLE[-PIECE:]
    assert result.metadata["output_truncated_characters"] == 3 * PIECE


async def test_a_declared_return_is_whole() -> None:
    run = await AsyncPipeline([AsyncPythonTask(speak, returns=["text"])]).execute()
    assert run.outputs["text"] == WHOLE
    assert "output_truncated_characters" not in run.results[0].metadata


@pytest.mark.parametrize("cache", [False, True])
async def test_what_a_step_of_a_flow_gives_to_another_one_is_whole(cache: bool) -> None:
    def measure(speaks: str) -> int:
        return len(speaks)

    flow = Flow("f", [FlowStep("speaks", speak, cache=cache), FlowStep("measures", measure, depends_on="speaks")])
    run = await AsyncFlowExecutor().execute(flow)
    assert run["measures"].outputs == {"result": len(WHOLE)}
