"""The clock on the wall is set between two lives of a run: nothing waits for it, and numbers decide what came first.

Setting the machine's clock back by three hours and moving all stored times three hours ahead is the same to whoever
continues the run, and the second can be done by a test.
"""

import json
import sqlite3
from contextlib import closing
from datetime import datetime, timedelta

import pytest

from tests.cli.project import Project
from tests.crash.checking import STATE, gaps, stored_events
from tests.crash.sudden import PATIENCE, has_lines, kill_when, marked, wait_until
from tests.crash.trees import ALL, plant
from tests.crash.trickster import TRICKS
from tests.world.processes import linux_only

pytestmark = [linux_only, pytest.mark.slow]

TIMES = frozenset({"at", "due_at", "queued_at", "until"})
"""Fields of events that are moments."""


def move(project: Project, by: timedelta) -> None:
    """Move all stored times."""
    with closing(sqlite3.connect(project.root / STATE, isolation_level=None)) as connection:
        for run_id, seq, body in connection.execute("SELECT run_id, seq, body FROM events").fetchall():
            event = json.loads(body)
            moved = {name: _moved(event[name], by) for name in TIMES & event.keys() if event[name]}
            connection.execute(
                "UPDATE events SET body = ? WHERE run_id = ? AND seq = ?", (json.dumps(event | moved), run_id, seq)
            )
        for task_id, at in connection.execute("SELECT task_id, at FROM standings").fetchall():
            connection.execute("UPDATE standings SET at = ? WHERE task_id = ?", (_moved(at, by), task_id))
        for run_id, created, updated in connection.execute("SELECT run_id, created_at, updated_at FROM runs"):
            connection.execute(
                "UPDATE runs SET created_at = ?, updated_at = ? WHERE run_id = ?",
                (_moved(created, by), _moved(updated, by), run_id),
            )


def _moved(text: str, by: timedelta) -> str:
    return (datetime.fromisoformat(text) + by).isoformat()


@pytest.mark.parametrize("hours", [3, -3], ids=["set back", "set forward"])
def test_a_retry_waits_for_its_backoff_and_not_for_the_clock(project: Project, hours: int) -> None:
    again = "echo x >> A.log; [ $(wc -l < A.log) -ge 2 ]"
    project.shell("A", again, retry={"max": 3, "backoff": 1})
    project.shell("B", "echo x >> B.log; sleep 60", kill_grace=0.2, on_crash="fail")
    project.shell("C", "echo x >> C.log", "A")
    kill_when(
        project, lambda: has_lines(project.root / "A.log")() and "retry_scheduled" in _types(project), "run-batch"
    )
    move(project, timedelta(hours=hours))

    done = project.orch("run-batch", "--json")
    assert done.code == 1, done.err
    assert {result["task_id"]: result["status"] for result in done.data["results"]} == {
        "A": "success",
        "B": "failed",
        "C": "success",
    }
    events = stored_events(project.root)
    assert not list(gaps(events))
    times = [datetime.fromisoformat(event["at"]) for event in events]
    assert times == sorted(times), "time does not go back within a run"
    assert all(0 <= result["duration_seconds"] < 60 for result in done.data["results"])
    assert done.data["wall_seconds"] >= 0
    assert {task["task_id"]: task["status"] for task in project.json("status")["tasks"]}["A"] == "success"


def test_what_was_left_by_a_run_of_the_future_is_ended_too(project: Project) -> None:
    grove = plant(project, "shell", "stay")
    kill_when(project, has_lines(grove.ready, len(TRICKS)), *ALL, warden_too=True)
    try:
        move(project, timedelta(hours=30))
        assert grove.left()
        assert project.orch("cancel", project.json("runs")[0]["run_id"]).code == 0
        assert not grove.left()
        assert not marked(project.root)
    finally:
        grove.end_all()


def test_a_task_that_is_done_again_is_shown_as_it_is_now(project: Project) -> None:
    project.shell("A", "echo x >> A.log; [ $(wc -l < A.log) -lt 2 ] || until [ -e go ]; do sleep 0.02; done")
    assert project.orch("run-batch").code == 0
    move(project, timedelta(hours=3))
    with project.start("run-batch", "--force") as process:
        wait_until(has_lines(project.root / "A.log", 2), "the task did not begin")
        assert project.json("status")["counts"] == {"in_progress": 1}
        project.write("go", "")
        assert process.wait(PATIENCE) == 0
    assert project.json("status")["counts"] == {"success": 1}


@pytest.mark.parametrize("hours", [3, -3], ids=["set back", "set forward"])
def test_what_has_failed_in_a_newer_run_is_not_tried_again_whatever_the_clock_says(
    project: Project, hours: int
) -> None:
    once = "echo x >> {0}.log; [ $(wc -l < {0}.log) -ge 2 ] || sleep 60; {1}"
    project.shell("R", once.format("R", "exit 3"), kill_grace=0.2)
    project.shell("G", once.format("G", "true"), kill_grace=0.2)
    both = has_lines(project.root / "R.log"), has_lines(project.root / "G.log")
    kill_when(project, lambda: all(is_so() for is_so in both), "run-batch")
    move(project, timedelta(hours=hours))
    assert project.orch("run-batch", "R").code == 1
    assert {task["id"]: task["status"] for task in project.json("list")["tasks"]}["R"] == "failed"
    assert project.orch("run-batch").code == 1
    assert {task["id"]: task["status"] for task in project.json("list")["tasks"]} == {"R": "failed", "G": "success"}
    assert (project.root / "R.log").read_text(encoding="ascii").count("x") == 2


@pytest.mark.parametrize("hours", [3, -3], ids=["set back", "set forward"])
def test_a_forced_run_that_was_killed_does_again_what_was_done_before_it_whatever_the_clock_says(
    project: Project, hours: int
) -> None:
    project.shell("A", "echo x >> A.log")
    project.shell("B", "echo x >> B.log; [ $(wc -l < B.log) -ne 2 ] || sleep 60", "A", kill_grace=0.2)
    project.shell("C", "echo x >> C.log", "B")
    assert project.orch("run-batch").code == 0
    move(project, timedelta(hours=hours))
    kill_when(project, has_lines(project.root / "B.log", 2), "run-batch", "--force")
    assert project.orch("resume").code == 0
    counts = [(project.root / f"{task}.log").read_text(encoding="ascii").count("x") for task in "ABC"]
    assert counts == [2, 3, 2]


def _types(project: Project) -> list[str]:
    return [event["type"] for event in stored_events(project.root)]
