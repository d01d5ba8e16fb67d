"""`orch resume`, and `run-batch` by itself: an interrupted run goes on, as `on_crash` says, and never twice."""

import time

import pytest

from tests.cli.project import Project
from tests.crash.sudden import PATIENCE, events_of, has_lines, kill_when, marked, wait_until
from tests.world.processes import linux_only

pytestmark = [linux_only, pytest.mark.slow]

ONCE = "echo x >> {0}.log; [ $(wc -l < {0}.log) -ge 2 ] || setsid sleep 60"
"""Hangs the first time, and is done at once the second."""


def hang(project: Project, task_id: str, *needs: str, **fields: object) -> None:
    project.shell(task_id, ONCE.format(task_id), *needs, kill_grace=0.5, **fields)


def kill_in(project: Project, task_id: str, *arguments: str) -> None:
    """Kill `orch` while the task runs."""
    kill_when(project, has_lines(project.root / f"{task_id}.log"), *arguments)


def test_an_interrupted_run_goes_on_where_it_was(project: Project) -> None:
    project.shell("A", "echo x >> A.log")
    hang(project, "B", "A")
    project.shell("C", "echo x >> C.log", "B")
    kill_in(project, "B", "run-batch", "--max-concurrent", "2", "--fail-fast")
    (run,) = project.json("runs")
    assert (run["status"], run["live"]) == ("running", False)

    resumed = project.json("resume")
    assert resumed["run_id"] == run["run_id"]
    assert resumed["status"] == "success"
    assert [(project.root / f"{name}.log").read_text() for name in "ABC"] == ["x\n", "x\nx\n", "x\n"]
    types = events_of(project)
    assert (types.count("attempt_interrupted"), types.count("run_resumed"), types.count("run_started")) == (1, 1, 1)
    assert '"max_concurrent":2,"fail_fast":true' in next(
        line for line in project.orch("events").out.splitlines() if "run_resumed" in line
    )
    wait_until(lambda: not marked(project.root), "something lives on")


def test_a_run_of_some_tasks_goes_on_with_just_these(project: Project) -> None:
    hang(project, "A")
    project.shell("B", "touch B.done")
    kill_in(project, "A", "run-batch", "A")
    run_id = project.json("runs")[0]["run_id"]
    resumed = project.json("resume", run_id)
    assert [result["task_id"] for result in resumed["results"]] == ["A"]
    assert not (project.root / "B.done").exists()


def test_without_a_run_to_continue_it_says_so(project: Project) -> None:
    project.shell("A", "true")
    done = project.orch("resume")
    assert (done.code, done.last) == (
        2,
        "orch: there is no interrupted or paused run to continue (orch run-batch starts one)",
    )
    assert project.orch("resume", "nonsense").code == 2
    assert project.orch("run-batch").code == 0
    run_id = project.json("runs")[0]["run_id"]
    ended = project.orch("resume", run_id)
    assert ended.code == 2
    assert "has ended" in ended.err


def test_a_run_that_somebody_drives_is_left_to_him(project: Project) -> None:
    hang(project, "A")
    with project.start("run-batch") as process:
        wait_until(has_lines(project.root / "A.log"), "the task did not begin")
        for arguments in (["resume"], ["resume", project.json("runs")[0]["run_id"]]):
            done = project.orch(*arguments)
            assert done.code == 2
            assert "owned by" in done.err
        process.terminate()
        process.wait(PATIENCE)


def test_a_run_whose_tasks_have_changed_is_refused_with_what_changed(project: Project) -> None:
    hang(project, "A")
    project.shell("B", "true", "A")
    kill_in(project, "A", "run-batch")
    (project.root / "tasks" / "B.md").unlink()
    done = project.orch("resume")
    assert done.code == 2
    assert "B is gone" in done.err


def test_a_person_is_asked_where_the_task_says_so_and_may_have_it_done_again(project: Project) -> None:
    hang(project, "A", on_crash="ask")
    project.shell("B", "true", "A")
    kill_in(project, "A", "run-batch")

    assert project.orch("resume").code == 4
    assert project.orch("run-batch").code == 4
    told = project.orch("why", "A").out
    assert "orch retry A" in told
    assert "orch fail A" in told
    assert project.orch("retry", "A").code == 0
    assert project.orch("run-batch").code == 0
    assert (project.root / "A.log").read_text() == "x\nx\n"


