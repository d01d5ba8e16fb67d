"""Whatever a value holds, the JSON is valid, whole, and harmless on a terminal."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.errors import InvalidProject, Problem
from orchestration.events import RunStarted, TaskChunk
from orchestration.exporting.envelope import MAX_DEPTH, dumps, envelope, error_data, event_line

NOW = datetime(2026, 1, 2, tzinfo=UTC)

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.just(Path("p")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner) | st.tuples(inner),
    max_leaves=20,
)


@given(values)
def test_any_value_becomes_valid_json_without_control_characters(value: object) -> None:
    text = dumps(value)
    json.loads(text, parse_constant=lambda constant: (_ for _ in ()).throw(AssertionError(constant)))
    assert text.isprintable() or not any(ord(c) < 32 or 0x7F <= ord(c) <= 0x9F for c in text)
    text.encode("utf-8")


@given(st.dictionaries(st.text(), st.lists(st.text() | st.integers() | st.none())))
def test_what_json_has_a_form_for_comes_back_unchanged(value: Any) -> None:  # noqa: ANN401  # any value
    assert json.loads(dumps(value)) == value


def test_a_value_that_is_nested_without_end_is_cut() -> None:
    loop: list[Any] = []
    loop.append(loop)
    assert json.loads(dumps(loop)) != []
    deep: list[Any] = []
    for _ in range(10_000):
        deep = [deep]
    assert dumps(deep).count("[") == MAX_DEPTH


def test_values_that_json_has_no_form_for_are_shown_by_their_text() -> None:
    class Broken:
        def __str__(self) -> str:
            raise RuntimeError("no")

    shown = json.loads(dumps({"path": Path("a/b"), "nan": float("nan"), "huge": 1 << 20_000, "broken": Broken()}))
    assert shown["path"] == "a/b"
    assert shown["nan"] == "nan"
    assert shown["huge"].startswith("0x1")
    assert shown["broken"] == "<Broken>"


@pytest.mark.parametrize(
    ("text", "written"),
    [("a\x7fb", "a\\u007fb"), ("é\x7f", "é\\u007f"), ("é\x9b", "é\\u009b"), ("\u202e", "\\u202e"), ("a é", "a é")],
)
def test_what_a_terminal_would_obey_is_escaped_in_plain_text_and_in_other(text: str, written: str) -> None:
    assert dumps(text) == f'"{written}"'


def test_the_envelope_has_three_keys() -> None:
    assert json.loads(envelope("plan", {"a": 1})) == {"schema": "orch/1", "kind": "plan", "data": {"a": 1}}


def test_an_error_carries_all_that_its_reader_needs() -> None:
    problem = Problem("no such agent", "tasks/a.md", 3, "did you mean codex?")
    data = error_data(InvalidProject("1 problem", file="tasks/a.md", line=3, hint="mend it", problems=[problem]))
    assert data == {
        "code": "invalid_project",
        "exit_code": 2,
        "message": "1 problem",
        "file": "tasks/a.md",
        "line": 3,
        "hint": "mend it",
        "problems": [
            {"message": "no such agent", "file": "tasks/a.md", "line": 3, "hint": "did you mean codex?"},
        ],
    }


@given(st.text() | values)
def test_an_event_is_one_line_whatever_it_carries(chunk: object) -> None:
    line = event_line(TaskChunk("r", "T", 1, 1, NOW, chunk))
    assert line.count("\n") == 1
    assert len(line.splitlines()) == 1
    assert json.loads(line)["type"] == "task_chunk"
    assert json.loads(event_line(RunStarted("r", 1, NOW, ("T",))))["tasks"] == ["T"]
