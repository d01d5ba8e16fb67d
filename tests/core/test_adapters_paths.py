"""Paths, conditions and numbers: what they find in events, and that nothing in an event can upset them."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.adapters.conditions import match_of
from orchestration.adapters.numbers import Conversion, converted, number
from orchestration.adapters.paths import path_of
from tests.core.outcomes import json_values

EVENT = {
    "type": "thread.started",
    "usage.total": 7,
    "item": {"a.b": {"c": 1}, "parts": [{"id": "x", "n": 1}, {"id": "y"}, 5]},
    "by model": {"m-1.5": {"in": 3}, "m-2": {"in": 4}},
    "null": None,
}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("type", ["thread.started"]),
        ('"usage.total"', [7]),
        ('item."a.b".c', [1]),
        (["item", "a.b", "c"], [1]),
        ("item.parts[0].id", ["x"]),
        ("item.parts[-1]", [5]),
        ("item.parts[9].id", []),
        ("item.parts[*].id", ["x", "y"]),
        ("item.parts[].n", [1]),
        ("item.parts.*.id", ["x", "y"]),
        ('"by model"[*].in', [3, 4]),
        ("by model.*.in", [3, 4]),
        ("null", []),
        ("type.deeper", []),
        ("item.parts.id", []),
    ],
)
def test_a_path_leads_to_its_values(path: object, found: list[Any]) -> None:
    assert path_of(path).find(EVENT) == found


@pytest.mark.parametrize("path", ["", "a..b", "a.", "a[x]", 'a"b"', "a[1", [], 5, [True], ["a", {}]])
def test_what_is_no_path_is_refused(path: object) -> None:
    with pytest.raises(ValueError, match="path"):
        path_of(path)


keys = st.text(max_size=6).filter(lambda text: '"' not in text)


@given(st.lists(st.one_of(keys, st.integers(-3, 3), st.just("*")), min_size=1, max_size=5), json_values)
def test_a_lookup_never_raises(steps: list[str | int], value: object) -> None:
    assert isinstance(path_of(steps).find(value), list)


@given(st.lists(keys, min_size=1, max_size=4), json_values)
def test_quoted_keys_are_found_whatever_they_hold(path: list[str], value: object) -> None:
    event = value
    for key in reversed(path):
        event = {key: event}
    written = ".".join(f'"{key}"' for key in path)
    assert path_of(written).first(event) == value


@given(st.text(max_size=30))
def test_any_text_is_a_path_or_is_refused_with_a_sentence(text: str) -> None:
    said = ""
    try:
        path_of(text)
    except ValueError as error:
        said = str(error)
    assert not said or "path" in said


@pytest.mark.parametrize(
    ("match", "fits"),
    [
        ({"type": "thread.started"}, True),
        ({"type": ["a", "thread.started"]}, True),
        ({"type": {"regex": "^thread"}}, True),
        ({"type": {"regex": "^thread", "not": "thread.started"}}, False),
        ({"item.parts[*].id": "y"}, True),
        ({"item.parts[*].id": {"in": ["z"]}}, False),
        ({"nothing": {"exists": False}}, True),
        ({"nothing": None}, True),
        ({"type": {"exists": True}, '"usage.total"': 7}, True),
        ({'"usage.total"': {"regex": "^7$"}}, True),
        ({'"usage.total"': True}, False),
        ({"nothing": {"not": {"in": [1, 2]}}}, True),
        ({}, True),
    ],
)
def test_all_conditions_have_to_hold(match: dict[str, Any], fits: bool) -> None:
    assert match_of(match).fits(EVENT) is fits


def test_true_is_not_one_and_false_is_not_zero() -> None:
    assert not match_of({"ok": True}).fits({"ok": 1})
    assert not match_of({"n": 0}).fits({"n": False})


@pytest.mark.parametrize(
    ("match", "words"),
    [
        ({"a": {"regexp": "x"}}, "did you mean regex"),
        ({"a": {"regex": "("}}, "no regular expression"),
        ({"a": {"exists": "yes"}}, "cannot be"),
        ({"a": {}}, "empty condition"),
        ("type", "condition"),
    ],
)
def test_a_wrong_condition_is_explained(match: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        match_of(match)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (5, 5.0),
        ("5", 5.0),
        ("1.0k", 1000.0),
        ("2.5M", 2_500_000.0),
        ("$0.0022", 0.0022),
        ("1,234,567", 1_234_567.0),
        ("", None),
        ("many", None),
        (-1, None),
        (True, None),
        (float("nan"), None),
        (float("inf"), None),
        (10**400, None),
        ("9" * 10_000, None),
        ([1], None),
    ],
)
def test_a_number_is_read_as_agents_write_it(written: object, meant: float | None) -> None:
    assert number(written) == meant


@pytest.mark.parametrize(
    ("written", "how", "meant"),
    [
        ("1m30s", "duration", 90.0),
        ("2 days, 3 hours and 5 minutes", "duration", 183_900.0),
        ("250ms", "duration", 0.25),
        (20, "duration", 20.0),
        ("soon", "duration", None),
        (1500, "milliseconds", 1.5),
        ("7", "seconds", 7.0),
        (1_795_200_000, "epoch", datetime(2026, 11, 20, 18, 40, tzinfo=UTC)),
        (1_795_200_000_000, "epoch", datetime(2026, 11, 20, 18, 40, tzinfo=UTC)),
        ("2026-11-20T18:40:00Z", "time", datetime(2026, 11, 20, 18, 40, tzinfo=UTC)),
        ("2026-11-20T20:40:00+02:00", "time", datetime(2026, 11, 20, 18, 40, tzinfo=UTC)),
        ("3pm", "time", None),
        (0, "epoch", None),
    ],
)
def test_times_are_read_by_the_word_that_says_how(written: object, how: Conversion, meant: object) -> None:
    assert converted(written, how) == meant


@given(st.one_of(json_values, st.text(), st.floats(), st.integers()), st.sampled_from(["duration", "epoch", "time"]))
def test_reading_a_time_never_raises(written: object, how: Conversion) -> None:
    assert isinstance(converted(written, how), float | datetime | None)
