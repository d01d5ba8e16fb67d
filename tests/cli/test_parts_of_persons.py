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


STRATEGIES = """
agents:
  away: {kind: shell, command: ./not-there}
  fine: {kind: shell, command: "echo fine"}
  slow: {kind: shell, command: "echo $$ > pid; while ! test -e go; do sleep 0.05; done"}
  fallback: {kind: hybrid, strategy: fallback, agents: [away, interactive]}
  chain: {kind: hybrid, strategy: chain, agents: [fine, interactive, fine]}
  race: {kind: hybrid, strategy: race, agents: [interactive, away]}
  other: {kind: hybrid, strategy: race, agents: [interactive, slow]}
"""


def what_could_start(project: Project) -> list[str]:
    return [task["id"] for task in project.json("next")["tasks"]]


@pytest.mark.parametrize(("agent", "part"), [("fallback", "leg-2"), ("chain", "leg-2"), ("race", "leg-1")])
def test_what_goes_on_only_when_a_person_has_answered_could_not_start(project: Project, agent: str, part: str) -> None:
    project.settings(STRATEGIES)
    project.shell("A", "Please look.", agent=agent)
    project.shell("B", "true", "A")
    assert what_could_start(project) == ["A"]
    assert project.orch("run-batch").code == 4
    assert what_could_start(project) == []
    told = {task["task_id"]: (task["will_run"], task["why"]) for task in project.json("plan")["tasks"]}
    assert told == {"A": (False, f"A/{part} needs a person"), "B": (False, "depends on A, which needs a person")}
    assert project.orch("run-batch").last.startswith("orch: nothing could start")
    assert project.orch("complete", f"A/{part}").code == 0
    assert what_could_start(project) == (["A"] if agent == "chain" else ["B"])
    assert project.orch("run-batch").code == 0


def test_what_has_another_part_to_do_could_start_and_so_could_all_in_a_run_of_other_tasks(project: Project) -> None:
    project.settings(STRATEGIES)
    project.shell("A", "Please look.", agent="other")
    with project.start("run-batch") as process:
        project.pid()
        wait_until(lambda: "needs_input" in project.orch("why", "A").out, "nobody is asked")
        process.kill()
        process.wait()
    assert what_could_start(project) == ["A"]
    project.write("go", "")
    assert project.orch("run-batch").code == 0
    project.shell("C", "Please look.", agent="chain")
    assert project.orch("run-batch", "C").code == 4
    assert what_could_start(project) == ["C"]
