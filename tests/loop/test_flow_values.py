"""What steps of flows are given, what they pass on, and that nobody changes what another one has."""

from collections import Counter, OrderedDict
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pytest

from orchestration import AsyncPipeline
from orchestration.errors import UsageError
from orchestration.flow import AsyncFlowExecutor, Flow, FlowStep, ref
from orchestration.kinds import ExecutionStatus, Failure, RunStatus
from orchestration.results import RunResult
from orchestration.steps.binding import CannotBind
from tests.loop.flows import Diary, play


def values(run: RunResult, step: str) -> dict[str, Any]:
    assert run.status is RunStatus.SUCCESS, [(one.task_id, one.error or one.reason) for one in run.results]
    return dict(run[step].outputs)


async def pair() -> dict[str, Any]:
    return {"left": 1, "rows": [{"name": "x"}, {"name": "y"}]}


async def seven() -> int:
    return 7


async def same(value: Any) -> dict[str, Any]:  # noqa: ANN401  # any value
    return {"got": value}


class Pair(NamedTuple):
    left: object
    right: int


@pytest.mark.parametrize(
    ("written", "found"),
    [
        (ref("pair.left"), 1),
        (ref("pair.rows.1.name"), "y"),
        (ref("pair.rows.-1.name"), "y"),
        (ref("pair"), {"left": 1, "rows": [{"name": "x"}, {"name": "y"}]}),
        (ref("seven"), 7),
        (ref("inputs.x"), 4),
        (ref("inputs"), {"x": 4}),
        ([ref("seven"), {"deep": ref("pair.left")}, 3], [7, {"deep": 1}, 3]),
        ("seven", "seven"),
        (None, None),
        ({}, {}),
        ((1, (ref("seven"), [])), (1, (7, []))),
        (Pair(ref("seven"), 1), Pair(7, 1)),
    ],
)
def test_inputs_are_references_and_literals(written: object, found: object) -> None:
    steps = [
        FlowStep("pair", pair),
        FlowStep("seven", seven),
        FlowStep("same", same, depends_on=["pair", "seven"], inputs={"value": written}),
    ]
    assert values(play(Flow("f", steps), inputs={"x": 4}), "same") == {"got": found}


@pytest.mark.parametrize("literal", [[1], {1}, {"k": 1}, bytearray(b"1"), OrderedDict(k=1)], ids=repr)
def test_a_literal_stays_as_it_was_written_whatever_a_step_does_to_it(literal: Any) -> None:  # noqa: ANN401  # any container
    async def empty(value: Any) -> int:  # noqa: ANN401  # any container
        size = len(value)
        value.clear()
        return size

    flow = Flow("f", [FlowStep("empty", empty, inputs={"value": literal})])
    assert [values(play(flow), "empty") for _ in range(2)] == [{"result": 1}, {"result": 1}]


@pytest.mark.parametrize("literal", [OrderedDict(k=1), Counter("aab"), Pair([1], 2), ({"k": Counter("a")},)], ids=repr)
def test_a_literal_is_of_the_class_of_which_it_was_written(literal: Any) -> None:  # noqa: ANN401  # any container
    async def kind(value: Any) -> bool:  # noqa: ANN401  # any container
        return type(value) is type(literal) and repr(value) == repr(literal)

    assert values(play(Flow("f", [FlowStep("a", kind, inputs={"value": literal})])), "a") == {"result": True}


def test_a_literal_may_share_hold_itself_and_be_as_deep_as_it_likes() -> None:
    shared, deep = [1], list[Any]()
    ring: list[Any] = [shared, shared]
    ring.append(ring)
    for _ in range(5_000):
        deep = [deep]

    async def look(ring: Any, deep: Any, seven: int) -> list[bool]:  # noqa: ANN401  # whatever is given
        return [ring[2] is ring, ring[0] is ring[1], ring[0] is not shared, len(deep) == 1, seven == 7]

    inputs = {"ring": ring, "deep": deep, "seven": ref("seven")}
    flow = Flow("f", [FlowStep("seven", seven), FlowStep("look", look, depends_on="seven", inputs=inputs)])
    assert values(play(flow), "look") == {"result": [True] * 5}


