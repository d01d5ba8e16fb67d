"""A run that was killed and overtaken: newer runs have ended its tasks before it goes on, and they stay as they are."""

import pytest

from tests.cli.project import Project
from tests.crash.sudden import PATIENCE, has_lines, kill_when, wait_until
from tests.world.processes import linux_only

pytestmark = [linux_only, pytest.mark.slow]

FIRST = "echo x >> {0}.log; [ $(wc -l < {0}.log) -ge 2 ] || sleep 60; {1}"
"""Hangs the first time; later ones end at once, as the second command does."""


def lines(project: Project, task_id: str) -> int:
    return (project.root / f"{task_id}.log").read_text().count("x")


def statuses(project: Project) -> dict[str, str]:
    return {task["id"]: task["status"] for task in project.json("list")["tasks"]}


def kill_in(project: Project, *task_ids: str, arguments: tuple[str, ...] = ()) -> str:
    """Kill `run-batch` while these tasks run; returns the run."""
    ready = [has_lines(project.root / f"{task_id}.log") for task_id in task_ids]
    kill_when(project, lambda: all(is_so() for is_so in ready), "run-batch", *arguments)
    return str(project.json("runs")[0]["run_id"])


def test_what_has_failed_in_a_newer_run_is_not_tried_again(project: Project) -> None:
    project.shell("R", FIRST.format("R", "exit 3"), retry={"max": 2, "backoff": {"initial": 0.05}}, kill_grace=0.5)
    project.shell("G", FIRST.format("G", "true"), kill_grace=0.5)
    project.shell("D", "true", "R")
    killed = kill_in(project, "R", "G")
    assert project.orch("run-batch", "R").code == 1
    assert lines(project, "R") == 3
    done = project.orch("run-batch", "--json")
    assert (done.code, done.data["run_id"]) == (1, killed)
    failure = next(result for result in done.data["results"] if result["task_id"] == "R")
    assert (failure["status"], failure["failure"], failure["exit_code"]) == ("failed", "exit_code", 3)
    assert lines(project, "R") == 3
    assert statuses(project) == {"R": "failed", "G": "success", "D": "blocked"}

    assert project.orch("retry", "R").code == 0
    assert project.orch("run-batch").code == 1
    assert lines(project, "R") == 5


def test_what_was_cancelled_by_name_in_a_newer_run_is_not_done(project: Project) -> None:
    project.shell("R", "echo x >> R.log; sleep 60", kill_grace=0.5)
    project.shell("G", FIRST.format("G", "true"), kill_grace=0.5)
    kill_in(project, "R", "G")
    with project.start("run-batch", "R") as process:
        wait_until(has_lines(project.root / "R.log", 2), "the task did not begin again")
        assert project.orch("cancel", "R").code == 0
        assert process.wait(PATIENCE) == 1
    assert "orch retry R" in project.orch("why", "R").out
    assert project.orch("run-batch").code == 1
    assert statuses(project) == {"R": "cancelled", "G": "success"}
    assert lines(project, "R") == 2


def test_a_task_that_must_not_run_twice_stays_done_by_a_newer_run(project: Project) -> None:
    project.shell("A", FIRST.format("A", 'echo n=7 >> "$ORCH_OUTPUT"'), on_crash="fail", kill_grace=0.5)
    project.shell("B", 'echo "$N" > B.log', "A", env={"N": "{{ tasks['A'].outputs.n }}"})
    killed = kill_in(project, "A")
    assert project.orch("run-batch", "A").code == 0
    done = project.orch("run-batch", "--json")
    assert (done.code, done.data["run_id"]) == (0, killed)
    assert (project.root / "B.log").read_text() == "7\n"
    assert lines(project, "A") == 2
    assert statuses(project) == {"A": "success", "B": "success"}
    assert project.orch("run-batch").out == "nothing to do: all 2 tasks are done\n"


def test_a_killed_run_is_cancelled_and_what_a_newer_one_did_stays_done(project: Project) -> None:
    project.shell("A", FIRST.format("A", "true"), kill_grace=0.5)
    project.shell("G", FIRST.format("G", "true"), kill_grace=0.5)
    killed = kill_in(project, "A", "G")
    assert project.orch("run-batch", "A").code == 0
    assert project.orch("cancel", "A").code == 2
    assert project.orch("cancel", killed).out == "cancelled 1 task: G\n"
    assert statuses(project) == {"A": "success", "G": "cancelled"}


def test_a_task_of_several_agents_that_a_newer_run_has_done_is_not_done_again(project: Project) -> None:
    command = FIRST.format("A", "true")
    project.settings(
        f"agents:\n  one: {{kind: shell, command: '{command}'}}\n  two: {{kind: shell, command: 'true'}}\n"
        "  both: {kind: hybrid, strategy: chain, agents: [one, two]}\n"
    )
    project.write("tasks/A.yaml", "{id: A, agent: both, kill_grace: 0.5}")
    project.shell("B", "true", "A")
    killed = kill_in(project, "A")
    assert project.orch("run-batch", "A").code == 0
    done = project.orch("run-batch", "--json")
    assert (done.code, done.data["run_id"]) == (0, killed)
    assert lines(project, "A") == 2
    assert statuses(project) == {"A": "success", "B": "success"}


def test_a_forced_run_that_was_killed_does_again_what_was_done_before_it(project: Project) -> None:
    project.shell("A", "echo x >> A.log; [ $(wc -l < A.log) -ne 2 ] || sleep 60", kill_grace=0.5)
    project.shell("B", "echo x >> B.log", "A")
    assert project.orch("run-batch").code == 0
    kill_when(project, has_lines(project.root / "A.log", 2), "run-batch", "--force")
    assert project.orch("resume").code == 0
    assert (lines(project, "A"), lines(project, "B")) == (3, 2)


def test_a_retry_answers_an_older_run_that_asks_about_a_crash_too(project: Project) -> None:
    project.shell("A", FIRST.format("A", "test -e good"), on_crash="ask", kill_grace=0.5)
    project.shell("C", "true")
    kill_in(project, "A")
    assert project.orch("run-batch").code == 4
    assert project.orch("run-batch", "A").code == 1
    assert project.orch("complete", "A").code == 2
    project.write("good", "")
    assert project.orch("retry", "A").out == "reopened 1 task: A; then: orch run-batch\n"
    assert project.orch("run-batch").code == 0
    assert lines(project, "A") == 3
    assert statuses(project) == {"A": "success", "C": "success"}


def test_status_tells_of_a_run_whose_process_was_killed(project: Project) -> None:
    project.shell("A", FIRST.format("A", "true"), kill_grace=0.5)
    killed = kill_in(project, "A")
    assert f"interrupted: {killed}; orch resume {killed}" in project.orch("status").out.splitlines()
    (run,) = project.json("runs")
    assert (run["status"], run["live"]) == ("running", False)
    assert project.orch("resume", killed).code == 0
    assert "interrupted" not in project.orch("status").out
