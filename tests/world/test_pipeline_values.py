"""Values in pipelines: how functions of every kind get their arguments, and what becomes of what they return."""

import asyncio
import datetime as dt
from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import partial
from types import coroutine
from typing import Any, Self

import pytest
from pydantic import BaseModel

from orchestration import (
    AsyncPythonTask,
    Conditional,
    Loop,
    Map,
    Parallel,
    PythonTask,
    Return,
    ShellTask,
    metric,
)
from orchestration.kinds import Failure
from orchestration.steps.binding import CannotBind
from tests.world.steps import add, echo, made_of, nothing, pipeline_of, returning, statuses

# -- functions -------------------------------------------------------------------------------------------------------


class Kinds:
    """Functions of many kinds, each of which adds one to x."""

    async def method(self, x: int) -> int:
        return x + 1

    @classmethod
    async def of_class(cls, x: int) -> int:
        return x + 1

    @staticmethod
    async def static(x: int) -> int:
        return x + 1

    def plain(self, x: int) -> int:
        return x + 1


class Called:
    """An object to be called."""

    def __call__(self, x: int) -> int:
        return x + 1


class Awaited:
    """The same, to be awaited."""

    async def __call__(self, x: int) -> int:
        return x + 1


@coroutine
def of_types(x: int) -> Generator[Any, None, int]:
    """A coroutine as they were made before there was a word for it; libraries still do."""
    yield from asyncio.sleep(0).__await__()
    return x + 1


async def by_position(x: int, /, y: int = 1) -> int:
    return x + y


async def by_keyword(*, x: int, y: int = 1) -> int:
    return x + y


def closure(y: int) -> Callable[[int], int]:
    return lambda x: x + y


class Box(int):
    """A class that is called to make an object; it has parameters as functions have."""

    def __new__(cls, x: int) -> Self:
        return super().__new__(cls, x + 1)


@pytest.mark.parametrize(
    "task",
    [
        AsyncPythonTask(add, returns=["y2"]),
        AsyncPythonTask(Kinds().method, returns=["y2"]),
        AsyncPythonTask(Kinds.of_class, returns=["y2"]),
        AsyncPythonTask(Kinds.static, returns=["y2"]),
        AsyncPythonTask(Awaited(), returns=["y2"]),
        AsyncPythonTask(partial(add, y=1), returns=["y2"]),
        AsyncPythonTask(partial(add, 2), name="partial", returns=["y2"]),
        AsyncPythonTask(partial(partial(Awaited()), x=2), name="twice", returns=["y2"]),
        AsyncPythonTask(of_types, returns=["y2"]),
        AsyncPythonTask(by_position, returns=["y2"]),
        AsyncPythonTask(by_keyword, returns=["y2"]),
        PythonTask(Kinds().plain, returns=["y2"]),
        PythonTask(Called(), returns=["y2"]),
        PythonTask(lambda x: x + 1, name="lambda", returns=["y2"]),
        PythonTask(closure(1), name="closure", returns=["y2"]),
        PythonTask(partial(Called(), x=2), name="partial", returns=["y2"]),
        PythonTask(lambda x: add(x, 1), name="gives_coroutine", returns=["y2"]),
        PythonTask(lambda x, y=0: of_types(x + y), name="gives_coroutine_of_types", returns=["y2"]),
        PythonTask(Box, returns=["y2"]),
    ],
    ids=lambda task: f"{type(task).__name__}-{task.name}",
)
async def test_functions_of_every_kind_are_called(task: Any) -> None:  # noqa: ANN401  # a task
    assert (await made_of(task, x=2)).outputs == {"y2": 3}


async def test_keywords_take_everything_that_is_known_and_not_asked_for_by_name() -> None:
    async def takes(x: int, **others: int) -> dict[str, int]:
        del x
        return others

    run = await pipeline_of(returning(5, name="five", returns=["five"]), AsyncPythonTask(takes, returns=["o"])).execute(
        {"x": 1, "a": 2}
    )
    assert run.outputs["o"] == {"a": 2, "five": 5}


