"""Whatever a task puts out becomes JSON that can be written as UTF-8 and read back by any Python."""

import json
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.events import TaskCompleted, from_json
from orchestration.results import Outcome
from orchestration.store.texts import MAX_DEPTH, event_text, json_text

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None))
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=10)


class Sullen:
    """An object that refuses to say what it is."""

    def __repr__(self) -> str:
        raise RuntimeError


def nested(depth: int) -> Any:  # noqa: ANN401  # lists in lists
    value: Any = "core"
    for _ in range(depth):
        value = [value]
    return value


def circular() -> list[Any]:
    value: list[Any] = [1]
    value += [value, value]
    return value


def back(value: object) -> Any:  # noqa: ANN401  # whatever comes back
    text = json_text(value)
    assert "\n" not in text
    return json.loads(text.encode())


ODD: Mapping[str, tuple[object, object]] = {
    "lone surrogate": ("a\ud800b", "a\ud800b"),
    "surrogate as a key": ({"\udfff": 1}, {"\udfff": 1}),
    "other characters": ("\x00\x1f\x7f\u2028\ufffe\U0010ffff", "\x00\x1f\x7f\u2028\ufffe\U0010ffff"),
    "infinity": ([float("inf"), -float("inf")], [float("inf"), -float("inf")]),
    "a large integer": (10**600, 10**600),
    "an integer over the limit of digits": ([-(16**5000)], ["-0x1" + 5000 * "0"]),
    "a key over the limit of digits": ({16**5000: 1}, {"0x1" + 5000 * "0": 1}),
    "keys that are no text": (
        {1: "a", None: "b", False: "c", 1.5: "d"},
        {"1": "a", "null": "b", "false": "c", "1.5": "d"},
    ),
    "keys that are no JSON": ({(1, 2): "a", None: "b"}, {"[1,2]": "a", "null": "b"}),
    "a tuple": ((1, (2,)), [1, [2]]),
    "a set": ({3, 1, 2}, [1, 2, 3]),
    "a mapping": (MappingProxyType({"a": 1}), {"a": 1}),
    "a moment": ({"at": datetime(2025, 1, 2, tzinfo=UTC)}, {"at": repr(datetime(2025, 1, 2, tzinfo=UTC))}),
    "bytes": (b"\xff", "b'\\xff'"),
    "an object that says nothing": ([Sullen()], ["<Sullen>"]),
    "a circle": (circular(), [1, repr(circular()), repr(circular())]),
    "deep, but not too deep": (nested(MAX_DEPTH), nested(MAX_DEPTH)),
    "wide, but not deep": ([[]] * 500, [[]] * 500),
}


@pytest.mark.parametrize(("value", "expected"), ODD.values(), ids=ODD)
def test_odd_values_come_back_as_far_as_json_can_hold_them(value: object, expected: object) -> None:
    assert back(value) == expected


@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 500, 5_000, 100_000])
def test_what_is_nested_too_deep_is_text_from_there_on(depth: int) -> None:
    value = back(nested(depth))
    for _ in range(MAX_DEPTH):
        (value,) = value
    assert isinstance(value, str)


@pytest.mark.slow
@given(VALUES)
def test_json_values_come_back_as_they_were(value: object) -> None:
    text = json_text(value)
    assert json_text(json.loads(text.encode())) == text


def test_the_outputs_of_an_event_are_no_deeper_than_any_python_can_read() -> None:
    event = TaskCompleted("r", 1, datetime(2025, 1, 2, tzinfo=UTC), "A", 1, outcome=Outcome(outputs={"x": nested(150)}))
    assert _depth(json.loads(event_text(event))) == MAX_DEPTH


def _depth(value: object) -> int:
    if isinstance(value, dict):
        return 1 + max(map(_depth, value.values()), default=0)
    return 1 + max(map(_depth, value), default=0) if isinstance(value, list) else 0


@pytest.mark.slow
@given(VALUES)
def test_any_output_makes_an_event_that_can_be_read(value: object) -> None:
    event = TaskCompleted("r", 1, datetime(2025, 1, 2, tzinfo=UTC), "A", 1, outcome=Outcome(outputs={"x": value}))
    again = from_json(event_text(event).encode().decode())
    assert isinstance(again, TaskCompleted)
    assert event_text(again) == event_text(event)


@pytest.mark.parametrize(
    "value", [nested(3_000), circular(), 10**5000, {(1,): Sullen()}], ids=["deep", "circle", "long", "odd"]
)
def test_an_event_with_impossible_outputs_keeps_all_that_is_possible(value: object) -> None:
    outcome = Outcome(output="kept", outputs={"x": value}, metadata={"y": 1})
    event = TaskCompleted("r", 1, datetime(2025, 1, 2, tzinfo=UTC), "A", 1, outcome=outcome)
    again = from_json(event_text(event))
    assert isinstance(again, TaskCompleted)
    assert (again.outcome.output, again.outcome.metadata, again.at) == ("kept", {"y": 1}, event.at)
    assert again.outcome.outputs["x"]


def test_the_limits_hold_for_the_strictest_interpreter() -> None:
    least_digits = sys.int_info.str_digits_check_threshold
    before = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(least_digits)
    try:
        assert back([2**1_999, 2**2_001, 16**4_000]) == [2**1_999, hex(2**2_001), hex(16**4_000)]
    finally:
        sys.set_int_max_str_digits(before)
