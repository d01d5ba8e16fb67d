"""Which steps of a flow run at all: branches, defaults, conditions, and what is skipped because others were."""

from collections.abc import Callable
from typing import Any

import pytest

from orchestration.errors import GraphError, UsageError
from orchestration.flow import Flow, FlowStep, ref
from orchestration.kinds import ExecutionStatus, RunStatus
from tests.loop.flows import Diary, play, statuses

SUCCESS = ExecutionStatus.SUCCESS
SKIPPED = ExecutionStatus.SKIPPED
BLOCKED = ExecutionStatus.BLOCKED


def returning(value: Any) -> Callable[[], Any]:  # noqa: ANN401  # any value
    async def decide() -> Any:  # noqa: ANN401  # as above
        return value

    return decide


def choosing(value: Any, **options: Any) -> list[FlowStep]:  # noqa: ANN401  # any value, any option
    """A step that chooses among `low` and `high`; `always` waits for it too; `joined` for all of them."""
    branches: dict[str, Any] = {"low": "size < 10", "high": lambda size: size > 100}
    return [
        FlowStep("choose", returning(value), branches=branches, **options),
        FlowStep("low", returning("l"), depends_on="choose"),
        FlowStep("high", returning("h"), depends_on="choose"),
        FlowStep("middle", returning("m"), depends_on="choose"),
        FlowStep("always", returning("a"), depends_on="choose"),
        FlowStep("below", returning("b"), depends_on="high"),
        FlowStep("joined", lambda low=None, high=None: [low, high], depends_on=["low", "high", "always"]),
    ]


@pytest.mark.parametrize(
    ("size", "low", "high"), [(1, SUCCESS, SKIPPED), (999, SKIPPED, SUCCESS), (50, SKIPPED, SKIPPED)]
)
def test_the_first_branch_that_holds_runs_and_the_others_are_skipped_with_what_waits_only_for_them(
    size: int, low: ExecutionStatus, high: ExecutionStatus
) -> None:
    run = play(Flow("f", choosing({"size": size})))
    assert run.status is RunStatus.SUCCESS
    found = statuses(run)
    assert found["low"] is low
    assert found["high"] is found["below"] is high
    assert found["always"] is found["middle"] is found["joined"] is SUCCESS
    assert run["joined"].outputs["result"] == ["l" if low is SUCCESS else None, "h" if high is SUCCESS else None]


def test_the_default_runs_where_no_condition_holds_and_only_then() -> None:
    found = statuses(play(Flow("f", choosing({"size": 50}, default="middle"))))
    assert (found["low"], found["high"], found["middle"]) == (SKIPPED, SKIPPED, SUCCESS)
    found = statuses(play(Flow("f", choosing({"size": 1}, default="middle"))))
    assert (found["low"], found["high"], found["middle"]) == (SUCCESS, SKIPPED, SKIPPED)


def test_a_value_without_a_name_is_known_by_the_name_of_its_step() -> None:
    steps = [
        FlowStep("kind", returning("b"), branches={"x": "kind == 'a'", "y": "result == 'b'"}),
        FlowStep("x", returning(1), depends_on="kind"),
        FlowStep("y", returning(2), depends_on="kind"),
    ]
    assert statuses(play(Flow("f", steps))) == {"kind": SUCCESS, "x": SKIPPED, "y": SUCCESS}


def test_a_branch_of_a_skipped_choice_is_skipped() -> None:
    steps = [
        *choosing({"size": 1}),
        FlowStep("second", returning({"n": 1}), depends_on="high", branches={"leaf": "true"}),
    ]
    found = statuses(play(Flow("f", [*steps, FlowStep("leaf", returning(1), depends_on=["second", "low"])])))
    assert found["second"] is found["leaf"] is SKIPPED


def test_two_that_choose_have_to_agree() -> None:
    def steps(first: bool, second: bool) -> list[FlowStep]:
        return [
            FlowStep("p", returning({"yes": first}), branches={"both": "yes"}),
            FlowStep("q", returning({"yes": second}), branches={"both": "yes"}),
            FlowStep("both", returning(1), depends_on=["p", "q"]),
        ]

    for first in (True, False):
        for second in (True, False):
            found = statuses(play(Flow("f", steps(first, second))))["both"]
            assert found is (SUCCESS if first and second else SKIPPED)


@pytest.mark.parametrize(
    ("when", "runs"),
    [
        (None, True),
        (True, True),
        (False, False),
        ("x > 3", True),
        ("x > 5", False),
        ("first.size > x", True),
        ("size == 10 and inputs_are == 'seen'", True),
        (lambda x: x == 4, True),
        (lambda size: size > 10, False),
        (lambda first: first["size"] == 10, True),
        (lambda **known: "size" in known and "x" in known, True),
    ],
)
def test_a_condition_is_a_truth_a_text_or_a_function_of_what_is_known(when: Any, runs: bool) -> None:  # noqa: ANN401
    async def a(inputs_are: str) -> str:
        return inputs_are

    steps = [
        FlowStep("first", returning({"size": 10})),
        FlowStep("a", a, depends_on="first", when=when, inputs={"inputs_are": "seen"}),
    ]
    run = play(Flow("f", steps), inputs={"x": 4})
    assert statuses(run)["a"] is (SUCCESS if runs else SKIPPED)
    assert run.status is RunStatus.SUCCESS


