"""How long attempts took: what a person did, what waits, what goes on, and what died with `orch`."""

import time
from datetime import datetime
from typing import Any

import pytest

from tests.cli.project import Project
from tests.crash.sudden import wait_until

pytestmark = pytest.mark.slow

APART = 1.2  # seconds that a person takes: far more than rounding, and less than a test may cost


def result(project: Project, task_id: str) -> dict[str, Any]:
    found: dict[str, Any] = project.json("show", task_id)["result"]
    return found


def seconds_of(found: dict[str, Any]) -> float:
    """What the times of a result say."""
    began, ended = (datetime.fromisoformat(found[name]) for name in ("started_at", "completed_at"))
    return (ended - began).total_seconds()


@pytest.mark.parametrize("answer", [["complete", "P"], ["fail", "P", "--reason", "no"], ["cancel", "P"]])
def test_what_a_person_does_takes_until_the_answer(project: Project, answer: list[str]) -> None:
    project.person("P")
    assert project.orch("run-batch").code == 4
    assert "0.0s" not in project.orch("why", "P").out
    time.sleep(APART)
    done = project.orch(*answer)
    assert done.code == 0, done.err
    assert "0.0s" not in done.out
    found = result(project, "P")
    assert found["duration_seconds"] > APART
    assert found["duration_seconds"] == found["attempts"][0]["duration_seconds"]
    assert found["duration_seconds"] == pytest.approx(seconds_of(found), abs=0.2)
    assert "0.0s" not in project.orch("why", "P").out


def test_an_approval_is_no_part_of_the_work(project: Project) -> None:
    project.shell("A", "sleep 0.3", approve="after")
    project.person("P", approve="after")
    assert project.orch("run-batch").code == 4
    waiting = result(project, "A")["duration_seconds"]
    assert waiting >= 0.3
    time.sleep(APART)
    assert project.orch("complete", "P").code == 0
    given = result(project, "P")["duration_seconds"]
    assert given > APART
    time.sleep(APART)
    for task_id, seconds in (("A", waiting), ("P", given)):
        assert project.orch("approve", task_id).code == 0
        assert result(project, task_id)["duration_seconds"] == pytest.approx(seconds, abs=0.01)


def test_what_goes_on_says_for_how_long_and_what_died_says_nothing(project: Project) -> None:
    project.shell("A", "touch begun; sleep 600", on_crash="ask")
    with project.start("run-batch") as process:
        wait_until((project.root / "begun").exists, "it does not begin")
        told = project.orch("why", "A").out
        assert "Attempt 1 by shell: in_progress for " in told
        assert "s so far" in told
        process.kill()
        process.wait(30)
    assert "Attempt 1 by shell: in_progress\n" in project.orch("why", "A").out
    assert project.orch("run-batch").code == 4
    assert "Attempt 1 by shell: failed (interrupted): orch ended" in project.orch("why", "A").out
    assert "failed (interrupted) after" not in project.orch("report").out
    assert "interrupted" in project.orch("report").out
    done = project.orch("complete", "A")
    assert (done.code, done.out) == (0, "done        A\n")
    assert "Without an attempt, for shell: success\n" in project.orch("why", "A").out


def test_what_died_and_is_then_cancelled_says_nothing(project: Project) -> None:
    project.shell("A", "touch begun; sleep 600")
    with project.start("run-batch") as process:
        wait_until((project.root / "begun").exists, "it does not begin")
        process.kill()
        process.wait(30)
    assert project.orch("cancel", "A").code == 0
    assert "Attempt 1 by shell: cancelled (cancelled): " in project.orch("why", "A").out
