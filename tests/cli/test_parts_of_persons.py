"""Parts of tasks that wait for a person: asked for, answered by their own names, and then the task goes on."""

import pytest

from tests.cli.project import Project
from tests.crash.sudden import wait_until

pytestmark = pytest.mark.slow

AGENTS = """
agents:
  away: {kind: shell, command: ./not-there}
  careful: {kind: hybrid, strategy: fallback, agents: [away, interactive]}
"""


@pytest.fixture
def asking(project: Project) -> Project:
    project.settings(AGENTS)
    project.shell("A", "Please look.", agent="careful")
    project.shell("B", "echo after", "A")
    return project


def test_the_part_of_a_task_can_be_completed_and_the_task_is_done(asking: Project) -> None:
    done = asking.orch("run-batch")
    assert (done.code, done.last) == (4, "orch: 1 task waiting for a person (A/leg-2); then: orch complete A/leg-2")
    assert "It waits for a person: `orch complete A/leg-2`" in asking.orch("why", "A").out
    assert asking.orch("complete", "A/leg-2", "--output", "seen").code == 0
    assert asking.orch("run-batch").code == 0
    assert asking.json("show", "A")["result"]["output"] == "seen"
    assert asking.orch("logs", "B").out == "after\n"


def test_a_part_that_a_person_gives_up_has_failed_and_the_task_can_be_tried_again(asking: Project) -> None:
    assert asking.orch("run-batch").code == 4
    assert asking.orch("fail", "A/leg-2", "--reason", "no time").code == 0
    assert asking.orch("run-batch").code == 1
    assert "no time" in asking.orch("why", "A").out
    assert asking.orch("retry", "A").code == 0
    assert asking.orch("run-batch").code == 4
    assert asking.orch("complete", "A/leg-4").code == 0
    assert asking.orch("run-batch").code == 0


def test_whoever_drives_the_run_is_told_of_the_answer(asking: Project) -> None:
    asking.shell("C", "until test -e go; do sleep 0.1; done")
    with asking.start("run-batch") as process:
        wait_until(lambda: "needs_input" in asking.orch("why", "A").out, "nobody is asked")
        assert asking.orch("complete", "A/leg-2").code == 0
        (asking.root / "go").touch()
        assert process.wait(30) == 0


def test_a_part_that_does_not_wait_or_is_not_there_is_refused(asking: Project) -> None:
    assert asking.orch("run-batch").code == 4
    for part in ("A/leg-1", "A/leg-9", "A", "Z/leg-1"):
        done = asking.orch("complete", part)
        assert done.code == 2, part
        assert part.partition("/")[0] in done.last
