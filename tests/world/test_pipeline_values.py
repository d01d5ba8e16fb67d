"""Values in pipelines: how functions of every kind get their arguments, and what becomes of what they return."""

import asyncio
import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

import pytest
from pydantic import BaseModel

from orchestration import (
    AsyncPythonTask,
    Conditional,
    Loop,
    Map,
    OrchError,
    Parallel,
    PythonTask,
    Return,
    ShellTask,
    metric,
)
from orchestration.kinds import Failure
from orchestration.results import RunResult
from orchestration.steps.binding import CannotBind
from tests.world.steps import nothing, pipeline_of, statuses


async def made_of(step: Any, **parameters: Any) -> RunResult:  # noqa: ANN401  # any step, any values
    return await pipeline_of(step).execute(parameters)


def returning(value: Any, **options: Any) -> AsyncPythonTask:  # noqa: ANN401  # any value
    async def give() -> Any:  # noqa: ANN401  # as above
        return value

    return AsyncPythonTask(give, **options)


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


async def add(x: int, y: int = 1) -> int:
    return x + y


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
        AsyncPythonTask(by_position, returns=["y2"]),
        AsyncPythonTask(by_keyword, returns=["y2"]),
        PythonTask(Kinds().plain, returns=["y2"]),
        PythonTask(Called(), returns=["y2"]),
        PythonTask(lambda x: x + 1, name="lambda", returns=["y2"]),
        PythonTask(closure(1), name="closure", returns=["y2"]),
        PythonTask(partial(Called(), x=2), name="partial", returns=["y2"]),
        PythonTask(lambda x: add(x, 1), name="gives_coroutine", returns=["y2"]),
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
        with pytest.raises(CannotBind, match=r"test_pipeline_values:add.*parameter x"):
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


async def echo(x: Any) -> Any:  # noqa: ANN401  # any value
    return x


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


# -- where values are known ------------------------------------------------------------------------------------------


async def test_branches_see_what_is_around_them_and_not_each_other() -> None:
    async def both(x: int, own: int = 0, other: int = 0) -> tuple[int, int, int]:
        return x, own, other

    def branch(name: str, value: int) -> Any:  # noqa: ANN401  # a pipeline
        return pipeline_of(
            returning(value, name=f"give_{name}", returns=[name]),
            AsyncPythonTask(both, name=f"take_{name}", returns=[f"seen_{name}"]),
        )

    run = await made_of(Parallel("p", {"a": branch("own", 1), "b": branch("other", 2)}), x=7)
    assert run.outputs["seen_own"] == (7, 1, 0)
    assert run.outputs["seen_other"] == (7, 0, 2)


async def test_of_one_name_the_last_branch_in_order_counts_whoever_ends_last() -> None:
    async def slow() -> int:
        await asyncio.sleep(0.02)
        return 1

    branches = {"slow": AsyncPythonTask(slow, returns=["v"]), "quick": returning(2, returns=["v"])}
    assert (await made_of(Parallel("p", branches))).outputs == {"v": 2}
    swapped = dict(reversed(branches.items()))
    assert (await made_of(Parallel("p", swapped))).outputs == {"v": 1}


async def test_an_inner_name_hides_the_outer_one_inside_only() -> None:
    inner = pipeline_of(AsyncPythonTask(add, returns=["x"]), AsyncPythonTask(add, name="again", returns=["z"]))
    run = await pipeline_of(Map("m", inner, "xs", "x"), AsyncPythonTask(echo, returns=["after"])).execute(
        {"xs": [10, 20], "x": 1}
    )
    assert run.outputs["z"] == [12, 22]
    assert run.outputs["after"] == [11, 21]


async def test_nested_maps_see_the_items_around_them() -> None:
    async def pair(row: list[int], cell: int, k: int) -> str:
        return f"{len(row)}:{cell}:{k}"

    inner = Map("cells", AsyncPythonTask(pair, returns=["told"]), "row", "cell")
    run = await made_of(Map("rows", inner, "table", "row"), table=[[1, 2], [], [3]], k=9)
    assert run.outputs == {"told": [["2:1:9", "2:2:9"], [], ["1:3:9"]]}


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ([], []),
        ((1, 2), [2, 3]),
        (range(3), [1, 2, 3]),
        ({5: "a", 6: "b"}, [6, 7]),
        ({3, 1, 2}, [2, 3, 4]),
    ],
)
async def test_a_map_goes_over_whatever_can_be_walked(items: Any, expected: list[int]) -> None:  # noqa: ANN401  # any iterable
    run = await made_of(Map("m", AsyncPythonTask(add, returns=["s"]), "xs", "x"), xs=items)
    assert run.outputs == {"s": expected}


