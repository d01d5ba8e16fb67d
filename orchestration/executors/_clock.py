"""What a clock on the wall shows → the moment that is meant: the next one, in the time zone of this machine.

Agents say "try again at 8:25 PM". Adapters are pure and know no time; here is one.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from orchestration.adapters.numbers import NO_DATE

SKEW: Final = timedelta(minutes=2)
"""A time of day that has just passed is meant as now: the agent rounds to minutes."""


def with_moment(metadata: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """The facts with `resets_at` instead of `resets_clock`; `now` has a time zone."""
    facts = dict(metadata)
    shown = facts.pop("resets_clock", None)
    if shown is not None:
        facts["resets_at"] = _meant(datetime.fromisoformat(shown), now).astimezone(UTC).isoformat()
    return facts


def _meant(shown: datetime, now: datetime) -> datetime:
    local = now.astimezone()
    if shown.year != NO_DATE:
        return shown.astimezone()  # a time without a zone is ours
    if (shown.month, shown.day) != (1, 1):
        meant = shown.replace(year=local.year).astimezone()
        return meant if meant > local - timedelta(days=1) else shown.replace(year=local.year + 1).astimezone()
    meant = datetime.combine(local.date(), shown.time()).astimezone()
    return (
        meant if meant > local - SKEW else datetime.combine(local.date() + timedelta(days=1), shown.time()).astimezone()
    )
