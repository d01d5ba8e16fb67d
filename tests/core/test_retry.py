"""When another attempt follows, and how long it waits."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.kinds import NEVER_RETRIED, Failure
from orchestration.models import MAX_SECONDS, Account, Backoff, RetryPolicy
from orchestration.retry import next_attempt_at, wait_seconds, why_not

NOW = datetime(2026, 1, 1, tzinfo=UTC)

durations = st.floats(0, MAX_SECONDS, allow_nan=False)
backoffs = st.builds(Backoff, initial=durations, factor=st.floats(1, 100), max=durations)
policies = st.builds(
    RetryPolicy,
    max=st.integers(1, 1000),
    on=st.lists(st.sampled_from(Failure)),
    backoff=backoffs,
    jitter=st.floats(0, 1),
)


def policy(**fields: object) -> RetryPolicy:
    return RetryPolicy.model_validate({"jitter": 0, **fields})


def seconds_after(
    tries: int,
    policy: RetryPolicy | None,
    failure: Failure = Failure.EXIT_CODE,
    spread: float = 0,
) -> float | None:
    due_at = next_attempt_at(policy, tries, failure, NOW, spread)
    return None if due_at is None else (due_at - NOW).total_seconds()


def test_waits_double_until_the_longest() -> None:
    doubling = policy(max=10, backoff={"initial": 1, "factor": 2, "max": 60})
    assert [seconds_after(tries, doubling) for tries in range(1, 10)] == [1, 2, 4, 8, 16, 32, 60, 60, 60]


@pytest.mark.parametrize(
    ("written", "waits"),
    [("5m", [300, 300]), ({"initial": "40s"}, [40, 60]), ({"initial": "5m", "max": "2m"}, [120, 120])],
)
def test_a_limit_that_nobody_wrote_does_not_shorten_the_first_wait(written: object, waits: list[float]) -> None:
    assert [seconds_after(tries, policy(backoff=written)) for tries in (1, 2)] == waits


@pytest.mark.parametrize(
    ("written", "waits"),
    [
        ({}, [30, 60, 900]),
        ({"backoff": None}, [30, 60, 900]),
        ({"backoff": "1m"}, [60, 120, 900]),
        ({"backoff": {"factor": 3}}, [30, 90, 900]),
        ({"backoff": "20m"}, [1200, 1200, 1200]),
        ({"backoff": {"initial": None, "max": "40s"}}, [30, 40, 40]),
        ({"backoff": Backoff(initial=20)}, [20, 40, 60]),
    ],
)
def test_what_an_account_leaves_out_is_the_default_of_accounts(written: dict[str, object], waits: list[float]) -> None:
    backoff = Account.model_validate(written).backoff
    assert [wait_seconds(backoff, tries) for tries in (1, 2, 50)] == waits


def test_the_first_attempt_counts_against_the_most_there_may_be() -> None:
    assert seconds_after(1, policy(max=2)) is not None
    assert seconds_after(2, policy(max=2)) is None
    assert seconds_after(1, policy(max=1)) is None


def test_without_a_policy_there_is_one_attempt() -> None:
    assert seconds_after(1, None) is None
    assert why_not(None, 1, Failure.EXIT_CODE) == "no retry is declared"


@pytest.mark.parametrize("failure", Failure)
def test_only_declared_kinds_of_failure_are_tried_again_and_some_never(failure: Failure) -> None:
    nothing, everything = policy(on=[]), policy(on=list(Failure))
    assert seconds_after(1, nothing, failure) is None
    assert (seconds_after(1, everything, failure) is None) == (failure in NEVER_RETRIED)


@pytest.mark.parametrize(
    ("retry", "tries", "failure", "reason"),
    [
        (policy(max=3), 3, Failure.EXIT_CODE, "all 3 attempts are used"),
        (policy(max=1), 1, Failure.EXIT_CODE, "retry allows a single attempt"),
        (policy(max=3), 1, Failure.LOST, "retry is not declared for lost"),
        (policy(max=3, on=["auth"]), 1, Failure.AUTH, "auth is never retried"),
        (policy(max=3), 2, Failure.EXIT_CODE, ""),
    ],
)
def test_the_reason_is_told(retry: RetryPolicy, tries: int, failure: Failure, reason: str) -> None:
    assert why_not(retry, tries, failure) == reason


@pytest.mark.parametrize(("spread", "seconds"), [(-1, 8), (-0.5, 9), (0, 10), (0.5, 11), (1, 12)])
def test_jitter_spreads_a_wait_around_itself(spread: float, seconds: float) -> None:
    spread_by_a_fifth = policy(jitter=0.2, backoff={"initial": 10, "max": 60})
    assert seconds_after(1, spread_by_a_fifth, spread=spread) == pytest.approx(seconds)


def test_jitter_never_makes_a_wait_longer_than_the_longest() -> None:
    assert seconds_after(1, policy(jitter=1, backoff={"initial": 60, "max": 60}), spread=1) == 60


def test_powers_beyond_every_number_are_the_longest_wait() -> None:
    assert wait_seconds(Backoff(initial=1, factor=100, max=60), 1000) == 60


def test_no_wait_stays_no_wait_however_often() -> None:
    assert wait_seconds(Backoff(initial=0, factor=100, max=60), 1000) == 0


@pytest.mark.slow
@given(policies, st.integers(1, 1001), st.sampled_from(Failure), st.floats(-1, 1))
def test_a_wait_is_never_negative_and_never_over_the_longest(
    retry: RetryPolicy,
    tries: int,
    failure: Failure,
    spread: float,
) -> None:
    due_at = next_attempt_at(retry, tries, failure, NOW, spread)
    assert (due_at is None) == bool(why_not(retry, tries, failure))
    if due_at is not None:
        microsecond = timedelta(microseconds=1)
        assert NOW <= due_at <= NOW + timedelta(seconds=retry.backoff.max) + microsecond


@pytest.mark.slow
@given(backoffs, st.integers(1, 999))
def test_waits_never_get_shorter(backoff: Backoff, tries: int) -> None:
    assert wait_seconds(backoff, tries) <= wait_seconds(backoff, tries + 1)
