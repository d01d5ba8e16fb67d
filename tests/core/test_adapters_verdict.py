"""What the agent said, how its process ended, who ended it: the outcome, and never a success that is none."""

from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.adapters import End, denied, replay
from orchestration.kinds import Failure
from tests.core.adapters import BEGIN, GOOD, TEXT, lines, outcome, read, small

FAILED = {"type": "end", "ok": False, "error": "it broke"}
LIMITED = {"type": "end", "ok": False, "error": "too much", "code": 429}
SAID: dict[str, list[dict[str, Any]]] = {
    "nothing": [],
    "begun": [BEGIN, TEXT],
    "good": [BEGIN, TEXT, GOOD],
    "empty": [BEGIN, GOOD],
    "failed": [FAILED],
    "limited": [LIMITED],
}
CLAIMS = {"nothing": None, "begun": None, "good": "done", "empty": "done", "failed": "failed", "limited": "failed"}
OURS = {
    "timeout": "timeout",
    "idle_timeout": "idle_timeout",
    "first_output": "idle_timeout",
    "cancelled": "cancelled",
    "budget": "budget",
}


@pytest.mark.parametrize("ended_by", OURS)
@pytest.mark.parametrize("said", SAID)
def test_what_we_ended_failed_for_that_reason_whatever_was_said(said: str, ended_by: str) -> None:
    found = outcome(small(), *SAID[said], end=End(exit_code=0, ended_by=ended_by))
    assert found.failure == OURS[ended_by]
    assert found.claim == CLAIMS[said]


@pytest.mark.parametrize(
    ("said", "exit_code", "failure", "error_class"),
    [
        ("nothing", 0, "invalid_output", None),
        ("begun", 0, "invalid_output", None),
        ("good", 0, None, None),
        ("empty", 0, "no_output", None),
        ("failed", 0, "exit_code", None),
        ("limited", 0, "rate_limited", "limit"),
        ("nothing", 1, "exit_code", None),
        ("begun", 1, "exit_code", None),
        ("good", 1, "exit_code", None),
        ("empty", 1, "exit_code", None),
        ("failed", 1, "exit_code", None),
        ("limited", 1, "rate_limited", "limit"),
        ("nothing", -15, "crashed", None),
        ("good", -15, "crashed", None),
        ("failed", -9, "exit_code", None),
        ("limited", -9, "rate_limited", "limit"),
        ("good", None, "crashed", None),
    ],
)
def test_an_end_by_itself(said: str, exit_code: int | None, failure: str | None, error_class: str | None) -> None:
    found = outcome(small(), *SAID[said], end=End(exit_code=exit_code))
    assert found.failure == failure
    assert found.claim == CLAIMS[said]
    assert found.metadata.get("error_class") == error_class
    assert (found.error is None) is (failure is None)
    assert found.metadata["final_event"] is (CLAIMS[said] is not None)


def test_a_signal_may_be_told_as_a_negative_exit_code() -> None:
    found = outcome(small(), end=End(exit_code=-15))
    assert (found.exit_code, found.signal) == (None, 15)


@pytest.mark.parametrize(
    ("said", "failure"),
    [
        ("good", None),
        ("empty", "no_output"),
        ("failed", "exit_code"),
        ("limited", "rate_limited"),
        ("begun", "invalid_output"),
        ("nothing", "invalid_output"),
    ],
)
def test_after_lingering_the_final_event_stands(said: str, failure: str | None) -> None:
    found = outcome(small(), *SAID[said], end=End(exit_code=None, signal=9, ended_by="lingering"))
    assert found.failure == failure
    assert found.metadata["lingered"] is True


def test_an_end_by_somebody_unheard_of_is_no_success() -> None:
    assert outcome(small(), *SAID["good"], end=End(exit_code=0, ended_by="a stranger")).failure is Failure.CRASHED