@pytest.mark.parametrize(
    ("items", "error"),
    [("abc", "is text"), (b"abc", "is text"), (5, "is a int"), (None, "is a NoneType")],
)
async def test_a_map_over_what_has_no_items_fails_and_says_so(items: Any, error: str) -> None:  # noqa: ANN401  # any value
    run = await made_of(Map("m", AsyncPythonTask(add), "xs", "x"), xs=items)
    assert run["m"].failure is Failure.INVALID_OUTPUT
    assert error in (run["m"].error or "")


@pytest.mark.parametrize(
    ("reducer", "items", "expected"),
    [
        (sum, [1, 2, 3], 9),
        (sum, [], 0),
        (len, [], 0),
        (lambda *values: max(values), [1, 5, 2], 6),
        (lambda values: values[::-1], [1, 2], [3, 2]),
    ],
)
async def test_a_reducer_makes_one_value_of_each_list(reducer: Any, items: list[int], expected: Any) -> None:  # noqa: ANN401  # any function, any value
    step = Map("m", AsyncPythonTask(add, returns=["s"]), "xs", "x", reducer=reducer)
    assert (await made_of(step, xs=items)).outputs == {"s": expected}


async def test_a_reducer_that_raises_is_a_failure_of_its_map() -> None:
    step = Map("m", AsyncPythonTask(add, returns=["s"]), "xs", "x", reducer=max)
    run = await made_of(step, xs=[])
    assert run["m"].failure is Failure.CRASHED
    assert "the reducer raised ValueError" in (run["m"].error or "")


@pytest.mark.parametrize(
    ("value", "branch"),
    [("a", "a"), (1, "1"), (True, "true"), ("1", "1"), (None, "default"), ("z", "default"), (1.0, "1"), (2, "default")],
)
async def test_a_conditional_chooses_by_value_then_by_text(value: Any, branch: str) -> None:  # noqa: ANN401  # any value
    branches = {key: returning(str(key).lower(), returns=["chosen"]) for key in ("a", 1, "true")}
    step = Conditional("c", branches, parameter="key", default=returning("default", returns=["chosen"]))
    run = await made_of(step, key=value)
    assert run.outputs["chosen"] == branch


async def test_a_conditional_without_a_branch_for_its_value_fails() -> None:
    run = await made_of(Conditional("c", {"a": AsyncPythonTask(nothing)}, parameter="key"), key="b")
    assert "there is no branch for 'b', and no default; branches: 'a'" in (run["c"].error or "")
    failing = Conditional("c", {"a": AsyncPythonTask(nothing)}, condition=lambda key: 1 / key)
    run = await made_of(failing, key=0)
    assert "ZeroDivisionError" in (run["c"].error or "")


@pytest.mark.parametrize("until", [lambda n: n >= 3, "n >= 3", "done"])
async def test_a_loop_goes_on_until_its_condition_holds(until: Any) -> None:  # noqa: ANN401  # a condition of any kind
    async def up(n: int) -> dict[str, Any]:
        return {"n": n + 1, "done": n + 1 >= 3}

    run = await made_of(Loop("l", AsyncPythonTask(up, returns=["n", "done"]), until, max_iterations=10), n=0)
    assert run.outputs["n"] == 3
    assert run["l"].metadata["iterations"] == 3
    assert [path for path in statuses(run) if path.endswith("]")] == ["l[0]", "l[1]", "l[2]"]


@pytest.mark.parametrize("until", [lambda i: i >= 2, "i >= 2", lambda **known: known["i"] >= 2])
async def test_the_condition_of_a_loop_knows_the_number_of_the_round(until: Any) -> None:  # noqa: ANN401  # as above
    async def note(i: int) -> int:
        return i

    run = await made_of(Loop("l", AsyncPythonTask(note, returns=["x"]), until, max_iterations=9, index_as="i"))
    assert (run.outputs["x"], run["l"].metadata["iterations"]) == (2, 3)


async def test_a_loop_ends_at_its_maximum_well_or_badly_as_it_is_told() -> None:
    async def up(i: int) -> int:
        return i

    for at_max, status in (("succeed", "success"), ("fail", "failed")):
        step = Loop("l", AsyncPythonTask(up, returns=["x"]), "x > 9", 3, index_as="i", at_max=at_max)  # type: ignore[arg-type]  # one of two words
        run = await made_of(step)
        assert statuses(run)["l"] == status
        assert run["l"].metadata == {"iterations": 3, "condition_held": False}


async def test_nested_records_are_found_by_path_and_by_their_last_word() -> None:
    run = await made_of(Map("m", pipeline_of(AsyncPythonTask(add, returns=["s"]), name="in"), "xs", "x"), xs=[1])
    assert [*statuses(run)] == ["m", "m[0]", "m[0]/add"]
    assert run["add"].outputs == {"s": 2}
    assert issubclass(CannotBind, OrchError)
