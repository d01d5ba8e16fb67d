"""Members of enums choose by their value or as themselves, the same in memory and as a store gives them back."""

from collections.abc import Callable
from enum import Enum, StrEnum
from pathlib import Path
from typing import Any

import pytest

from orchestration import AsyncFlowExecutor, AsyncPipeline, Conditional, Flow, FlowStep, PythonTask
from orchestration.kinds import ExecutionStatus
from orchestration.prompts import evaluate


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Level(Enum):
    LOW = 1
    HIGH = 2


class Word(StrEnum):
    RED = "red"


def giving(value: object) -> Callable[[], object]:
    return lambda: value


@pytest.mark.parametrize("durable", [False, True])
@pytest.mark.parametrize(
    ("value", "keys", "chosen"),
    [
        (Colour.RED, ["red", "blue"], "red"),
        (Colour.BLUE, [Colour.RED, Colour.BLUE], "Colour.BLUE"),
        ("blue", [Colour.RED, Colour.BLUE], "Colour.BLUE"),
        (Colour.RED, ["Colour.RED", "blue"], None),
        (Level.HIGH, [1, 2], "2"),
        (Level.HIGH, ["1", "2"], "2"),
        (Level.HIGH, [Level.LOW, Level.HIGH], "Level.HIGH"),
        (Word.RED, ["red"], "red"),
        (Word.RED, [Colour.RED], "Colour.RED"),
    ],
)
async def test_a_branch_is_chosen_by_a_member_or_its_value(
    tmp_path: Path, value: object, keys: list[Any], chosen: str | None, durable: bool
) -> None:
    branches = {key: PythonTask(giving(str(key)), name="say", returns=["said"]) for key in keys}
    first = PythonTask(giving(value), name="give", returns=["colour"])
    pipeline = AsyncPipeline([first, Conditional("choose", branches, parameter="colour")], name="p")
    run = await pipeline.execute(store=str(tmp_path / "state") if durable else None)
    assert run["choose"].metadata.get("branch") == chosen
    assert (run["choose"].status is ExecutionStatus.SUCCESS) is (chosen is not None)


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("colour == 'red'", True),
        ("'red' == colour", True),
        ("colour != 'blue'", True),
        ("colour in ['red', 'green']", True),
        ("'red' in colours", True),
        ("colour == first.colour", True),
        ("colour.value == 'red'", True),
        ("colour.name == 'RED'", True),
        ("colour == 'Colour.RED'", False),
        ("level > 1", True),
    ],
)
async def test_conditions_in_words_compare_members_by_value(condition: str, holds: bool) -> None:
    known: dict[str, object] = {"colour": Colour.RED, "colours": (Colour.RED, Colour.BLUE), "level": Level.HIGH}
    known["first"] = {"colour": Word.RED}
    assert bool(evaluate(condition, known)) is holds
    steps = [
        FlowStep(id="give", function=giving(known)),
        FlowStep(id="then", function=giving(1), when=condition, depends_on=["give"]),
    ]
    run = await AsyncFlowExecutor().execute(Flow(name="f", steps=steps))
    assert run["then"].status is (ExecutionStatus.SUCCESS if holds else ExecutionStatus.SKIPPED)