async def test_a_missing_argument_is_named_before_anything_runs() -> None:
    ran: list[int] = []

    async def note() -> None:
        ran.append(1)

    for step in [
        AsyncPythonTask(add),
        Parallel("p", {"b": AsyncPythonTask(add)}),
        Map("m", AsyncPythonTask(add), "items", "item"),
        Conditional("c", {"k": AsyncPythonTask(add)}, parameter="known"),
        Loop("l", AsyncPythonTask(add), until="known", max_iterations=2),
        pipeline_of(AsyncPythonTask(add), name="inner"),
        AsyncPythonTask(note, name="fails", on_failure=AsyncPythonTask(add)),
    ]:
        with pytest.raises(CannotBind, match=r"steps:add.*parameter x"):
            await pipeline_of(note, step).execute({"known": "k", "items": []})
    with pytest.raises(CannotBind, match=r"the map m.*items"):
        await made_of(Map("m", AsyncPythonTask(nothing), "items", "x"))
    with pytest.raises(CannotBind, match=r"the conditional c.*key"):
        await made_of(Conditional("c", {"k": AsyncPythonTask(nothing)}, parameter="key"))
    assert not ran


async def test_all_missing_arguments_are_listed() -> None:
    with pytest.raises(CannotBind) as caught:
        await pipeline_of(AsyncPythonTask(add), AsyncPythonTask(by_keyword)).execute({"z": 1})
    assert len(caught.value.problems) == 2
    assert "z" in (caught.value.hint or "")


async def test_what_may_be_there_is_not_refused_and_fails_with_its_names_if_it_is_not() -> None:
    choice = Conditional("c", {"a": returning(1, returns=["x"]), "b": AsyncPythonTask(nothing)}, parameter="key")
    pipeline = pipeline_of(choice, AsyncPythonTask(add, returns=["sum"]))
    assert (await pipeline.execute({"key": "a"})).outputs["sum"] == 2
    run = await pipeline.execute({"key": "b"})
    assert run["add"].failure is Failure.INVALID_OUTPUT
    assert "add: nothing is known for its parameter x" in (run["add"].error or "")


# -- types -----------------------------------------------------------------------------------------------------------


class Config(BaseModel):
    """A model of the user's."""

    size: int
    name: str = "none"


@dataclass
class Point:
    """A record of the user's."""

    a: int
    b: int


async def test_arguments_are_cast_to_what_is_asked_for() -> None:
    async def typed(config: Config, n: int, when: dt.date, many: list[int], either: int | str) -> Any:  # noqa: ANN401  # all of it
        return [config, n, when, many, either]

    run = await made_of(
        AsyncPythonTask(typed, returns=["got"]),
        config={"size": "3"},
        n="7",
        when="2024-02-29",
        many=["1", 2.0],
        either="5",
    )
    assert run.outputs["got"] == [Config(size=3), 7, dt.date(2024, 2, 29), [1, 2], "5"]


async def test_a_value_that_cannot_be_cast_names_function_parameter_and_reason() -> None:
    async def typed(config: Config) -> None:
        del config

    run = await made_of(AsyncPythonTask(typed), config={"size": "big"})
    error = run["typed"].error or ""
    assert run["typed"].failure is Failure.INVALID_OUTPUT
    assert "parameter config cannot be {'size': 'big'}" in error
    assert "size: Input should be a valid integer" in error


async def test_strings_stay_the_strings_that_they_were() -> None:
    texts = ["007", "1e3", "true", "null", "", " x ", "{}", "[1]", "é\u2028", "{{ x }}", "NaN"]
    task = AsyncPythonTask(echo, returns=["y"])
    shell = ShellTask("s", 'printf "%s" "$ORCH_PRM_x"', returns=["z"])
    run = await pipeline_of(Map("m", pipeline_of(task, shell), "xs", "x")).execute({"xs": texts})
    assert run.outputs["y"] == texts
    assert run.outputs["z"] == texts