def test_a_condition_that_returns_a_coroutine_has_not_been_answered() -> None:
    async def is_big(size: int) -> bool:
        return size > 100

    def asks(size: int) -> Any:  # noqa: ANN401  # it means to return a truth
        return is_big(size)

    steps = [FlowStep("size", returning(7)), FlowStep("a", returning(1), depends_on="size", when=asks)]
    run = play(Flow("f", steps, on_error="continue"))
    assert run["a"].status is BLOCKED
    assert "asks returned a coroutine, for which nobody waits here" in str(run["a"].reason)


def test_a_condition_that_cannot_be_evaluated_blocks_its_step_and_says_why() -> None:
    def raising() -> bool:
        raise ZeroDivisionError("by what?")

    steps = [
        FlowStep("a", returning(1), when="nothing == 1"),
        FlowStep("b", returning(1), when=raising),
        FlowStep("c", returning(1), depends_on="a"),
        FlowStep("d", returning(1), when=lambda unheard: unheard),
    ]
    run = play(Flow("f", steps, on_error="continue"))
    assert set(statuses(run).values()) == {BLOCKED}
    assert run.status is RunStatus.FAILED
    assert "unknown name 'nothing'" in str(run["a"].reason)
    assert "ZeroDivisionError: by what?" in str(run["b"].reason)
    assert "unheard" in str(run["d"].reason)


async def later(x: int) -> bool:
    return x > 1


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"when": later}, "later is async"),
        ({"when": "x >"}, "when: "),
        ({"when": 3}, "3 is no condition"),
        ({"branches": {"b": later}}, "later is async"),
        ({"branches": {"b": "== 2"}}, "branches: b: "),
        ({"branches": ["b"]}, "branches is ['b']; it is a dictionary"),
        ({"branches": {"b": None}}, "None is no condition"),
        ({"default": "b"}, "a default needs branches"),
    ],
)
def test_a_condition_that_cannot_be_one_is_refused_where_it_is_written(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError) as caught:
        FlowStep("a", returning(1), **wrong)
    assert told in caught.value.message
    assert "a" in caught.value.message


def test_a_branch_that_does_not_wait_is_refused_with_what_to_do() -> None:
    steps = [FlowStep("a", returning(1), branches={"b": "true"}), FlowStep("b", returning(1))]
    with pytest.raises(GraphError) as caught:
        Flow("f", steps)
    assert caught.value.message == "a chooses b, which does not wait for it"
    assert caught.value.hint == "add a to its depends_on"
    with pytest.raises(GraphError) as caught:
        Flow(
            "f",
            [FlowStep("a", returning(1), branches={"lodd": "true"}), FlowStep("load", returning(1), depends_on="a")],
        )
    assert "load" in str(caught.value.hint)


def test_branches_and_flows_inside_of_each_other() -> None:
    diary = Diary()
    inner = Flow("inner", choosing({"size": 1}))
    steps = [
        FlowStep("pick", returning({"way": "in"}), branches={"sub": "way == 'in'", "other": "way == 'out'"}),
        FlowStep("sub", flow=inner, depends_on="pick"),
        FlowStep("other", flow=Flow("o", [FlowStep("never", diary.step("never"))]), depends_on="pick"),
        FlowStep("end", lambda found: found, depends_on=["sub", "other"], inputs={"found": ref("sub.low")}),
    ]
    run = play(Flow("f", steps))
    found = statuses(run)
    assert found["other"] is found["sub/high"] is SKIPPED
    assert found["sub"] is found["sub/low"] is SUCCESS
    assert diary.entries == []
    assert run.outputs["end"] == "l"


class Spoilt:
    @property
    def value(self) -> int:
        raise LookupError("spoilt")


@pytest.mark.parametrize("when", ["x == 1", "y == 1", lambda x: x == 1])
@pytest.mark.parametrize(("returned", "path"), [({"key": 1}, "a.other"), (Spoilt(), "a.value")])
def test_a_condition_beside_a_reference_that_leads_nowhere_blocks_its_step_and_the_run_goes_on(
    when: Any,  # noqa: ANN401  # a condition
    returned: object,
    path: str,
) -> None:
    steps = [
        FlowStep("a", returning(returned)),
        FlowStep("b", lambda x: x, depends_on="a", inputs={"x": ref(path)}, when=when),
        FlowStep("c", lambda x: x, depends_on="a", inputs={"x": ref(path)}, branches={"d": when}, on_error="skip"),
        FlowStep("d", returning(1), depends_on=["c", "a"]),
    ]
    run = play(Flow("f", steps, on_error="continue"))
    assert [one.status for one in run.results] == [SUCCESS, BLOCKED, SKIPPED, SKIPPED]
    assert "its condition cannot be evaluated" in (run["b"].reason or "")
