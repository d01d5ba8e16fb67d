"""Events and their JSON: what is stored comes back the same."""

import json
from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import UTC, datetime
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.events import (
    STORED,
    Event,
    RunPaused,
    RunStarted,
    TaskAdopted,
    TaskChunk,
    TaskCompleted,
    TaskError,
    TaskEvent,
    TaskStarted,
    from_dict,
    from_json,
    to_dict,
    to_json,
)
from orchestration.kinds import ExecutionStatus, Failure, OnCrash, RunStatus
from orchestration.results import Outcome, Usage
from tests.core.outcomes import json_dicts, json_values, outcomes, texts, usages

AT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
ATTEMPT_ENDS = {"task_completed", "task_error", "task_cancelled", "attempt_interrupted"}

BY_TYPE: dict[Any, st.SearchStrategy[Any]] = {
    str: texts,
    int: st.integers(-(2**53), 2**53),
    float: st.floats(0, 1e9),
    bool: st.booleans(),
    datetime: st.datetimes(timezones=st.just(UTC)),
    NoneType: st.none(),
    Outcome: outcomes,
    Usage: usages,
    Failure: st.sampled_from(Failure),
    OnCrash: st.sampled_from(OnCrash),
    ExecutionStatus: st.sampled_from(ExecutionStatus),
    RunStatus: st.sampled_from(RunStatus),
}


def values_of(hint: Any) -> st.SearchStrategy[Any]:  # noqa: ANN401  # a type, as hints have it
    """Values that a field with this type can have."""
    if get_origin(hint) in {UnionType, Union}:
        return st.one_of([values_of(one) for one in get_args(hint)])
    if get_origin(hint) is tuple:
        return st.lists(values_of(get_args(hint)[0]), max_size=3).map(tuple)
    if get_origin(hint) is Mapping:
        return json_dicts
    return BY_TYPE.get(hint, json_values)


def events_of(kind: type[Event]) -> st.SearchStrategy[Event]:
    hints = get_type_hints(kind)
    return st.builds(kind, **{field.name: values_of(hints[field.name]) for field in fields(kind)})


@pytest.mark.slow
@given(st.sampled_from(STORED).flatmap(events_of))
def test_every_event_comes_back_from_its_json(event: Event) -> None:
    line = to_json(event)
    assert "\n" not in line
    assert line.encode()
    assert from_json(line) == event
    assert from_dict(to_dict(event)) == event
    assert to_dict(event) == json.loads(line)


@given(
    st.sampled_from(STORED).flatmap(events_of), st.dictionaries(texts.map("later_".__add__), json_values, max_size=3)
)
def test_fields_of_a_later_version_are_ignored(event: Event, later: dict[str, Any]) -> None:
    assert from_dict({**to_dict(event), **later}) == event


@pytest.mark.parametrize("kind", STORED, ids=lambda kind: kind.type)
def test_an_event_needs_only_what_every_event_has(kind: type[Event]) -> None:
    least = {"type": kind.type, "run_id": "r", "seq": 1, "at": AT.isoformat(), "task_id": "T"}
    event = from_dict(least)
    assert type(event) is kind
    assert (event.run_id, event.seq, event.at) == ("r", 1, AT)
    for name in ("run_id", "seq", "at", "type", *(["task_id"] if issubclass(kind, TaskEvent) else [])):
        with pytest.raises(KeyError, match=name):
            from_dict({key: value for key, value in least.items() if key != name})


def test_types_are_named_as_the_design_says_and_once() -> None:
    names = [kind.type for kind in STORED]
    assert len(set(names)) == len(names)
    assert {kind.type for kind in STORED if "outcome" in kind.__match_args__} == ATTEMPT_ENDS


def test_an_event_of_an_unknown_type_is_refused() -> None:
    with pytest.raises(KeyError, match="task_sang"):
        from_json('{"type": "task_sang", "run_id": "r", "seq": 1, "at": "2026-01-01T00:00:00+00:00"}')


