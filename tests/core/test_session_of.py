"""Which session the next attempt goes on with: the latest one that is alive, and what it had used so far.

What it had used is empty where none of its attempts counted anything, and None where that is not known.
"""

from dataclasses import replace
from typing import Any

import pytest

from orchestration.attempts.briefing import session_of
from orchestration.kinds import Failure
from orchestration.protocols import Session
from orchestration.results import Outcome, Usage


def ended(session: str | None, error_class: str | None = None, **facts: Any) -> Outcome:  # noqa: ANN401  # any fact
    known = {"error_class": error_class, **facts} if error_class else facts
    return Outcome(failure=Failure.EXIT_CODE, session_id=session, metadata=known)


def counted(session: str) -> Outcome:
    return replace(ended(session), usage=Usage(input_total=3))


@pytest.mark.parametrize(
    ("attempts", "expected"),
    [
        ([], None),
        ([ended(None)], None),
        ([ended("a")], Session("a", {})),
        ([ended("a"), ended("b"), ended("a")], Session("a", {})),
        ([ended("a", session_totals={"0": {"input": 3}}), ended("a")], Session("a", {"0": {"input": 3}})),
        ([ended("a"), ended(None)], Session("a", {})),
        ([counted("a"), ended("a")], Session("a")),
        ([counted("a"), ended("b")], Session("b", {})),
        ([ended("a", session_totals={"0": {}}), ended("b")], Session("b", {})),
        ([ended("a"), ended("a", "session_unknown")], None),
        ([ended("a"), ended("b", "session_unknown")], None),
        ([ended("a"), ended("a", "session_unknown"), ended(None)], None),
        ([ended("a"), ended("a", "session_unknown"), ended("b")], Session("b", {})),
        ([ended("a"), ended("a", "context_overflow")], None),
        ([ended("a"), ended("a", "server_error")], Session("a", {})),
    ],
)
def test_the_next_attempt_goes_on_with_what_is_alive(attempts: list[Outcome], expected: Session | None) -> None:
    assert session_of(attempts) == expected