async def test_annotations_that_nobody_can_resolve_are_no_hindrance() -> None:
    async def typed(x: "Nowhere") -> Any:  # type: ignore[name-defined]  # noqa: ANN401, F821  # that is the point
        return x

    assert (await made_of(AsyncPythonTask(typed, returns=["y"]), x=3)).outputs == {"y": 3}


async def test_what_a_step_is_given_is_its_own() -> None:
    given = {"list": [1, 2]}

    async def spoil(data: dict[str, list[int]]) -> dict[str, list[int]]:
        data["list"].append(3)
        return data

    steps = [AsyncPythonTask(spoil, name=name, returns=[name]) for name in ("a", "b")]
    run = await pipeline_of(*steps).execute({"data": given})
    assert run.outputs == {"a": {"list": [1, 2, 3]}, "b": {"list": [1, 2, 3]}}
    assert given == {"list": [1, 2]}


async def test_objects_travel_as_they_are() -> None:
    lock = asyncio.Lock()
    run = await made_of(AsyncPythonTask(echo, returns=[Return("y", "object")]), x=lock)
    assert run.outputs["y"] is lock


# -- returns ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "names", "expected"),
    [
        (1, ["a"], {"a": 1}),
        (None, ["a"], {"a": None}),
        ((1, 2), ["a", "b"], {"a": 1, "b": 2}),
        ([1, 2], ["a", "b"], {"a": 1, "b": 2}),
        ((1, 2), ["a"], {"a": (1, 2)}),
        ({"b": 2, "a": 1, "c": 3}, ["a", "b"], {"a": 1, "b": 2}),
        ({"a": 1, "c": 3}, ["a"], {"a": 1}),
        ({"c": 3}, ["a"], {"a": {"c": 3}}),
        (Point(1, 2), ["a", "b"], {"a": 1, "b": 2}),
        (Point(1, 2), ["p"], {"p": Point(1, 2)}),
        (Config(size=1), ["size", "name"], {"size": 1, "name": "none"}),
        ({1: 2}, ["a"], {"a": {1: 2}}),
        (3, [metric("a")], {"a": 3}),
        (3, [("a", "metric")], {"a": 3}),
        (3, [{"name": "a"}], {"a": 3}),
        (3, [], {}),
    ],
)
async def test_returns_get_their_names(value: Any, names: list[Any], expected: dict[str, Any]) -> None:  # noqa: ANN401  # any value
    run = await made_of(returning(value, returns=names))
    assert run.succeeded
    outputs = {name: made for name, made in run["give"].outputs.items() if name != "result"}
    assert outputs == expected


@pytest.mark.parametrize(
    ("value", "names", "error"),
    [
        ({"a": 1}, ["a", "b"], "what it returned has no b; it has a"),
        ((1, 2, 3), ["a", "b"], r"declares 2 returns \(a, b\), and returned one tuple of 3"),
        (1, ["a", "b"], "returned one int"),
        (None, ["a", "b"], "returned one NoneType"),
        ("ab", ["a", "b"], "returned one str"),
        ({1, 2}, ["a", "b"], "returned one set"),
    ],
)
async def test_returns_that_are_not_there_are_a_failure_that_says_so(value: Any, names: list[str], error: str) -> None:  # noqa: ANN401  # any value
    run = await pipeline_of(returning(value, returns=names), nothing).execute()
    assert statuses(run) == {"give": "failed", "nothing": "blocked"}
    assert run["give"].failure is Failure.INVALID_OUTPUT
    with pytest.raises(AssertionError, match=error):
        raise AssertionError(run["give"].error)


async def test_metrics_are_in_the_record_of_their_step() -> None:
    run = await made_of(returning({"loss": 0.5, "n": 3}, returns=[metric("loss"), "n"]))
    assert run["give"].metadata["metrics"] == {"loss": 0.5}
    assert run.outputs == {"loss": 0.5, "n": 3}
