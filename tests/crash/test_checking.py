"""The judge of the crashes: a run that is well has no complaints, and each kind of damage has one of its own."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.crash import checking

Events = list[dict[str, Any]]
RUN = "r"


def well() -> Events:
    """A run of two tasks, the first of which was interrupted once."""
    return [
        {"type": "run_started", "run_id": RUN, "seq": 1},
        {"type": "task_started", "run_id": RUN, "seq": 2, "task_id": "A", "attempt": 1},
        {"type": "attempt_interrupted", "run_id": RUN, "seq": 3, "task_id": "A", "attempt": 1, "then": "rerun"},
        {"type": "task_started", "run_id": RUN, "seq": 4, "task_id": "A", "attempt": 2},
        {
            "type": "task_completed", "run_id": RUN, "seq": 5, "task_id": "A", "attempt": 2, "outputs": {"by": "r/A/2"}
        },
        {"type": "task_blocked", "run_id": RUN, "seq": 6, "task_id": "B"},
        {"type": "run_completed", "run_id": RUN, "seq": 7},
    ]  # fmt: skip


def found(events: Events, told: Events, deeds: list[str]) -> list[str]:
    """What is wrong, of all but the files and the processes."""
    return [
        *checking.gaps(events),
        *checking.second_ends(events),
        *checking.wrong_outcomes(events, {"A": "success", "B": "blocked"}),
        *checking.wrong_deeds(events, deeds),
        *checking.late_deeds(deeds),
        *checking.lost(events, told),
        *checking.foreign_outputs(events),
    ]


def test_a_run_that_is_well_has_no_complaints() -> None:
    assert found(well(), well(), ["A/1", "A/2"]) == []
    assert found(well(), well()[:3], ["A/2"]) == []  # the first attempt had not got so far


@pytest.mark.parametrize(
    ("damage", "word"),
    [
        (lambda events: events.pop(1), "has the numbers"),
        (lambda events: events.append({**events[4], "seq": 8}), "A/2 ended 2 times"),
        (lambda events: events.append({**events[4], "seq": 8}), "A has 2 outcomes"),
        (lambda events: events.pop(4), "began and never ended"),
        (lambda events: events.pop(5), "B has 0 outcomes"),
        (lambda events: events[4].update(type="task_cancelled"), "A is cancelled and has to be success"),
        (lambda events: events[1].update(attempt=7), "A/1 was done, and no stored event"),
        (lambda events: events.pop(6), "acknowledged and lost"),
        (lambda events: events[4].update(outputs={}), "acknowledged: "),
        (lambda events: events[4].update(outputs={"by": "r/A/1"}), "has the outputs of r/A/1"),
    ],
)
def test_damage_to_the_events_is_told(damage: Callable[[Events], object], word: str) -> None:
    events = well()
    damage(events)
    assert any(word in complaint for complaint in found(events, well(), ["A/1", "A/2"]))


@pytest.mark.parametrize(
    ("deeds", "word"),
    [
        (["A/1"], "A/2 is recorded as done, and was not"),
        (["A/1", "A/2", "A/2"], "A/2 was done 2 times"),
        (["A/1", "A/2", "B/1"], "B/1 was done, and no stored event"),
        (["A/1", "A/2", "A/1."], "A/1. was done after A/2 had begun"),
    ],
)
def test_deeds_that_do_not_fit_the_record_are_told(deeds: list[str], word: str) -> None:
    assert any(word in complaint for complaint in found(well(), [], deeds))


def test_a_line_that_a_kill_cut_off_was_told_to_nobody() -> None:
    assert checking.told_by(b'{"seq": 1}\n{"type": "task_chunk"}\n{"seq": 2') == [{"seq": 1}]


def test_a_project_without_state_has_no_events(tmp_path: Path) -> None:
    assert checking.stored_events(tmp_path) == []
