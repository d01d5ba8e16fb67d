"""Secrets and files around the steps of flows: as around the tasks of pipelines."""

import asyncio
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestration import AsyncFlowExecutor, Failure, Flow, FlowExecutor, FlowStep, current_step, load_flow
from orchestration.errors import UsageError
from orchestration.steps.binding import CannotBind
from tests.world.step_secrets import NAMED, leaks, make_project, say

SECRET = NAMED["FROM_DOTENV"]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return make_project(tmp_path / "project")


def here() -> Path:
    step = current_step()
    assert step is not None
    return step.directory


def writes(name: str) -> Callable[[], int]:
    return lambda: (here() / name).write_text(f"by {name}")


async def run(project: Path, *steps: FlowStep, **options: Any) -> Any:  # noqa: ANN401  # a result
    return await AsyncFlowExecutor(directory=project).execute(Flow("f", steps), **options)


async def test_a_step_gets_the_secrets_that_it_names_and_nobody_else_does(project: Path) -> None:
    def asks(FROM_DOTENV: str, n: int) -> dict[str, object]:  # noqa: N803  # a secret's name
        step = current_step()
        return {"right": FROM_DOTENV == SECRET, "same": bool(step and step.secrets == {"FROM_DOTENV": SECRET}), "n": n}

    def adds(FROM_DOTENV: str, left: int) -> int:  # noqa: N803  # likewise
        return len(FROM_DOTENV) + left

    def sees() -> list[str]:
        step = current_step()
        return list(step.secrets) if step else []

    result = await run(
        project,
        FlowStep("number", lambda: 3),
        FlowStep("asks", asks, depends_on="number", secrets=["FROM_DOTENV"], inputs={"n": 3}),
        FlowStep("left", adds, secrets=["FROM_DOTENV"], depends_on="number"),
        FlowStep("sees", sees, depends_on="asks"),
        FlowStep("all", lambda **others: sorted(others), depends_on="number", secrets=["FROM_DOTENV"]),
    )
    assert result.succeeded, [one.error for one in result.results]
    assert result["asks"].outputs == {"right": True, "same": True, "n": 3}
    assert result["left"].outputs == {"result": len(SECRET) + 3}, "the one value that is left is that of its step"
    assert result["sees"].outputs == {"result": []}
    assert result["all"].outputs == {"result": ["number"]}


async def test_who_does_not_name_it_is_refused_before_anything_runs(project: Path) -> None:
    began: list[int] = []
    with pytest.raises(CannotBind, match="FROM_DOTENV"):
        await run(
            project,
            FlowStep("first", lambda: began.append(1)),
            FlowStep("asks", lambda FROM_DOTENV: FROM_DOTENV),  # noqa: N803
        )
    assert began == []


async def test_it_is_hidden_in_all_that_a_flow_says_and_keeps(project: Path, tmp_path: Path) -> None:
    def tells(FROM_DOTENV: str) -> dict[str, str]:  # noqa: N803
        say(f"printed {FROM_DOTENV}")
        return {"token": FROM_DOTENV}

    async def fails(FROM_DOTENV: str) -> None:  # noqa: N803
        raise ValueError(FROM_DOTENV)

    inner = Flow("inner", [FlowStep("deep", tells, secrets=["FROM_DOTENV"])])
    flow = Flow(
        "f",
        [
            FlowStep("tells", tells, secrets=["FROM_DOTENV"]),
            FlowStep("fails", fails, secrets=["FROM_DOTENV"], retry=2, fallback=fails, on_error="skip"),
            FlowStep("inner", flow=inner),
        ],
    )
    state = tmp_path / "state"
    executor = AsyncFlowExecutor(directory=project, store=state)
    async with executor.stream(flow) as stream:
        events = [json.dumps(event, default=repr) async for event in stream]
    result = await stream.result()
    assert result.succeeded
    assert [one.outcome.failure for one in result["fails"].attempts] == [Failure.CRASHED] * 2
    texts = {"events": "\n".join(events).encode(), "result": json.dumps(result.to_dict()).encode()}
    assert leaks(texts, state) == []
    assert "***" in result["inner/deep"].output


