"""Two runs at once on one task: it is shown as it is in the run that has it, not in the one that waits for it."""

import pytest

from tests.cli.project import Project
from tests.crash.sudden import PATIENCE, has_lines, wait_until

pytestmark = pytest.mark.slow


def test_a_task_that_runs_is_shown_so_while_a_second_run_waits_for_it(project: Project) -> None:
    project.shell("A", "echo x >> A.log; until test -e over; do sleep 0.05; done")
    project.shell("B", "echo x >> B.log", "A")
    with project.start("run-batch") as first:
        wait_until(has_lines(project.root / "A.log"), "the task did not begin")
        owner = project.json("runs")[0]["run_id"]
        with project.start("run-batch", "A") as second:
            wait_until(lambda: len(project.json("runs")) == 2, "the second run did not begin")
            listed = {task["id"]: task["status"] for task in project.json("list")["tasks"]}
            assert listed == {"A": "in_progress", "B": "pending"}
            assert project.json("show", "A")["status"] == "in_progress"
            told = {task["task_id"]: (task["status"], task["reason"]) for task in project.json("status")["tasks"]}
            assert told == {"A": ("in_progress", None), "B": ("pending", f"claimed_by {owner}")}
            why = project.orch("why", "A").out
            assert why.startswith("A is in_progress")
            assert f"Run {owner} has it and goes on now" in why
            assert "the next `orch run-batch` does it" not in why + project.orch("why", "B").out
            assert project.json("next")["tasks"] == []
            (planned,) = project.json("plan", "A")["tasks"]
            assert (planned["will_run"], planned["claimed_by"]) == (False, owner)
            assert planned["why"].startswith(f"claimed_by {owner}")
            assert "A is in_progress" in project.orch("retry", "A").err
            project.write("over", "")
            assert (first.wait(PATIENCE), second.wait(PATIENCE)) == (0, 0)
    assert (project.root / "A.log").read_text() == "x\n"
    assert {task["id"] for task in project.json("list")["tasks"] if task["status"] == "success"} == {"A", "B"}


def test_a_run_that_was_stopped_while_it_waited_hides_nothing_of_the_one_it_waited_for(project: Project) -> None:
    project.person("P")
    project.shell("A", "echo x >> A.log; sleep 60")
    with project.start("run-batch", "--max-concurrent", "2") as first:
        wait_until(has_lines(project.root / "A.log"), "the task did not begin")
        with project.start("run-batch") as second:
            wait_until(lambda: len(project.json("runs")) == 2, "the second run did not begin")
            second.terminate()
            assert second.wait(PATIENCE) == 143
        first.kill()
        first.wait(PATIENCE)
    told = {task["task_id"]: task["status"] for task in project.json("status")["tasks"]}
    assert told == {"A": "in_progress", "P": "needs_input"}
    assert project.orch("why", "P").out.startswith("P is needs_input")
    assert project.orch("complete", "P").code == 0
