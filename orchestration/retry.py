"""(policy, tries, outcome, now) → when the next attempt may start, or never. No clock and no dice: both are arguments.

Backoff is exponential with jitter, as in the AWS Architecture Blog's "Exponential Backoff And Jitter" (2015), with the
spread around the wait instead of below it: `jitter: 0.2` makes 10 s anything from 8 to 12 s. Waits never exceed what
the policy's `max` says, whatever the factor and the number of tries (powers that overflow included).
"""

from datetime import datetime, timedelta

from orchestration.kinds import NEVER_RETRIED, Failure
from orchestration.models import Backoff, RetryPolicy


def next_attempt_at(
    policy: RetryPolicy | None,
    tries: int,
    failure: Failure,
    now: datetime,
    spread: float,
) -> datetime | None:
    """When the next attempt may start, None for never.

    Args:
        policy: the task's; None means a single attempt.
        tries: how many attempts have counted so far, the failed one included.
        failure: what kind of failure it was.
        now: the failed attempt's end.
        spread: a random number from -1 to 1.
    """
    if policy is None or tries >= policy.max or failure in NEVER_RETRIED or failure not in policy.on:
        return None
    seconds = wait_seconds(policy.backoff, tries) * (1 + policy.jitter * spread)
    return now + timedelta(seconds=min(max(seconds, 0.0), policy.backoff.longest))


def wait_seconds(backoff: Backoff, tries: int) -> float:
    """The wait after so many tries, in seconds, without jitter."""
    if backoff.initial <= 0:
        return 0.0
    try:
        return min(backoff.initial * backoff.factor ** (tries - 1), backoff.longest)
    except OverflowError:
        return backoff.longest


def why_not(policy: RetryPolicy | None, tries: int, failure: Failure) -> str:
    """Why no other attempt follows, for people."""
    if policy is None:
        return "no retry is declared"
    if failure in NEVER_RETRIED:
        return f"{failure.value} is never retried"
    if failure not in policy.on:
        return f"retry is not declared for {failure.value}"
    if tries < policy.max:
        return ""
    return "retry allows a single attempt" if policy.max == 1 else f"all {policy.max} attempts are used"
