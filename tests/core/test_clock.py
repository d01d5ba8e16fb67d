"""Times of day that agents name: what a clock on the wall shows is read, and the next such moment is meant."""

from datetime import UTC, datetime, timedelta

import pytest

from orchestration.adapters.numbers import NO_DATE, Shown, converted
from orchestration.executors._clock import with_moment


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("8:11 PM", (NO_DATE, 1, 1, 20, 11)),
        ("12:05 am", (NO_DATE, 1, 1, 0, 5)),
        ("12 p.m.", (NO_DATE, 1, 1, 12, 0)),
        ("20:11", (NO_DATE, 1, 1, 20, 11)),
        ("Nov 23rd, 2026 2:58 AM", (2026, 11, 23, 2, 58)),
        ("November 1st 9:00 PM", (NO_DATE, 11, 1, 21, 0)),
    ],
)
def test_what_a_clock_shows_is_read(text: str, expected: tuple[int, ...]) -> None:
    assert converted(text, "clock") == Shown(datetime(*expected))  # type: ignore[arg-type]  # noqa: DTZ001  # no zone is the point


@pytest.mark.parametrize("text", ["3pm (America/Argentina/Ushuaia)", "3 PM America/Argentina/Ushuaia"])
def test_the_zone_of_a_clock_is_read(text: str) -> None:
    assert str(converted(text, "clock")) == "0001-01-01T15:00:00 America/Argentina/Ushuaia"


@pytest.mark.parametrize(
    "text", ["", "8", "13 PM", "25:00", "Foo 3, 2026 1:00 AM", "Feb 30, 2026 1:00 AM", None, 7, "8:11 PM" * 50]
)
def test_what_no_clock_shows_is_nothing(text: object) -> None:
    assert converted(text, "clock") is None


NOW = datetime(2026, 11, 20, 15, 30, tzinfo=UTC)
LOCAL = NOW.astimezone()


def shown(moment: datetime, *, dated: bool) -> str:
    naive = moment.replace(tzinfo=None, second=0, microsecond=0)
    return (naive if dated else naive.replace(year=NO_DATE, month=1, day=1)).isoformat()


@pytest.mark.parametrize("ahead", [timedelta(minutes=5), timedelta(hours=3), timedelta(hours=23)])
def test_the_next_such_moment_is_meant(ahead: timedelta) -> None:
    facts = with_moment({"resets_clock": shown(LOCAL + ahead, dated=False), "turns": 3}, NOW)
    assert facts == {"resets_at": (NOW + ahead).isoformat(), "turns": 3}


def test_a_minute_that_has_just_passed_is_not_tomorrows() -> None:
    facts = with_moment({"resets_clock": shown(LOCAL - timedelta(minutes=1), dated=False)}, NOW)
    assert datetime.fromisoformat(facts["resets_at"]) <= NOW


def test_a_named_day_is_that_day() -> None:
    facts = with_moment({"resets_clock": shown(LOCAL + timedelta(days=3), dated=True)}, NOW)
    assert datetime.fromisoformat(facts["resets_at"]) == NOW + timedelta(days=3)


@pytest.mark.parametrize(
    ("clock", "moment"),
    [
        ("0001-01-01T21:45:00 Asia/Kathmandu", "2026-11-20T16:00:00+00:00"),
        ("0001-01-01T21:00:00 Asia/Kathmandu", "2026-11-21T15:15:00+00:00"),
        ("0001-01-01T00:30:00 Pacific/Auckland", "2026-11-21T11:30:00+00:00"),
        ("0001-01-01T15:29:00 UTC", "2026-11-20T15:29:00+00:00"),
        ("2026-12-24T18:00:00 Europe/Berlin", "2026-12-24T17:00:00+00:00"),
        ("0001-07-01T18:00:00 Europe/Berlin", "2027-07-01T16:00:00+00:00"),
    ],
)
def test_a_named_zone_is_the_one_that_is_meant(clock: str, moment: str) -> None:
    assert with_moment({"resets_clock": clock}, NOW) == {"resets_at": moment}


@pytest.mark.parametrize("zone", ["Middle-earth/Shire", "../etc/passwd", "/etc/passwd", "PM", "Europe"])
def test_a_zone_that_nobody_knows_leads_to_no_moment(zone: str) -> None:
    assert with_moment({"resets_clock": f"0001-01-01T15:00:00 {zone}", "turns": 3}, NOW) == {"turns": 3}


def test_facts_without_a_clock_stay_as_they_are() -> None:
    assert with_moment({"retry_after": 3}, NOW) == {"retry_after": 3}
