"""What a refusal means for all tasks of an account: until when it pauses, and how many may run at once afterwards.

One refusal opens an episode. Everything that was in flight belongs to it: whoever of them is refused as well can move
its end, and says that still fewer were let through, but the window shrinks once, when the pause is over. After that it
grows by one with each clean end up to what was let through, and from there slowly, because more was refused once
(additive increase, multiplicative decrease: Chiu and Jain, 1989).

A refusal that names no time is waited for by the account's backoff, which grows with each episode in a row. An account
that is refused for longer than its `max_wait` is given up for this process: the run goes on with everything else, and
pauses when nothing else is left. Edges survived: a time that has passed, lies years ahead or is no time, refusals that
arrive after the pause has begun, an account that nobody declared.
"""

import math
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from orchestration.models import Account
from orchestration.plan import Limits
from orchestration.records import dataclass
from orchestration.results import Outcome
from orchestration.retry import wait_seconds

SHORTEST: Final = 0.5
"""Seconds of a pause at least: a reset in the past is no reason to ask again at once."""

CONFIRMED: Final = 60.0
"""A reset named by the provider and further away than these seconds is taken for exhaustion, not for haste."""

LONGEST: Final = 60 * 86_400.0
"""Seconds: no limit ends later than this, so a moment further away was misread, or made up, and counts as not named."""

PATIENT: Final = 4
"""Clean rounds of a whole window before it grows beyond what was once refused."""

_DEFAULT: Final = Account()


@dataclass(slots=True)
class _State:
    """What is known of one account."""

    began: float = 0.0
    until: float = 0.0
    episodes: int = 0
    first: float = 0.0
    in_flight: int = 0
    refused: int = 0
    window: int | None = None
    allowed: int | None = None
    clean: int = 0
    shrinks: bool = False


@dataclass(frozen=True, slots=True)
class Refusal:
    """What follows from one refusal; `until` in seconds since the epoch."""

    until: float
    pauses: bool
    exhausted: bool
    given_up: bool


class Quota:
    """The accounts of one run; their pauses and windows live in the plan's limits.

    `states` is what is known of each that was ever refused.
    """

    def __init__(self, limits: Limits, accounts: Mapping[str, Account]) -> None:
        """Nothing was refused yet."""
        self._limits = limits
        self._accounts = accounts
        self.states: dict[str, _State] = {}

    def recall(self, now: float) -> None:
        """Take note of the pauses that an earlier life of the run left: one that lasts too long is not waited for."""
        for name, until in self._limits.pauses(now):
            account = name.removeprefix("account ")
            is_too_long = until - now > self._accounts.get(account, _DEFAULT).max_wait
            note = self._limits.give_up if is_too_long else self._limits.wait_again
            note(name)
            self.states.setdefault(account, _State(began=now, until=until, episodes=1, first=now))

    def refused(
        self, account: str, outcome: Outcome, began: float, now: float, meant: Callable[[float], float] = float
    ) -> Refusal:
        """Take note of a refused attempt that began at `began`; both in seconds since the epoch.

        `meant` translates a moment by the clock on the wall, should that be another one.
        """
        settings = self._accounts.get(account, _DEFAULT)
        state = self.states.setdefault(account, _State())
        same = bool(state.episodes) and began <= state.began
        if not same:
            self._open(account, state, now)
        state.refused += 1
        reset = reset_of(outcome.metadata, now, meant)
        wait = wait_seconds(settings.backoff, max(1, state.episodes))
        if reset is None:
            until = state.until if same else now + wait
        else:
            until = max(reset, now + wait) if state.episodes > 1 else reset
        until = math.ceil(max(until, now + SHORTEST) * 1000) / 1000  # never a moment before what was named
        pauses = until > state.until
        state.until = max(until, state.until)
        exhausted = (
            state.episodes > 1
            or (reset is not None and reset - now > CONFIRMED)
            or outcome.metadata.get("error_class") == "quota_exhausted"
        )
        given_up = state.until - state.first > settings.max_wait
        return Refusal(state.until, pauses, exhausted, given_up)

    def _open(self, account: str, state: _State, now: float) -> None:
        if not state.episodes:
            state.first = now
        state.episodes += 1
        state.began = now
        state.in_flight = max(1, self._limits.in_use(f"account {account}"))
        state.refused = 0
        state.shrinks = True

    def succeeded(self, account: str, began: float) -> int | None:
        """Take note of a clean end; returns the window that follows from it, None where nothing changes."""
        state = self.states.get(account)
        if state is None or began <= state.began:
            return None
        state.episodes = 0
        if state.window is None or state.allowed is None:
            return None
        state.clean += 1
        if state.clean < (1 if state.window < state.allowed else PATIENT * state.window):
            return None
        state.clean = 0
        declared = self._accounts.get(account, _DEFAULT).max_concurrent
        if declared is not None and state.window >= declared:
            return None
        state.window += 1
        return state.window

    def due(self, now: float) -> list[tuple[str, int]]:
        """The accounts whose pause is over, each with the window with which it goes on."""
        found: list[tuple[str, int]] = []
        for account, state in self.states.items():
            if state.shrinks and state.until <= now:
                state.shrinks = False
                through = max(1, state.in_flight - state.refused)
                state.allowed = through
                state.window = max(1, min(through, state.in_flight // 2))
                state.clean = 0
                found.append((account, state.window))
        return found


def reset_of(metadata: Mapping[str, Any], now: float, meant: Callable[[float], float] = float) -> float | None:
    """When the limit ends as the provider said, in seconds since the epoch; None where it named no time to believe."""
    after = metadata.get("retry_after")
    if isinstance(after, int | float) and not isinstance(after, bool) and 0 <= after <= LONGEST:
        return now + float(after)
    try:
        moment = meant(datetime.fromisoformat(str(metadata["resets_at"])).timestamp())
    except (KeyError, ValueError, OverflowError):
        return None
    return moment if moment - now <= LONGEST else None
