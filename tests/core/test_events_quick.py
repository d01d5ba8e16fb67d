"""The short way to an event's JSON gives what the long way gives, to the letter, or leaves it to that."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.events import Event, TaskCompleted, TaskError, TaskStarted, from_json, to_dict, to_json
from orchestration.events.quick import quick_json
from orchestration.results import Outcome
from tests.core.outcomes import outcomes, texts

MOMENTS = st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))]))
ANY_TEXT = st.one_of(texts, st.text(), st.just("\ud800"), st.just('"\\\x00\x7f\u2028'))
HEAD: dict[str, st.SearchStrategy[Any]] = {
    "run_id": ANY_TEXT,
    "seq": st.integers(0),
    "at": MOMENTS,
    "task_id": ANY_TEXT,
    "attempt": st.none() | st.integers(0, 99),
    "agent": st.none() | ANY_TEXT,
}
STARTED = st.builds(TaskStarted, **HEAD, slot=st.integers(0, 9999), queued_at=st.none() | MOMENTS)
NUMBERS = st.floats() | st.integers(0, 10)
COMPLETED = st.builds(TaskCompleted, **HEAD, duration_seconds=NUMBERS, outcome=outcomes)


def long_way(event: Event) -> str:
    text = json.dumps(to_dict(event), separators=(",", ":"), ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(to_dict(event), separators=(",", ":"))
    return text


@given(STARTED | COMPLETED)
def test_both_ways_give_the_same(event: Event) -> None:
    quick = quick_json(event)
    assert quick is None or quick == json.dumps(to_dict(event), separators=(",", ":"), ensure_ascii=False)
    assert to_json(event) == long_way(event)


def test_the_usual_events_go_the_short_way() -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    assert quick_json(TaskStarted("run", 1, at, "a", 1, "shell", 0, at)) is not None
    done = TaskCompleted("run", 2, at, "a", 1, None, 0.5, Outcome(outputs={"x": [1, {"y": None}]}))
    assert quick_json(done) is not None
    assert from_json(to_json(done)) == done
    assert quick_json(TaskError("run", 3, at, "a", 1)) is None


@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), 1, True])
def test_a_strange_number_goes_the_long_way(seconds: float) -> None:
    event = TaskCompleted("run", 2, datetime(2026, 1, 1, tzinfo=UTC), "a", 1, None, seconds)
    assert quick_json(event) is None
    assert to_json(event) == long_way(event)