async def test_a_secret_that_is_nowhere_fails_its_step_and_is_not_tried_again(project: Path) -> None:
    result = await run(
        project,
        FlowStep("asks", lambda NOWHERE: NOWHERE, secrets=["NOWHERE"], retry=3),  # noqa: N803
        FlowStep("after", lambda: 1, depends_on="asks"),
    )
    assert (result["asks"].failure, len(result["asks"].attempts)) == (Failure.AUTH, 1)
    assert "NOWHERE" in str(result["asks"].error)
    assert result["after"].status == "blocked"


async def test_files_are_carried_from_step_to_step(tmp_path: Path) -> None:
    def reads() -> str:
        return (here() / "a.txt").read_text()

    def takes_away() -> None:
        (here() / "a.txt").unlink()

    flow = Flow(
        "f",
        [
            FlowStep("makes", writes("a.txt"), catalog={"put": "*.txt"}),
            FlowStep("takes", takes_away, depends_on="makes"),
            FlowStep("reads", reads, depends_on="takes", catalog={"get": ["a.txt"]}),
        ],
    )
    (tmp_path / "work").mkdir()
    result = await AsyncFlowExecutor(directory=tmp_path / "work").execute(flow)
    assert result.succeeded, [one.error for one in result.results]
    assert result["reads"].outputs == {"result": "by a.txt"}
    put, got = result["makes"].metadata["catalog"]["put"], result["reads"].metadata["catalog"]["got"]
    assert put["a.txt"]["sha256"] == got["a.txt"]["sha256"]


def test_a_promised_file_that_is_missing_fails_the_step_and_a_failed_step_still_puts_what_it_made(
    tmp_path: Path,
) -> None:
    def makes_and_fails() -> None:
        (here() / "half.txt").write_text("half")
        raise ValueError("in the middle")

    flow = Flow(
        "f",
        [
            FlowStep("empty", lambda: None, catalog={"put": ["none.txt"]}),
            FlowStep("fails", makes_and_fails, catalog={"put": ["half.txt"]}),
        ],
        on_error="continue",
    )
    result = FlowExecutor(directory=tmp_path).run(flow)
    assert (result["empty"].status, result["empty"].failure) == ("failed", Failure.NO_OUTPUT)
    assert "none.txt" in str(result["empty"].error)
    assert list(result["fails"].metadata["catalog"]["put"]) == ["half.txt"]


def test_in_yaml_they_are_written_alike(project: Path) -> None:
    flow = load_flow("steps:\n  - id: asks\n    tool: asks\n    secrets: [FROM_DOTENV]\n")

    def asks(FROM_DOTENV: str) -> int:  # noqa: N803  # as above
        return len(FROM_DOTENV)

    assert FlowExecutor(directory=project, tools={"asks": asks}).run(flow).outputs["asks"] == len(SECRET)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"secrets": "TOKEN"}, "secrets is a list of names"),
        ({"secrets": ["a b"]}, "cannot be the name of a secret"),
        ({"catalog": {"take": ["x"]}}, "catalog"),
        ({"secrets": ["TOKEN"], "cache": True}, "cannot be cached"),
        ({"catalog": {"get": ["x"]}, "cache": True}, "cannot be cached"),
    ],
)
def test_what_is_impossible_is_refused_where_it_is_written(options: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        FlowStep("a", lambda: None, **options)


def test_a_flow_in_the_place_of_a_step_has_none() -> None:
    with pytest.raises(UsageError, match="no `secrets` of its own"):
        FlowStep("a", flow=Flow("inner", []), secrets=["TOKEN"])


async def test_nothing_of_it_comes_into_the_environment(project: Path) -> None:
    async def looks(FROM_DOTENV: str) -> bool:  # noqa: N803
        await asyncio.sleep(0)
        return any(FROM_DOTENV in value for value in os.environ.values())

    result = await run(project, FlowStep("looks", looks, secrets=["FROM_DOTENV"]))
    assert result.outputs["looks"] is False
