"""What a clock on the wall shows → the moment that is meant: the next one, in its time zone, else in this machine's.

Agents say "try again at 8:25 PM", or "resets 3pm (Europe/Berlin)". Adapters are pure and know no time; here is one.
Edges survived: a time zone that nobody knows (no moment at all is better than a wrong one), a date that there is only
in some years.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from orchestration.adapters.numbers import NO_DATE

SKEW: Final = timedelta(minutes=2)
"""A time of day that has just passed is meant as now: the agent rounds to minutes."""


def with_moment(metadata: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """The facts with `resets_at` instead of `resets_clock`; `now` has a time zone."""
    facts = dict(metadata)
    shown, _, zone = facts.pop("resets_clock", "").partition(" ")
    if shown:
        try:
            meant = _meant(datetime.fromisoformat(shown), now, ZoneInfo(zone) if zone else None)
        except (OSError, ValueError, KeyError, OverflowError):
            return facts
        facts["resets_at"] = meant.astimezone(UTC).isoformat()
    return facts


def _meant(shown: datetime, now: datetime, zone: ZoneInfo | None) -> datetime:
    """The next moment at which a clock in the zone, None for this machine's, shows that."""

    def moment(at: datetime) -> datetime:
        return at.astimezone() if zone is None else at.replace(tzinfo=zone)

    local = now.astimezone(zone)
    if shown.year != NO_DATE:
        return moment(shown)
    if (shown.month, shown.day) != (1, 1):
        meant = moment(shown.replace(year=local.year))
        return meant if meant > local - timedelta(days=1) else moment(shown.replace(year=local.year + 1))
    meant = moment(datetime.combine(local.date(), shown.time()))
    return meant if meant > local - SKEW else moment(datetime.combine(local.date() + timedelta(days=1), shown.time()))