def test_other_exit_codes_can_be_accepted_and_zero_then_not() -> None:
    adapter = small(accepted_exit_codes=[3])
    assert outcome(adapter, *SAID["good"], end=End(exit_code=3)).succeeded
    assert outcome(adapter, *SAID["good"], end=End(exit_code=0)).failure is Failure.EXIT_CODE


def test_an_answer_may_be_optional() -> None:
    assert outcome(small(answer_is="optional"), *SAID["empty"]).succeeded


def test_a_failure_stands_until_something_begins_anew() -> None:
    assert outcome(small(), BEGIN, TEXT, LIMITED, GOOD).failure is Failure.RATE_LIMITED
    again = outcome(small(), BEGIN, LIMITED, BEGIN, TEXT, GOOD)
    assert again.succeeded
    assert outcome(small(), BEGIN, LIMITED, BEGIN, TEXT, end=End(exit_code=1)).failure is Failure.EXIT_CODE


def test_where_the_process_is_the_end_the_last_word_decides() -> None:
    adapter = small(end="process")
    assert outcome(adapter, *SAID["good"]).succeeded
    assert outcome(adapter, *SAID["begun"]).failure is Failure.INVALID_OUTPUT
    assert outcome(adapter, *SAID["good"], BEGIN).failure is Failure.INVALID_OUTPUT
    lingering = End(exit_code=None, signal=15, ended_by="lingering")
    assert outcome(adapter, *SAID["good"], end=lingering).failure is not None  # it has no final event to linger after


def test_an_agent_that_says_nothing_of_its_success_is_judged_by_exit_code_and_answer() -> None:
    events = [{"is": "text", "match": {"type": "text"}}]
    adapter = small(end="process", events=events, errors=[], error=[], session={"resume": False})
    assert outcome(adapter, TEXT).succeeded
    assert outcome(adapter, TEXT).claim is None
    assert outcome(adapter).failure is Failure.NO_OUTPUT
    assert outcome(adapter, TEXT, end=End(exit_code=2)).failure is Failure.EXIT_CODE


def test_a_limit_hidden_in_a_success_is_found_with_its_reset() -> None:
    hidden = {
        "failure": "rate_limited",
        "class": "usage_limit",
        "text": r"^usage limit reached\|",
        "in": "answer",
        "even_when_good": True,
        "reset": {"at": "epoch", "text": r"\|(\d+)"},
    }
    found = outcome(small(errors=[hidden]), BEGIN, {"type": "text", "text": "usage limit reached|1795200000"}, GOOD)
    assert found.failure is Failure.RATE_LIMITED
    assert found.claim == "done"
    assert datetime.fromisoformat(found.metadata["resets_at"]) == datetime.fromisoformat("2026-11-20T18:40:00+00:00")


@pytest.mark.parametrize(
    ("reset", "event", "metadata"),
    [
        ({"after": "seconds", "path": "wait"}, {"wait": "20"}, {"retry_after": 20.0}),
        ({"after": "milliseconds", "path": "wait"}, {"wait": 1500}, {"retry_after": 1.5}),
        ({"after": "duration", "text": r"\bin (.+)$"}, {"error": "try again in 1m30s"}, {"retry_after": 90.0}),
        ({"at": "time", "path": "at"}, {"at": "2026-01-01T00:00:00Z"}, {"resets_at": "2026-01-01T00:00:00+00:00"}),
        ({"after": "seconds", "path": "wait"}, {"wait": 1e12}, {}),
        ({"after": "duration", "text": r"\bin (.+)$"}, {"error": "try again in a while"}, {}),
    ],
)
def test_the_end_of_a_limit_is_told_as_far_as_it_is_known(
    reset: dict[str, str], event: dict[str, Any], metadata: dict[str, Any]
) -> None:
    limit = {"failure": "rate_limited", "class": "limit", "event": "end", "reset": reset}
    found = outcome(small(errors=[limit]), {"type": "end", "ok": False, **event})
    assert {key: found.metadata[key] for key in ("retry_after", "resets_at") if key in found.metadata} == metadata