def test_a_person_may_give_up_what_was_cut_off(project: Project) -> None:
    hang(project, "A", on_crash="ask")
    project.shell("B", "true", "A")
    kill_in(project, "A", "run-batch")
    assert project.orch("run-batch").code == 4
    assert project.orch("fail", "A", "--reason", "half done").code == 0
    assert project.orch("run-batch").code == 1
    assert (project.root / "A.log").read_text() == "x\n"


def test_a_task_that_must_not_run_twice_has_failed(project: Project) -> None:
    hang(project, "A", on_crash="fail")
    project.shell("B", "touch B.done", "A")
    kill_in(project, "A", "run-batch")
    done = project.orch("resume")
    assert done.code == 1
    assert (project.root / "A.log").read_text() == "x\n"
    assert not (project.root / "B.done").exists()
    assert "interrupted" in project.orch("why", "A").out


def test_a_task_of_several_agents_whose_parts_must_not_run_twice_has_failed(project: Project) -> None:
    project.settings(
        f"agents:\n  hare: {{kind: shell, command: '{ONCE.format('hare')}'}}\n"
        f"  tortoise: {{kind: shell, command: '{ONCE.format('tortoise')}'}}\n"
        "  both: {kind: hybrid, strategy: race, agents: [hare, tortoise]}\n"
    )
    project.write("tasks/A.yaml", "{id: A, agent: both, on_crash: fail, kill_grace: 0.5}")
    kill_in_parts = has_lines(project.root / "tortoise.log"), has_lines(project.root / "hare.log")
    kill_when(project, lambda: all(begun() for begun in kill_in_parts), "run-batch")
    assert project.orch("run-batch").code == 1
    assert "interrupted" in project.orch("why", "A").out
    assert (project.root / "hare.log").read_text() == "x\n"


def test_a_dead_owners_claims_are_taken_over_at_once(project: Project) -> None:
    hang(project, "A")
    project.shell("B", "true")
    kill_in(project, "A", "run-batch", "A")
    began = time.monotonic()
    done = project.orch("run-batch", "A", "B")
    assert done.code == 0, done.err
    assert time.monotonic() - began < PATIENCE
    assert "is doing" not in done.err


def test_who_waits_for_a_run_that_is_killed_takes_its_task_over(project: Project) -> None:
    hang(project, "A")
    project.shell("B", "true")
    with project.start("run-batch", "A") as first:
        wait_until(has_lines(project.root / "A.log"), "the task did not begin")
        with project.start("run-batch", "A", "B") as second:
            wait_until(lambda: len(project.json("runs")) == 2, "the second run did not begin")
            first.kill()
            first.wait(PATIENCE)
            assert second.wait(PATIENCE) == 0
    assert (project.root / "A.log").read_text() == "x\nx\n"


def test_two_at_once_continue_an_interrupted_run_together(project: Project) -> None:
    hang(project, "A")
    for number in range(6):
        project.shell(f"T{number}", f"echo x >> T{number}.log; sleep 0.1", "A")
    kill_in(project, "A", "run-batch")
    with project.start("run-batch") as first, project.start("run-batch") as second:
        assert (first.wait(PATIENCE), second.wait(PATIENCE)) == (0, 0)
    assert [(project.root / f"T{number}.log").read_text() for number in range(6)] == ["x\n"] * 6
    assert (project.root / "A.log").read_text() == "x\nx\n"


@pytest.mark.parametrize("moment", ["state.db", "A.log", "B.log"])
def test_the_same_command_goes_on_whenever_orch_was_killed(project: Project, moment: str) -> None:
    for name, needs in (("A", ()), ("B", ("A",)), ("C", ("A", "B"))):
        project.shell(name, f"echo x >> {name}.log; setsid sleep 0.2", *needs, kill_grace=0.5)
    folder = project.root if moment.endswith(".log") else project.root / ".orchestration"
    kill_when(project, (folder / moment).exists, "run-batch")
    wait_until(lambda: not marked(project.root), "something lives on")
    done = project.orch("run-batch")
    assert done.code == 0, done.err
    assert project.orch("run-batch").code == 0
    types = events_of(project)
    assert types.count("task_completed") == 3
    for name in "ABC":
        assert (project.root / f"{name}.log").read_text().count("x") in {1, 2}
