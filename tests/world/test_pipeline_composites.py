"""Composites: what their parts see, what they become, and what is known after them."""

import asyncio
import gc
import sys
from typing import Any

import pytest

from orchestration import AsyncPipeline, AsyncPythonTask, Conditional, Loop, Map, OrchError, Parallel, PythonTask
from orchestration.kinds import ExecutionStatus, Failure
from orchestration.ledger import Ledger
from orchestration.steps.binding import CannotBind
from tests.world.steps import add, echo, made_of, nothing, pipeline_of, returning, statuses


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
        (max, [], []),
        (lambda *values: max(values), [1, 5, 2], 6),
        (lambda values: values[::-1], [1, 2], [3, 2]),
    ],
)
async def test_a_reducer_makes_one_value_of_each_list(reducer: Any, items: list[int], expected: Any) -> None:  # noqa: ANN401  # any function, any value
    step = Map("m", AsyncPythonTask(add, returns=["s"]), "xs", "x", reducer=reducer)
    assert (await made_of(step, xs=items)).outputs == {"s": expected}


@pytest.mark.parametrize(
    "composite",
    [
        Map("c", AsyncPythonTask(add, returns=["s"]), "xs", "x", reducer=lambda _: sys.exit(3)),
        Map("c", AsyncPythonTask(add, returns=["s"]), "exits", "x"),
        Conditional("c", {1: AsyncPythonTask(nothing)}, condition=lambda: sys.exit(3)),
        Loop("c", AsyncPythonTask(nothing), lambda: sys.exit(3), 2),
    ],
)
async def test_a_function_of_a_composite_that_exits_ends_nothing_but_its_composite(composite: Any) -> None:  # noqa: ANN401  # a composite
    class Exits:
        def __iter__(self) -> Any:  # noqa: ANN401  # never
            sys.exit(3)

    run = await made_of(composite, xs=[1], exits=Exits())
    assert "SystemExit: 3" in (run["c"].error or "")


async def asks(*_: object) -> bool:
    return False


@pytest.mark.parametrize(
    "composite",
    [
        Map("c", AsyncPythonTask(add, returns=["s"]), "xs", "x", reducer=lambda values: asks(values)),  # noqa: PLW0108  # meant
        Conditional("c", {True: AsyncPythonTask(nothing)}, condition=lambda: asks(), default=AsyncPythonTask(nothing)),  # noqa: PLW0108  # likewise
        Loop("c", AsyncPythonTask(nothing), lambda: asks(), 2),  # noqa: PLW0108  # likewise
    ],
)
async def test_who_only_computes_and_returns_a_coroutine_has_not_answered(composite: Any) -> None:  # noqa: ANN401  # a composite
    run = await made_of(composite, xs=[1])
    assert run["c"].failure is Failure.CRASHED
    assert "returned a coroutine, for which nobody waits here" in (run["c"].error or "")
    gc.collect()  # one that was never awaited would complain of that here


async def test_a_reducer_changes_nothing_that_is_recorded() -> None:
    def spoil(rows: list[list[int]]) -> int:
        return len([row.pop() for row in rows])

    step = Map("m", PythonTask(lambda x: [x], "wrap", returns=["row"]), "xs", "x", reducer=spoil)
    run = await made_of(step, xs=[1, 2])
    assert (run.outputs, run["m[1]/wrap"].outputs) == ({"row": 2}, {"row": [2]})


async def test_a_reducer_that_raises_is_a_failure_of_its_map() -> None:
    step = Map("m", AsyncPythonTask(add, returns=["s"]), "xs", "x", reducer=lambda values: values[7])
    run = await made_of(step, xs=[1])
    assert run["m"].failure is Failure.CRASHED
    assert "the reducer raised IndexError" in (run["m"].error or "")


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


async def test_a_loop_looks_at_each_of_its_rounds_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = 0
    status_of = Ledger.status_of

    def counted(self: Ledger, task_id: str) -> ExecutionStatus:
        nonlocal asked
        asked += 1
        return status_of(self, task_id)

    async def more(x: int) -> int:
        return x + 1

    monkeypatch.setattr(Ledger, "status_of", counted)
    needed = []
    for rounds in (40, 400):
        asked = 0
        loop = Loop("l", AsyncPythonTask(more, returns=["x"]), until=f"x >= {rounds}", max_iterations=rounds)
        run = await AsyncPipeline([loop]).execute({"x": 0})
        assert run.outputs["x"] == rounds
        needed.append(asked)
    assert needed[1] < 15 * needed[0]