def test_parameters_are_found_by_name_in_the_documented_order() -> None:
    async def given() -> dict[str, str]:
        return {"a": "returned", "b": "returned", "c": "returned", "d": "returned", "near": "first"}

    async def nearer() -> dict[str, str]:
        return {"near": "second"}

    async def look(a: str, b: str, c: int, near: str, e: str = "default") -> list[Any]:
        return [a, b, c, near, e]

    steps = [
        FlowStep("given", given),
        FlowStep("c", seven, depends_on="given"),
        FlowStep("nearer", nearer, depends_on="given"),
        FlowStep("look", look, depends_on=["given", "c", "nearer"], inputs={"a": "written"}),
    ]
    run = play(Flow("f", steps), inputs={"a": "input", "b": "input"})
    assert values(run, "look") == {"result": ["written", "input", 7, "second", "default"]}


def test_one_parameter_that_nothing_is_known_for_is_what_the_one_step_before_returned() -> None:
    steps = [FlowStep("seven", seven), FlowStep("same", same, depends_on="seven")]
    assert values(play(Flow("f", steps)), "same") == {"got": 7}
    more = [FlowStep("seven", seven), FlowStep("pair", pair), FlowStep("same", same, depends_on=["seven", "pair"])]
    run = play(Flow("f", more))
    assert run["same"].failure is Failure.INVALID_OUTPUT
    assert "nothing is known for its parameter value" in str(run["same"].error)


def test_a_reference_to_a_skipped_step_is_none_and_its_parameters_keep_their_defaults() -> None:
    async def look(value: Any, gone: str = "default") -> list[Any]:  # noqa: ANN401  # any value
        return [value, gone]

    steps = [
        FlowStep("gone", seven, when=False),
        FlowStep("seven", seven),
        FlowStep("look", look, depends_on=["gone", "seven"], inputs={"value": ref("gone.key")}),
        FlowStep("kept", look, depends_on=["gone", "seven"], inputs={"value": [ref("gone")], "gone": ref("gone")}),
    ]
    run = play(Flow("f", steps))
    assert values(run, "look") == {"result": [None, "default"]}
    assert values(run, "kept") == {"result": [[None], "default"]}


def test_a_reference_that_leads_nowhere_is_refused_before_anything_runs_or_is_the_failure_of_its_step() -> None:
    diary = Diary()
    steps = [FlowStep("a", diary.step("a")), FlowStep("b", same, inputs={"value": ref("a.key")})]
    with pytest.raises(UsageError, match=r"step b refers to a\.key, but waits for no such step"):
        play(Flow("f", steps))
    assert diary.entries == []
    steps = [FlowStep("pair", pair), FlowStep("b", same, depends_on="pair", inputs={"value": ref("pair.rigth")})]
    run = play(Flow("f", steps))
    assert "refers to pair.rigth, but there is no rigth" in str(run["b"].error)
    for path in ("", "a..b", ".a", None, 3):
        with pytest.raises(UsageError, match="is no reference"):
            ref(path)  # type: ignore[arg-type]  # whatever somebody writes


@pytest.mark.parametrize("place", ["--1", "²", "9" * 5_000, "2", "-3", "1.0"])
def test_a_reference_to_a_place_that_a_list_does_not_have_is_the_failure_of_its_step(place: str) -> None:
    async def rows() -> list[int]:
        return [1, 2]

    steps = [FlowStep("rows", rows), FlowStep("b", same, depends_on="rows", inputs={"value": ref(f"rows.{place}")})]
    run = play(Flow("f", steps))
    assert run["b"].failure is Failure.INVALID_OUTPUT
    assert "but there is no" in str(run["b"].error)


@pytest.mark.parametrize("wrong", [None, [], "f", FlowStep("a", seven), AsyncPipeline([])])
def test_what_is_no_flow_is_refused_by_name(wrong: Any) -> None:  # noqa: ANN401  # anything
    with pytest.raises(UsageError, match="is no flow"):
        play(wrong)
    if wrong is not None:
        with pytest.raises(UsageError, match="it is a flow"):
            FlowStep("b", flow=wrong)


@pytest.mark.parametrize("run_id", [5, b"r", "a/b", "", "\n"])
async def test_a_run_id_that_can_be_none_is_refused(run_id: Any) -> None:  # noqa: ANN401  # anything
    with pytest.raises(UsageError, match="is not a safe run id"):
        await AsyncFlowExecutor().execute(Flow("f", []), run_id=run_id)