@pytest.mark.parametrize(
    "wrong",
    [
        {"at": "yesterday"},
        {"status": "splendid"},
        {"type": "task_error", "failure": "mood"},
        {"type": "attempt_interrupted", "then": "shrug"},
    ],
    ids=str,
)
def test_a_value_that_a_field_cannot_have_is_refused(wrong: dict[str, str]) -> None:
    good = to_dict(TaskAdopted("r", 1, AT, "T"))
    with pytest.raises(ValueError, match=r"yesterday|splendid|mood|shrug"):
        from_dict({**good, **wrong})


def test_the_json_of_an_event_is_flat_and_begins_with_its_type() -> None:
    outcome = Outcome(failure=Failure.EXIT_CODE, exit_code=3, error="exit code 3")
    event = TaskError("r", 7, AT, "T", 2, agent="shell", duration_seconds=0.5, outcome=outcome, reason="exit_code")
    assert to_json(event) == (
        '{"type":"task_error","run_id":"r","seq":7,"at":"2026-01-02T03:04:05.678901+00:00",'
        '"task_id":"T","path":"T","attempt":2,"agent":"shell","duration_seconds":0.5,'
        '"failure":"exit_code","error":"exit code 3","exit_code":3,"final":true,"reason":"exit_code"}'
    )


def test_a_run_event_has_no_task() -> None:
    assert to_dict(RunPaused("r", 2, AT, reason="waits")) == {
        "type": "run_paused",
        "run_id": "r",
        "seq": 2,
        "at": AT.isoformat(),
        "reason": "waits",
    }


def test_a_chunk_is_passed_on_unchanged_and_is_no_stored_event() -> None:
    item = {"type": "task_completed", "run_id": "fake", "seq": 1}
    chunk = TaskChunk("r", "T", 2, 5, AT, item)
    assert to_dict(chunk) == {
        "type": "task_chunk",
        "run_id": "r",
        "task": "T",
        "path": "T",
        "attempt": 2,
        "n": 5,
        "at": AT.isoformat(),
        "chunk": item,
    }
    assert to_dict(TaskChunk("r", "T", 1, 1, AT, "a line", "stderr"))["stream"] == "stderr"
    with pytest.raises(KeyError):
        from_json(to_json(chunk))


def test_half_a_character_is_stored_escaped_and_comes_back() -> None:
    event = TaskCompleted("r", 1, AT, "T", 1, outcome=Outcome(output="\ud83d", outputs={"é": "\udce9"}))
    assert to_json(event).encode()
    assert from_json(to_json(event)) == event
    assert "é" in to_json(TaskCompleted("r", 1, AT, "é", 1))


@pytest.mark.parametrize(
    "make",
    [
        lambda big: TaskCompleted("r", 1, AT, "T", 1, outcome=Outcome(output=big)),
        lambda big: TaskAdopted("r", 1, AT, "T", output=big, outputs={"big": big}),
        lambda big: TaskChunk("r", "T", 1, 1, AT, big),
    ],
    ids=["end", "adoption", "chunk"],
)
def test_an_event_shows_itself_shortly_whatever_it_carries(make: Callable[[str], Event | TaskChunk]) -> None:
    assert len(repr(make("x" * 1_000_000))) < 500


def test_events_are_frozen_and_small() -> None:
    event = TaskStarted("r", 1, AT, "T", 1)
    with pytest.raises(AttributeError):
        event.seq = 2  # type: ignore[misc]  # that is the point
    assert not hasattr(event, "__dict__")


def test_a_list_in_json_is_a_tuple_in_an_event() -> None:
    event = RunStarted("r", 1, AT, tasks=("A", "B"), upstream=("X",))
    assert to_dict(event)["tasks"] == ["A", "B"]
    again = from_json(to_json(event))
    assert again == event
    assert hash(again) == hash(event)
