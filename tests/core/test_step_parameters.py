"""Parameters from a file, from variables and from the caller: who counts more, and which type comes of it."""

import json
import os
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal, TypedDict

import pytest
from pydantic import BaseModel, Field, SecretStr
from typing_extensions import TypeAliasType

from orchestration import (
    AsyncFlowExecutor,
    AsyncPipeline,
    Flow,
    FlowExecutor,
    FlowStep,
    Parallel,
    PythonTask,
    ShellTask,
    ref,
)
from orchestration.errors import GraphChanged, InvalidProject, UsageError
from orchestration.steps.parameters import asked_by, read, value_of


class Colour(Enum):
    RED = "red"


class Inner(BaseModel):
    lr: float = 1.0
    name: str = "n"
    tags: dict[str, str] = Field(default_factory=dict)


class Config(BaseModel):
    inner: Inner = Inner()
    lr: float = 5.0
    momentum: float = 0.5
    label: str | None = None


@dataclass
class Data:
    code: str = ""
    n: int = 0


class Typed(TypedDict):
    code: str
    n: int


Text = TypeAliasType("Text", str | None)  # as `type Text = str | None` makes it since Python 3.12
Texts = TypeAliasType("Texts", dict[str, Text])
Broad = TypeAliasType("Broad", "Text | int")


def test_given_counts_more_than_variables_and_these_more_than_the_file(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text("a: 1\nb: 1\nc: 1\n")
    found = read({"a": 3}, file=tmp_path / "p.yaml", environment={"ORCH_PRM_a": "2", "ORCH_PRM_b": "2", "OTHER": "x"})
    assert found == {"a": 3, "b": 2, "c": 1}


@pytest.mark.parametrize("name", ["p.yaml", "p.yml", "p.json", "p.JSON"])
def test_a_file_keeps_its_types(tmp_path: Path, name: str) -> None:
    values = {"i": 1, "f": 1.5, "t": "1", "b": True, "n": None, "l": [1, "2"], "d": {"x": {"y": "z"}}}
    (tmp_path / name).write_text(json.dumps(values))
    assert read(file=tmp_path / name) == values


@pytest.mark.parametrize(
    ("name", "text", "error"),
    [
        ("none.yaml", None, "cannot be read: it does not exist"),
        ("list.yaml", "- 1\n", "holds no names and values"),
        ("broken.yaml", "a: [1\n", "broken.yaml"),
        ("broken.json", '{"a": \n,}', "broken.json:2"),
        ("names.yaml", "a b: 1\n", "'a b' cannot be the name"),
        ("number.yaml", "1: 1\n", "cannot be the name"),
        ("text.json", '"x"', "holds no names and values"),
    ],
)
def test_a_file_that_cannot_be_used_is_an_error_that_names_it(
    tmp_path: Path, name: str, text: str | None, error: str
) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises((UsageError, InvalidProject)) as raised:
        read(file=tmp_path / name)
    assert error in str(raised.value)
    assert name in str(raised.value)
    assert "again" not in str(raised.value.hint)  # to do the same once more would help in no case


@pytest.mark.parametrize("text", ["", "\n", "# nothing\n"])
def test_an_empty_file_holds_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "p.yaml").write_text(text)
    assert read(file=tmp_path / "p.yaml") == {}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("-1.5", -1.5),
        ("true", True),
        ("null", None),
        ("[1, 2]", [1, 2]),
        ('{"a": 1}', {"a": 1}),
        ('"quoted"', "quoted"),
        ("red", "red"),
        ("007", "007"),
        ("1.50", "1.50"),
        ("1e3", "1e3"),
        ("1e999", "1e999"),
        ("NaN", "NaN"),
        ("[NaN]", "[NaN]"),
        ("", ""),
        ("[" * 100_000, "[" * 100_000),
        ("9" * 5_000, "9" * 5_000),
        ("True", "True"),
    ],
)
def test_a_variable_is_json_where_it_is_json_and_else_text(text: str, value: object) -> None:
    assert value_of(text) == value
    assert type(value_of(text)) is type(value)
    assert read(environment={"ORCH_PRM_x": text}) == {"x": value}


@pytest.mark.parametrize(
    "wanted",
    [
        str,
        str | None,
        Path,
        Literal["1", "2"],
        Annotated[str, Field(min_length=1)],
        SecretStr,
        Colour,
        "str",
        Text,
    ],
)
async def test_who_asks_for_text_is_given_text(wanted: object) -> None:
    def step(x: Any) -> None:  # noqa: ANN401  # annotated below
        del x

    step.__annotations__["x"] = wanted
    root = AsyncPipeline([PythonTask(step)]).program().root
    assert read(environment={"ORCH_PRM_x": "1"}, asked=asked_by(root)) == {"x": "1"}