def test_the_first_class_that_fits_is_the_one() -> None:
    classes = [
        {"failure": "auth", "class": "first", "text": "broke"},
        {"failure": "budget", "class": "second", "text": "it broke"},
    ]
    assert outcome(small(errors=classes), FAILED).metadata["error_class"] == "first"


def test_standard_error_is_read_too_and_the_line_that_fits_is_the_error() -> None:
    reader = small().reader()
    for line in (b"loading", b"\x1b[31mError: Not logged in\x1b[0m", b"bye"):
        reader.feed(line, "stderr")
    found = reader.verdict(End(exit_code=1))
    assert (found.failure, found.error) == (Failure.AUTH, "Error: Not logged in")
    tail = small().reader().verdict(End(exit_code=1, stderr_tail="Not logged in\n"))
    assert tail.failure is Failure.AUTH


def test_who_is_killed_while_waiting_for_a_limit_was_killed() -> None:
    reader = small().reader()
    reader.feed(b"not logged in", "stderr")
    assert reader.verdict(End(exit_code=None, signal=15)).failure is Failure.CRASHED


def test_a_success_that_was_refused_something_counts_only_if_checks_prove_it() -> None:
    adapter = small(denials={"event": "end", "path": "refused[*]", "show": ["tool", "input"]})
    end = {**GOOD, "refused": [{"tool": "Write", "input": {"path": "a"}}, {"tool": "Write", "input": {"path": "a"}}]}
    found = outcome(adapter, BEGIN, TEXT, end)
    assert found.succeeded
    assert found.metadata["permission_denials"] == ['Write {"path":"a"}']
    assert denied(found, proved=True).succeeded
    assert denied(found, proved=False).failure is Failure.PERMISSION
    assert replay(adapter, lines(BEGIN, TEXT, end)).failure is Failure.PERMISSION
    failed = outcome(adapter, {**end, "ok": False})
    assert denied(failed, proved=False).failure is Failure.EXIT_CODE


def test_what_is_known_of_the_agent_is_recorded() -> None:
    sources = {name: {"event": "begun", "path": name} for name in ("model", "agent_version")}
    found = outcome(small(**sources), {**BEGIN, "model": "m-1", "agent_version": "2.1"}, TEXT, GOOD)
    assert found.session_id == "s-1"
    assert {key: found.metadata[key] for key in ("adapter", "model", "agent_version")} == {
        "adapter": "small",
        "model": "m-1",
        "agent_version": "2.1",
    }


def test_a_session_that_was_assigned_is_known_although_nobody_reports_it() -> None:
    assert read(small(), lines(TEXT), assigned="n-1").session_id == "n-1"
    assert read(small(), lines(BEGIN), assigned="n-1").session_id == "s-1"
    assert read(small(), lines(TEXT), session="s-0").session_id == "s-0"


events = st.sampled_from([BEGIN, TEXT, GOOD, FAILED, LIMITED, {"type": "other"}])
ends = st.builds(
    End,
    exit_code=st.sampled_from([None, 0, 1, 143, -9]),
    signal=st.sampled_from([None, 9, 15]),
    ended_by=st.sampled_from([None, "itself", "lingering", *OURS]),
)


@given(st.lists(events, max_size=8), ends)
def test_success_needs_everything(printed: list[dict[str, Any]], end: End) -> None:
    found = outcome(small(), *printed, end=end)
    if found.succeeded:
        since = [event["type"] for event in printed]
        ending = since[len(since) - 1 - since[::-1].index("begin") if "begin" in since else 0 :]
        assert "end" in ending
        assert all(event.get("ok", True) for event in printed[-len(ending) :])
        assert found.output
        assert found.claim == "done"
        assert end.ended_by == "lingering" or (found.exit_code == 0 and found.signal is None)
    assert (found.failure is None) is (found.error is None)
