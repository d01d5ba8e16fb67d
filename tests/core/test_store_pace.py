"""When the loop commits by itself: never on a slow disk, and not for a while on one that has stalled."""

import pytest

from orchestration.store.pace import FIRST, LONGEST, QUICK, SEVERAL, SLOW, STALL, Pace


def _quick() -> Pace:
    pace = Pace()
    for _ in range(FIRST):
        assert not pace.is_quick
        pace.thread_took(QUICK / 2)
    assert pace.is_quick
    return pace


def test_a_slow_disk_is_left_to_the_thread_for_ever() -> None:
    pace = Pace()
    for _ in range(1_000):
        pace.thread_took(2 * QUICK)
        assert not pace.is_quick


def test_one_quick_commit_of_the_first_is_enough() -> None:
    pace = Pace()
    for seconds in (*[10.0] * (FIRST - 1), QUICK / 2):
        pace.thread_took(seconds)
    assert pace.is_quick


def test_a_quick_commit_long_ago_says_nothing_of_a_disk_that_is_slow_since() -> None:
    pace = _quick()
    pace.loop_took(2 * STALL)
    for _ in range(1_000):
        pace.thread_took(2 * QUICK)
        assert not pace.is_quick


def test_what_the_thread_does_meanwhile_is_not_of_interest() -> None:
    pace = _quick()
    for _ in range(1_000):
        pace.thread_took(10.0)
    assert pace.is_quick


def _pause(pace: Pace) -> int:
    """After how many commits of the thread the loop tries again."""
    count = 0
    while not pace.is_quick:
        pace.thread_took(QUICK / 2)
        count += 1
    return count


def test_each_stall_is_followed_by_a_longer_pause_up_to_a_bound() -> None:
    pace, pauses = _quick(), []
    for _ in range(12):
        pace.loop_took(2 * STALL)
        pauses.append(_pause(pace))
    assert pauses == [min(FIRST * 2**n, LONGEST) for n in range(1, 13)]


def test_many_good_ones_make_it_shorter_again() -> None:
    pace = _quick()
    for _ in range(5):
        pace.loop_took(2 * STALL)
        _pause(pace)
    for _ in range(LONGEST):
        pace.loop_took(QUICK)
    pace.loop_took(2 * STALL)
    assert _pause(pace) == FIRST * 2**5


@pytest.mark.parametrize("rounds", [1, 20])
def test_good_ones_alone_change_nothing(rounds: int) -> None:
    pace = _quick()
    for _ in range(rounds * LONGEST):
        pace.loop_took(QUICK)
    pace.loop_took(2 * STALL)
    assert _pause(pace) == 2 * FIRST


def test_a_disk_that_becomes_slow_without_a_stall_is_left_to_the_thread() -> None:
    pace = _quick()
    for _ in range(10 * SEVERAL):
        pace.loop_took(QUICK)
    tried = 0
    while pace.is_quick and tried < 10 * SEVERAL:
        pace.loop_took(1.1 * SLOW * QUICK)
        tried += 1
    assert tried <= 2 * SEVERAL
    for _ in range(1_000):
        pace.thread_took(SLOW * QUICK)
        assert not pace.is_quick


def test_a_machine_that_is_busy_makes_no_slow_disk() -> None:
    pace = _quick()
    for _ in range(20):
        for _ in range(SEVERAL - 1):
            pace.loop_took(STALL)
        pace.loop_took(QUICK)
    assert pace.is_quick