@pytest.mark.parametrize(
    "wanted", [int, str | int, Any, dict[str, str], list[str], Literal["1", 1], bool, float, Texts, Broad]
)
async def test_who_asks_for_something_else_too_is_given_what_json_says(wanted: object) -> None:
    def step(x: Any) -> None:  # noqa: ANN401  # annotated below
        del x

    step.__annotations__["x"] = wanted
    root = AsyncPipeline([PythonTask(step)]).program().root
    assert read(environment={"ORCH_PRM_x": "1"}, asked=asked_by(root)) == {"x": 1}


def test_a_variable_leads_into_a_value_and_leaves_the_rest_of_it(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text("config: {lr: 1, momentum: 2, inner: {lr: 3, name: x}}\n")
    ours = {
        "ORCH_PRM_config__lr": "0.1",
        "ORCH_PRM_config__inner__lr": "0.2",
        "ORCH_PRM_config__inner__new": "yes",
        "ORCH_PRM_fresh__a__b": "1",
    }
    assert read(file=tmp_path / "p.yaml", environment=ours) == {
        "config": {"lr": 0.1, "momentum": 2, "inner": {"lr": 0.2, "name": "x", "new": "yes"}},
        "fresh": {"a": {"b": 1}},
    }


def test_deeper_variables_count_more_in_whatever_order_they_stand() -> None:
    ours = {"ORCH_PRM_c__a": "1", "ORCH_PRM_c": '{"a": 0, "b": 0}'}
    assert read(environment=ours) == read(environment=dict(reversed(ours.items()))) == {"c": {"a": 1, "b": 0}}


def test_text_inside_of_models_stays_text() -> None:
    def step(config: Config, data: Data, typed: Typed, other: dict[str, str], more: Texts, a__b: str) -> None:
        del config, data, typed, other, more, a__b

    asked = asked_by(AsyncPipeline([PythonTask(step)]).program().root)
    ours = {
        "ORCH_PRM_config__label": "1",
        "ORCH_PRM_config__lr": "1",
        "ORCH_PRM_config__inner__name": "2",
        "ORCH_PRM_config__inner__lr": "2",
        "ORCH_PRM_config__inner__tags__x": "3",
        "ORCH_PRM_data__code": "4",
        "ORCH_PRM_data__n": "4",
        "ORCH_PRM_typed__code": "5",
        "ORCH_PRM_typed__n": "5",
        "ORCH_PRM_other__key": "6",
        "ORCH_PRM_more__key": "7",
        "ORCH_PRM_a__b": "7",
    }
    assert read(environment=ours, asked=asked) == {
        "config": {"label": "1", "lr": 1, "inner": {"name": "2", "lr": 2, "tags": {"x": "3"}}},
        "data": {"code": "4", "n": 4},
        "typed": {"code": "5", "n": 5},
        "other": {"key": "6"},
        "more": {"key": "7"},
        "a__b": "7",
    }


@pytest.mark.parametrize("name", ["ORCH_PRM_", "ORCH_PRM_1", "ORCH_PRM_a-b", "ORCH_PRM___a", "ORCH_PRM_a__"])
def test_variables_that_name_nothing_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match="does not name a parameter"):
        read(environment={name: "1"})


