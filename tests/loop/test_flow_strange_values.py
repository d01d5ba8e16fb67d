"""Values that are not what they seem, keys that are no names, and what is written for a step and changed later."""

from typing import Any

import pytest

from orchestration.errors import UsageError
from orchestration.flow import Flow, FlowStep
from tests.loop.flows import play


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