def test_an_input_that_nobody_gives_is_refused_before_anything_runs() -> None:
    diary = Diary()
    steps = [FlowStep("a", diary.step("a")), FlowStep("b", same), FlowStep("c", lambda other: other)]
    with pytest.raises(CannotBind) as caught:
        play(Flow("f", steps))
    assert diary.entries == []
    assert len(caught.value.problems) == 2


def test_a_flow_inside_is_given_what_is_written_for_it_or_all_that_is_known() -> None:
    inner = Flow("inner", [FlowStep("sum", lambda x, y=0: x + y)])
    steps = [
        FlowStep("seven", seven),
        FlowStep("written", flow=inner, depends_on="seven", inputs={"x": ref("seven")}),
        FlowStep("known", flow=inner, depends_on="seven"),
    ]
    run = play(Flow("f", steps), inputs={"x": 1, "y": 2})
    assert run["written/sum"].outputs == {"result": 7}
    assert run["known/sum"].outputs == {"result": 3}
    assert run["known"].outputs == {"sum": 3}


@dataclass
class Row:
    tags: list[str] = field(default_factory=list)


def test_nobody_changes_what_another_step_has_or_what_the_record_says() -> None:
    mine: dict[str, Any] = {"rows": [1], "row": Row(["x"]), "order": OrderedDict(k=[1]), "array": bytearray(b"x")}
    seen: list[Any] = []

    async def first() -> dict[str, Any]:
        return mine

    async def second(rows: list[int], row: Row, order: dict[str, list[int]], array: bytearray) -> None:
        rows.append(2)
        row.tags.append("y")
        order["k"].append(2)
        array.extend(b"y")

    async def third(rows: list[int], row: Row, order: dict[str, list[int]], array: bytearray) -> None:
        seen.extend([rows, row.tags, dict(order), bytes(array)])

    steps = [
        FlowStep("first", first),
        FlowStep("second", second, depends_on="first"),
        FlowStep("third", third, depends_on=["first", "second"]),
    ]
    inputs = {"given": [1]}
    run = play(Flow("f", steps), inputs=inputs)
    assert run.status is RunStatus.SUCCESS
    assert seen == [[1], ["x"], {"k": [1]}, b"x"]
    mine["rows"].append(3)
    mine["row"].tags.append("z")
    mine["order"]["k"].append(3)
    outputs = run["first"].outputs
    assert (outputs["rows"], outputs["row"].tags, dict(outputs["order"])) == ([1], ["x"], {"k": [1]})


@dataclass
class Node:
    parent: "Node | None" = None
    children: list["Node"] = field(default_factory=list)


def test_records_that_refer_to_each_other_are_copied_once_each() -> None:
    async def tree() -> dict[str, Any]:
        root = Node()
        root.children = [Node(root, [Node(root)]) for _ in range(20)]
        return {"root": root}

    async def looks(root: Node) -> bool:
        return all(child.parent is root and child.children[0].parent is root for child in root.children)

    run = play(Flow("f", [FlowStep("tree", tree), FlowStep("looks", looks, depends_on="tree")]))
    assert values(run, "looks") == {"result": True}


def test_declared_returns_have_names_and_are_checked() -> None:
    async def two() -> tuple[int, int]:
        return 1, 2

    steps = [FlowStep("two", two, returns=["a", "b"]), FlowStep("sum", lambda a, b: a + b, depends_on="two")]
    assert values(play(Flow("f", steps)), "sum") == {"result": 3}
    run = play(Flow("f", [FlowStep("two", two, returns=["a", "b", "c"])]))
    assert run["two"].failure is Failure.INVALID_OUTPUT


def test_generators_stream_and_pass_on_what_their_last_item_says() -> None:
    async def counting() -> Any:  # noqa: ANN401  # an async generator
        for n in range(3):
            yield {"n": n}
        yield {"type": "done", "total": 3}

    steps = [FlowStep("count", counting, returns=["total"]), FlowStep("next", lambda total: total, depends_on="count")]
    assert values(play(Flow("f", steps)), "next") == {"result": 3}


@pytest.mark.parametrize("name", ["retry", "timeout", "fallback", "cache", "returns", "files", "version"])
def test_what_is_about_calls_is_refused_for_a_flow_in_a_steps_place(name: str) -> None:
    values = {
        "retry": 2,
        "timeout": 3,
        "fallback": seven,
        "cache": True,
        "returns": ["x"],
        "files": "*",
        "version": "2",
    }
    with pytest.raises(UsageError, match=f"no `{name}` of its own"):
        FlowStep("sub", flow=Flow("inner", []), **{name: values[name]})  # type: ignore[arg-type]  # of any of these