def test_a_variable_that_leads_into_what_is_no_dictionary_is_refused(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text("config: 3\n")
    with pytest.raises(UsageError, match="ORCH_PRM_config__lr leads into config, which is 3"):
        read(file=tmp_path / "p.yaml", environment={"ORCH_PRM_config__lr": "1"})


# -- at the door --------------------------------------------------------------------------------------------------


def shows(config: Config, code: str, n: int, flag: bool = False) -> dict[str, Any]:
    return {"lr": config.lr, "momentum": config.momentum, "code": code, "n": n, "flag": flag}


NAMES = ["lr", "momentum", "code", "n", "flag"]


async def test_a_pipeline_reads_them_once_where_it_begins(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text("config: {lr: 1, momentum: 2}\ncode: '1'\nn: 1\nflag: true\n")
    ours = {"ORCH_PRM_config__lr": "0.1", "ORCH_PRM_code": "007", "ORCH_PRM_n": "2", "PATH": os.environ["PATH"]}

    def changes_it() -> None:
        ours["ORCH_PRM_n"] = "9"

    one = AsyncPipeline(
        [
            PythonTask(changes_it),
            Parallel("p", {"a": PythonTask(shows, returns=NAMES)}),
            ShellTask("s", "echo $ORCH_PRM_n $ORCH_PRM_flag"),
        ],
        environment=ours,
    )
    run = await one.execute({"n": 3}, parameters_file=tmp_path / "p.yaml")
    assert run.outputs == {"lr": 0.1, "momentum": 2.0, "code": "007", "n": 3, "flag": True}, run["p/a/shows"].error
    assert run["s"].output == "3 true"
    assert (await one.execute(parameters_file=tmp_path / "p.yaml")).outputs["n"] == 9
    async with one.execute_streaming({"n": 4}, parameters_file=tmp_path / "p.yaml") as stream:
        assert (await stream.result()).outputs["n"] == 4


async def test_what_is_given_as_text_stays_text(tmp_path: Path) -> None:
    (tmp_path / "p.json").write_text('{"b": "1"}')
    one = AsyncPipeline([PythonTask(lambda a, b: [a, b], "s", returns=["x"])], environment={})
    run = await one.execute({"a": "1"}, parameters_file=tmp_path / "p.json")
    assert run.outputs == {"x": ["1", "1"]}


def test_flows_read_them_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "p.yaml").write_text("a: 1\nb: 1\n")
    monkeypatch.setenv("ORCH_PRM_b", "2")
    monkeypatch.setenv("ORCH_PRM_code", "3")

    def step(a: int, b: int, code: str) -> dict[str, Any]:
        return {"a": a, "b": b, "code": code}

    flow = Flow(name="f", steps=[FlowStep(id="s", function=step)])
    run = FlowExecutor().run(flow, {"a": 5}, parameters_file=tmp_path / "p.yaml")
    assert run["s"].outputs == {"a": 5, "b": 2, "code": "3"}


async def test_a_flow_in_a_loop_reads_them_as_well(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text("a: 1\n")
    flow = Flow(name="f", steps=[FlowStep(id="s", function=lambda a: {"a": a})])
    assert (await AsyncFlowExecutor().execute(flow, parameters_file=tmp_path / "p.yaml"))["s"].outputs == {"a": 1}
    async with AsyncFlowExecutor().stream(flow, parameters_file=tmp_path / "p.yaml") as stream:
        assert (await stream.result())["s"].outputs == {"a": 1}


async def test_a_run_that_goes_on_keeps_those_with_which_it_began(tmp_path: Path) -> None:
    ours = {"ORCH_PRM_n": "1"}
    one = AsyncPipeline([PythonTask(lambda n: n, "s", returns=["x"])], environment=ours)
    first = await one.execute(None, "r", store=tmp_path / "state")
    ours["ORCH_PRM_n"] = "2"
    again = await one.execute(None, "r", store=tmp_path / "state")
    assert first.outputs == again.outputs == {"x": 1}
    with pytest.raises(GraphChanged):
        await one.execute({"n": 2}, "r", store=tmp_path / "state")


def label(text: str) -> str:
    return text


def amount(text: int) -> int:
    return text


def anything(text: object) -> object:
    return text


def test_a_reference_to_an_input_of_a_flow_asks_for_what_its_parameter_asks_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    inner = Flow("inner", [FlowStep("x", label), FlowStep("y", amount, inputs={"text": ref("inputs.count")})])
    flow = Flow(
        "f",
        [
            FlowStep("version", label, inputs={"text": ref("inputs.version")}),
            FlowStep("count", amount, inputs={"text": ref("inputs.count")}),
            FlowStep("literal", label, inputs={"text": "1"}),
            FlowStep("text", anything),
            FlowStep("inner", flow=inner, inputs={"text": ref("inputs.year"), "count": ref("inputs.count")}),
        ],
    )
    for name, text in {"version": "2024", "count": "3", "text": "4", "year": "1999"}.items():
        monkeypatch.setenv(f"ORCH_PRM_{name}", text)
    run = FlowExecutor().run(flow)
    assert run.succeeded, [one.error for one in run.results]
    found = {one.task_id: one.outputs.get("result") for one in run.results}
    inside = {"inner": None, "inner/x": "1999", "inner/y": 3}
    assert found == {"version": "2024", "count": 3, "literal": "1", "text": 4} | inside


def test_a_key_that_stands_twice_in_a_variable_is_refused_unless_it_is_text() -> None:
    given = {"ORCH_PRM_size": '{"a": 1, "a": 2}'}
    with pytest.raises(UsageError, match="the variable ORCH_PRM_size: the key 'a' stands twice"):
        read(environment=given)
    assert read(environment=given, asked={"size": [str]}) == {"size": '{"a": 1, "a": 2}'}
