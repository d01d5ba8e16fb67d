"""Values that are not what they seem, keys that are no names, and what is written for a step and changed later."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestration import AsyncPipeline
from orchestration.errors import UsageError
from orchestration.flow import AsyncFlowExecutor, Flow, FlowExecutor, FlowStep, ref
from orchestration.steps.binding import CannotBind
from tests.loop.flows import Diary, play


@pytest.mark.parametrize("key", [1, None, (1, 2)])
def test_keys_that_are_no_names_keep_nobody_from_asking_for_everything(key: object) -> None:
    value = {key: 1, "known": 2}

    def everything(**known: object) -> list[str]:
        return sorted(known)

    steps = [
        FlowStep("a", lambda: value, branches={"b": lambda **known: "known" not in known}, default="c"),
        FlowStep("b", everything, depends_on="a"),
        FlowStep("c", everything, depends_on="a"),
        FlowStep("d", everything, depends_on="a", when=lambda **known: known["a"] == value),
    ]
    run = play(Flow("f", steps, on_error="continue"))
    assert [one.status.value for one in run.results] == ["success", "skipped", "success", "success"], run.results
    assert run["c"].outputs == run["d"].outputs == {"result": ["a", "known"]}


class FarAway:
    """Has whatever it is asked for, as proxies do."""

    def __getattr__(self, name: str) -> str:
        return name


def test_what_has_whatever_it_is_asked_for_is_neither_awaited_nor_taken_for_a_record() -> None:
    value = FarAway()
    run = play(Flow("f", [FlowStep("a", lambda: value)]))
    assert run["a"].outputs["result"] is value


def test_what_is_written_for_a_step_is_not_changed_by_whoever_wrote_it() -> None:
    written: dict[str, Any] = {"n": 0, "more": []}
    steps = []
    for n in range(3):
        written["n"] = n
        written["more"].append(n)
        steps.append(FlowStep(f"s{n}", lambda n, more: [n, *more], inputs=written))
    run = play(Flow("f", steps))
    assert [one.outputs["result"] for one in run.results] == [[0, 0], [1, 0, 1], [2, 0, 1, 2]]


@pytest.mark.parametrize("written", [None, 5, "loss"])
def test_returns_that_are_no_list_are_refused_with_the_name_of_the_step(written: Any) -> None:  # noqa: ANN401  # a slip
    with pytest.raises(UsageError, match="step a: `returns` is a list of names"):
        FlowStep("a", lambda: 1, returns=written)


def nothing() -> None:
    """Return nothing."""


def prints() -> None:
    print("something")  # noqa: T201  # that is what it does


async def waits() -> None:
    """Return nothing."""


RETURNED: dict[str, tuple[Callable[..., Any], Any]] = {
    "nothing": (nothing, None),
    "prints": (prints, None),
    "waits": (waits, None),
    "empty": (dict, {}),
    "only_result": (lambda: {"result": 7}, {"result": 7}),
    "more": (lambda: {"result": 7, "rest": 8}, {"result": 7, "rest": 8}),
    "one": (lambda: 7, 7),
}


@pytest.mark.parametrize("is_durable", [False, True])
@pytest.mark.parametrize("name", RETURNED)
def test_what_a_step_is_given_is_what_the_other_one_returned_whatever_that_was(
    tmp_path: Path, name: str, *, is_durable: bool
) -> None:
    function, value = RETURNED[name]

    def get(value: object) -> list[object]:
        return [value]

    steps = [
        FlowStep("a", function),
        FlowStep("referred", get, depends_on="a", inputs={"value": ref("a")}),
        FlowStep("only", get, depends_on="a"),
        FlowStep("named", lambda a: [a], depends_on="a"),
        FlowStep("all", lambda **known: [known["a"]], depends_on="a"),
        FlowStep("is_it", get, depends_on="a", when=lambda a: a == value),
        FlowStep("inner", flow=Flow("inner", [FlowStep("part", function)])),
        FlowStep("outer", get, depends_on="inner", inputs={"value": ref("inner.part")}),
    ]
    executor = FlowExecutor(store=str(tmp_path)) if is_durable else FlowExecutor()
    run = executor.run(Flow("f", steps))
    assert run.succeeded, [(one.task_id, one.error, one.reason) for one in run.results]
    asked = ("referred", "only", "named", "all", "is_it", "outer")
    assert {one: run[one].outputs for one in asked} == {one: {"result": [value]} for one in asked}


@pytest.mark.parametrize("part", [FlowStep("result", lambda: 5), FlowStep("q", lambda: 5, returns=["result"])])
def test_the_value_of_a_flow_is_a_dictionary_also_where_all_it_has_is_called_result(part: FlowStep) -> None:
    steps = [
        FlowStep("inner", flow=Flow("inner", [part])),
        FlowStep("a", lambda inner: inner["result"], depends_on="inner"),
        FlowStep("b", lambda value: value, depends_on="inner", inputs={"value": ref("inner.result")}),
    ]
    run = play(Flow("f", steps))
    assert [run["a"].outputs, run["b"].outputs] == [{"result": 5}, {"result": 5}], run.results


def test_a_reference_into_a_flow_means_a_step_of_it_where_nothing_was_returned_by_that_name() -> None:
    parts = [
        FlowStep("load", lambda: {"rows": [1, 2], "skipped": "a value of this name"}),
        FlowStep("skipped", lambda: 1, when=False),
        FlowStep("gone", lambda: 1, when=False),
        FlowStep("deep", flow=Flow("deep", [FlowStep("load", lambda: {"x": 3})])),
    ]
    written = {
        "whole": ref("inner.load"),
        "row": ref("inner.load.rows.1"),
        "deep": ref("inner.deep.load.x"),
        "value": ref("inner.skipped"),
        "gone": ref("inner.gone.key"),
    }

    def look(whole: object, row: int, deep: int, value: str, gone: str = "default") -> list[object]:
        return [whole, row, deep, value, gone]

    steps = [
        FlowStep("inner", flow=Flow("inner", parts)),
        FlowStep("look", look, depends_on="inner", inputs=written),
    ]
    assert play(Flow("f", steps))["look"].outputs["result"] == [
        {"rows": [1, 2], "skipped": "a value of this name"},
        2,
        3,
        "a value of this name",
        "default",
    ]


@pytest.mark.parametrize(
    "path", ["inner", "inner.load", "inner.load.rows.1", "inner.bad", "inner.deep.load.x", "inner.no"]
)
def test_a_reference_into_a_flow_that_failed_and_may_is_one_to_nothing(path: str) -> None:
    def fail() -> None:
        raise ValueError

    parts = [
        FlowStep("load", lambda: {"rows": [1, 2]}),
        FlowStep("deep", flow=Flow("deep", [FlowStep("load", lambda: {"x": 3})])),
        FlowStep("bad", fail, depends_on=["load", "deep"]),
    ]
    steps = [
        FlowStep("inner", flow=Flow("inner", parts), on_error="skip"),
        FlowStep("beside", lambda: 1),
        FlowStep("look", lambda it="default": it, depends_on=["inner", "beside"], inputs={"it": ref(path)}),
    ]
    assert play(Flow("f", steps))["look"].outputs == {"result": "default"}


def test_a_reference_finds_numbers_among_the_keys_of_a_dictionary_too() -> None:
    steps = [
        FlowStep("a", lambda: {1: "one", "2": "two", 2: "no"}),
        FlowStep("b", lambda x, y: [x, y], depends_on="a", inputs={"x": ref("a.1"), "y": ref("a.2")}),
    ]
    assert play(Flow("f", steps))["b"].outputs == {"result": ["one", "two"]}


def test_a_fallback_that_could_never_be_called_is_refused_before_anything_runs() -> None:
    diary = Diary()
    step = FlowStep("a", diary.step("a", fails=1), inputs={}, fallback=lambda other: other)
    with pytest.raises(CannotBind, match="nothing is known for its parameter other"):
        play(Flow("f", [step]))
    assert diary.entries == []


async def test_what_is_no_store_is_refused() -> None:
    with pytest.raises(UsageError, match="3 is no store"):
        await AsyncFlowExecutor(store=3).execute(Flow("f", []))  # type: ignore[arg-type]  # whatever somebody gives


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"cache": 3}, "cache is 3; it is the path of a folder"),
        ({"cache": __file__}, "cache is '.*', which is no folder"),
        ({"directory": b"x"}, "directory is b'x'; it is the path of a folder"),
        ({"directory": Path(__file__)}, "directory is '.*', which is no folder"),
        ({"tools": [nothing]}, "tools"),
    ],
)
def test_what_an_executor_cannot_work_with_is_refused_by_name(options: dict[str, Any], told: str) -> None:
    for kind in (FlowExecutor, AsyncFlowExecutor):
        with pytest.raises(UsageError, match=told):
            kind(**options)


def test_a_pipeline_refuses_a_directory_that_is_none() -> None:
    with pytest.raises(UsageError, match=r"directory is '.*', which is no folder"):
        AsyncPipeline([], directory=__file__)


@pytest.mark.parametrize(
    "written", [{ref("a")}, [{ref("a"): 1}], {"deep": ({frozenset([ref("a")])},)}, {"k": {ref("a")}}]
)
def test_a_reference_where_none_is_looked_for_is_refused(written: object) -> None:
    steps = [FlowStep("a", lambda: 1), FlowStep("b", lambda x: x, depends_on="a", inputs={"x": written})]
    with pytest.raises(UsageError, match="step b: the reference a stands in a set, or as the key of a dictionary"):
        play(Flow("f", steps))
