"""Before anything new starts, what a killed `orch` left is ended: also when its warden was killed with it."""

import os
import subprocess

import pytest

from tests.cli.project import Project
from tests.crash.sudden import events_of, has_lines, kill_when, marked
from tests.crash.trees import ALL, plant
from tests.crash.trickster import TRICKS
from tests.world.processes import is_living, linux_only

pytestmark = [linux_only, pytest.mark.slow]

FIRST_LIVES_ON = """
if [ -e old ]; then
    grep -s 'State:.[RSDTt]' /proc/$(cat old)/status >> overlaps && echo overlap >> overlaps
    echo again >> done
else
    echo $$ > old
    setsid sh -c '[ ! -e deaf ] || trap "" TERM; echo $$ >> ready; sleep 60' &
    echo $$ >> ready
    sleep 60
fi
"""
"""Its second attempt notes whether the first one lives; one that init has not reaped yet is dead."""


def leave_something(project: Project, *arguments: str) -> list[int]:
    """Kill `orch` and its warden while task A runs; returns the pids of what lives on."""
    project.shell("A", FIRST_LIVES_ON)
    kill_when(project, has_lines(project.root / "ready", 2), *arguments, warden_too=True)
    pids = [int(line) for line in (project.root / "ready").read_text().split()]
    assert all(map(is_living, pids)), "without a warden they live on"
    return pids


@pytest.mark.parametrize("command", ["run-batch", "resume"])
def test_the_next_attempt_begins_when_the_last_one_is_proved_dead(project: Project, command: str) -> None:
    if command == "resume":
        project.write("deaf", "")
    pids = leave_something(project, "run-batch")
    done = project.orch(command)
    assert done.code == 0, done.err
    assert "had left when orch was killed" in done.err
    assert (project.root / "done").read_text() == "again\n"
    assert (project.root / "overlaps").read_text() == ""
    assert not any(map(is_living, pids))
    assert not marked(project.root)
    assert events_of(project).count("attempt_interrupted") == 1


def test_another_run_that_takes_the_task_over_ends_it_too(project: Project) -> None:
    pids = leave_something(project, "run-batch", "A")
    project.shell("B", "true")
    done = project.orch("run-batch", "A", "B")
    assert done.code == 0, done.err
    assert (project.root / "done").read_text() == "again\n"
    assert (project.root / "overlaps").read_text() == ""
    assert not any(map(is_living, pids))


def test_a_run_that_nobody_drives_is_cancelled_when_what_it_left_has_ended(project: Project) -> None:
    pids = leave_something(project, "run-batch")
    done = project.orch("cancel", "A")
    assert done.code == 0, done.err
    assert not any(map(is_living, pids))


def test_a_command_that_is_part_of_what_is_left_says_so_and_ends_nothing(project: Project) -> None:
    pids = leave_something(project, "run-batch")
    run_id = project.json("runs")[0]["run_id"]
    inside = Project(project.root, {**project.variables, "ORCH_ATTEMPT_ID": f"{run_id}/A/1"})
    done = inside.orch("run-batch")
    assert done.code == 2
    assert "another terminal" in done.err
    assert all(map(is_living, pids))


def test_a_stranger_with_the_marker_of_another_run_lives_on(project: Project) -> None:
    leave_something(project, "run-batch")
    stranger = subprocess.Popen(["sleep", "60"], env={**os.environ, "ORCH_ATTEMPT_ID": "another-run/A/1"})
    try:
        assert project.orch("resume").code == 0
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_one_that_has_lost_every_tie_but_its_brand_is_ended_too(project: Project) -> None:
    grove = plant(project, "shell", "stay")
    kill_when(project, has_lines(grove.ready, len(TRICKS)), *ALL, warden_too=True)
    try:
        assert grove.left("lost"), "without a warden it lives on"
        found = {one["check"]: one for one in project.orch("doctor", "--json").data["findings"]}
        assert found["processes"]["level"] == "problem"
        told = found["processes"]["message"]
        assert all(line.partition(" ")[0] in told for line in grove.left("lost"))
        assert project.orch("cancel", project.json("runs")[0]["run_id"]).code == 0
        assert not grove.left()
    finally:
        grove.end_all()