def test_a_flow_may_be_used_twice_but_not_inside_of_itself() -> None:
    inner = Flow("inner", [FlowStep("add", lambda n: n + 1)])
    steps = [
        FlowStep("a", flow=inner, inputs={"n": 1}),
        FlowStep("b", flow=inner, depends_on="a", inputs={"n": ref("a.add")}),
    ]
    assert play(Flow("f", steps)).by_id["b/add"].outputs == {"result": 3}
    loop = Flow("loop", [FlowStep("x", seven)])
    loop.steps = (FlowStep("x", flow=loop),)
    with pytest.raises(UsageError, match="contains itself"):
        play(loop)


def test_nothing_to_do_is_done_at_once() -> None:
    assert play(Flow("f", [])).status is RunStatus.SUCCESS
    run = play(Flow("f", [FlowStep("sub", flow=Flow("inner", [])), FlowStep("a", seven, depends_on="sub")]))
    assert [one.status for one in run.results] == [ExecutionStatus.SUCCESS] * 2


def test_a_number_of_very_many_digits_is_passed_on_like_any_other() -> None:
    async def many() -> int:
        return 10**5_000

    async def fewer(many: int) -> int:
        return many // 10**4_999

    run = play(Flow("f", [FlowStep("many", many), FlowStep("fewer", fewer, depends_on="many")]))
    assert values(run, "fewer") == {"result": 10}
    assert run["many"].output == '"<builtins.int>"'


def test_a_dictionary_of_a_class_of_its_own_stays_what_it_is() -> None:
    async def count() -> Counter[str]:
        return Counter("aab")

    async def most(count: Any) -> list[Any]:  # noqa: ANN401  # no type, so that nothing is cast
        return list(count.most_common(1))

    async def of_a(a: int) -> int:
        return a

    steps = [
        FlowStep("count", count),
        FlowStep("most", most, depends_on="count"),
        FlowStep("of_a", of_a, depends_on="count"),
        FlowStep("of_b", same, depends_on="count", inputs={"value": ref("count.b")}),
    ]
    run = play(Flow("f", steps))
    assert values(run, "most") == {"result": [("a", 2)]}
    assert values(run, "of_a") == {"result": 2}
    assert values(run, "of_b") == {"got": 1}


# -- what cannot be given ---------------------------------------------------------------------------------------------


async def greet(name: str, *, loud: bool = False) -> str:
    return f"hello {name}{'!' if loud else ''}"


@pytest.mark.parametrize(
    ("step", "told", "hint"),
    [
        (FlowStep("a", greet, inputs={"naem": "x"}), "inputs has 'naem'", "did you mean name?"),
        (FlowStep("a", greet, inputs={"name": "x", "quietly": 1}), "inputs has 'quietly'", "parameters: name, loud"),
        (FlowStep("a", seven, inputs={"n": 1}), "inputs has 'n'", "parameters: none"),
        (FlowStep("a", int, depends_on="first"), "int does not tell its parameters", "lambda"),
        (FlowStep("a", max, inputs={"x": 1}), "max does not tell its parameters", "lambda"),
        (FlowStep("a", greet, fallback=max, inputs={"name": "x"}), "max does not tell", "lambda"),
    ],
)
def test_what_nobody_would_take_is_refused_before_anything_runs(step: FlowStep, told: str, hint: str) -> None:
    diary = Diary()
    with pytest.raises(UsageError, match=told) as caught:
        play(Flow("f", [FlowStep("first", diary.step("first")), step]))
    assert hint in str(caught.value.hint)
    assert diary.entries == []


@pytest.mark.parametrize(
    "step",
    [
        FlowStep("a", greet, inputs={"name": "x", "size": 3}, when="size > 2"),
        FlowStep("a", greet, fallback=same, inputs={"name": "x", "value": 3}),
        FlowStep("a", lambda **given: len(given), inputs={"anything": 1}),
        FlowStep("a", int),
        FlowStep("a", len, inputs={"obj": [1, 2]}),
    ],
)
def test_what_somebody_may_take_is_no_mistake(step: FlowStep) -> None:
    assert play(Flow("f", [step])).succeeded
