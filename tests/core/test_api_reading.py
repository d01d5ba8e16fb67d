"""What answers and refusals of models say: when a limit ends, and the values that are passed on."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.executors._api_limits import LONGEST, limit_of
from orchestration.executors._api_outputs import outputs_in

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def seconds(retry_after: float | None = None, body: object = None, **headers: str) -> float | None:
    spelled = {name.replace("_", "-"): value for name, value in headers.items()}
    return limit_of(retry_after, spelled, body, NOW).retry_after


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("7", 7),
        ("7.5", 7.5),
        ("20ms", 0.02),
        ("6m0s", 360),
        ("1h2m3.5s", 3723.5),
        ("1d", 86400),
        (str(int(NOW.timestamp()) + 60), 60),
        (str(int(NOW.timestamp()) * 1000 + 60_000), 60),
        ("2026-01-01T12:01:00Z", 60),
        ("2026-01-01T13:01:00+01:00", 60),
        ("2026-01-01T12:01:00", 60),
        ("2026-01-01T11:00:00Z", 0),
        ("-5", 0),
        ("soon", None),
        ("", None),
        ("nan", None),
        ("inf", None),
        ("2030-01-01T00:00:00Z", None),
        ("9" * 400, None),
    ],
)
def test_a_reset_is_understood_however_it_is_written(text: str, expected: float | None) -> None:
    assert seconds(x_ratelimit_reset=text) == (None if expected is None else pytest.approx(expected))


def test_what_is_said_outright_counts_first_then_the_body_then_the_headers() -> None:
    body = {"error": {"resets_in_seconds": 20}}
    assert seconds(10, body, x_ratelimit_reset="30") == 10
    assert seconds(None, body, x_ratelimit_reset="30") == 20
    assert seconds(None, {"error": "x"}, x_ratelimit_reset="30") == 30
    assert seconds(LONGEST * 2, None, x_ratelimit_reset="30") == 30


def test_the_limit_that_was_met_counts_and_not_the_others() -> None:
    assert (
        seconds(
            x_ratelimit_reset_requests="2s",
            x_ratelimit_remaining_requests="0",
            x_ratelimit_reset_tokens="6m0s",
            x_ratelimit_remaining_tokens="1000",
        )
        == 2
    )
    assert seconds(x_ratelimit_reset_requests="2s", x_ratelimit_reset_tokens="6m") == 360
    assert (
        seconds(
            anthropic_ratelimit_unified_reset=str(int(NOW.timestamp()) + 3600),
            anthropic_ratelimit_unified_status="rejected",
            anthropic_ratelimit_tokens_reset="2026-01-02T12:00:00Z",
        )
        == 3600
    )


def test_a_limit_gives_both_the_seconds_and_the_moment() -> None:
    assert limit_of(90, {}, None, NOW).facts == {
        "retry_after": 90,
        "resets_at": (NOW + timedelta(seconds=90)).isoformat(),
    }


def test_nothing_said_is_nothing_known() -> None:
    assert limit_of(None, {"date": "x", "x-reset-me": "5", "x-ratelimit-limit": "5"}, [], NOW).facts == {}


@given(st.text(max_size=40), st.recursive(st.none() | st.text() | st.floats(), lambda x: st.dictionaries(st.text(), x)))
def test_no_nonsense_of_a_service_is_an_exception(text: str, body: object) -> None:
    found = limit_of(None, {"x-ratelimit-reset": text}, {"error": {"resets_at": text, "message": body}}, NOW)
    assert found.retry_after is None or 0 <= found.retry_after <= LONGEST


@pytest.mark.parametrize(
    "answer",
    [
        '{"a": 1, "b": [2]}',
        ' {"a": 1,\n "b": [2]}\n',
        'Done.\n{"a": 1, "b": [2]}',
        'Done: {"a": 1, "b": [2]}',
        'As {said}, {"a": 9}:\n```json\n{"a": 1, "b": [2]}\n```',
        '```\n{"a": 1, "b": [2]}\n```\n',
        '```py\nx = {}\n```\nand\n```json\n{\n  "a": 1,\n  "b": [2]\n}\n```',
        '{"a": 7} and then {"a": 1, "b": [2]}',
        '{"a": 1, "b": [2], "more": {"deep": {"a": 3}}}',
    ],
)
def test_the_object_at_the_end_of_an_answer_gives_the_declared_values(answer: str) -> None:
    assert outputs_in(answer, ("a", "b", "c")) == {"a": 1, "b": [2]}


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "a: 1",
        '{"a": 1',
        '{"a": 1} is it',
        '["a"]',
        '{"a": NaN}',
        '{"a": 1e999}',
        '{"a": "\\ud800"}',
        "}" * 10_000,
        "{" * 10_000 + "}",
    ],
)
def test_anything_else_gives_none(answer: str) -> None:
    assert outputs_in(answer, ("a",)) == {}


def test_a_task_that_declares_nothing_gets_nothing() -> None:
    assert outputs_in('{"a": 1}', ()) == {}


def test_an_object_with_many_objects_in_it_is_found() -> None:
    value = {"items": [{"n": {"m": n}} for n in range(300)]}
    assert outputs_in(f"Here:\n{json.dumps(value)}", ("items",)) == value


def test_an_object_that_is_too_deep_is_none() -> None:
    assert outputs_in('{"a": ' * 150 + "1" + "}" * 150, ("a",)) == {}
