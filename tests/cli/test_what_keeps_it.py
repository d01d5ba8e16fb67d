"""What rests says why, the same in every command that looks: accounts at their limit, parts that need people."""

import pytest

from tests.cli.project import Project

pytestmark = pytest.mark.slow

AGENTS = """
accounts: {team: {max_wait: 1s}}
agents:
  writer: {kind: scripted, account: team, script: [rate_limit: 1h]}
  stranded: {kind: scripted, account: team, script: [final], fallback: shell}
  race: {kind: hybrid, strategy: race, agents: [writer, interactive]}
  duo: {kind: hybrid, strategy: fallback, agents: [interactive, shell]}
"""


def test_what_waits_for_an_account_is_not_called_ready_and_says_until_when(project: Project) -> None:
    project.settings(AGENTS)
    project.shell("A", "", agent="writer")
    project.shell("B", "", agent="writer")
    assert [task["id"] for task in project.json("next")["tasks"]] == ["A", "B"]
    assert project.orch("run-batch", "-j", "1").code == 75
    project.shell("C", "true")
    found = project.json("next")
    assert [task["id"] for task in found["tasks"]] == ["C"]
    assert [task["id"] for task in found["resting"]] == ["A", "B"]
    until = found["resting"][0]["until"]
    moment = until[:16]  # to the minute
    told = project.orch("next")
    assert (told.out.splitlines()[1].split()[0], len(told.out.splitlines())) == ("C", 2)
    assert f"not now: B: account team has reached its limit, until {moment}" in told.err
    status = project.orch("status").out
    assert f"paused: account team has reached its limit, until {moment}" in status
    assert "2 tasks cannot start before" in status
    tasks = {task["task_id"]: task for task in project.json("status")["tasks"]}
    assert tasks["B"]["metadata"]["waits_until"] == tasks["A"]["metadata"]["waits_until"] == until
    assert f"until {moment}" in project.orch("why", "B").out
    assert f"until {moment}" in next(line for line in project.orch("plan").out.splitlines() if " B " in line)


def test_who_has_somebody_to_go_on_is_ready_while_his_own_account_is_used_up(project: Project) -> None:
    project.settings(AGENTS)
    project.shell("A", "", agent="writer")
    assert project.orch("run-batch").code == 75
    project.shell("B", "true", agent="stranded")
    assert [task["id"] for task in project.json("next")["tasks"]] == ["B"]


def test_a_task_of_which_a_part_waits_for_a_person_says_so(project: Project) -> None:
    project.settings(AGENTS)
    project.shell("A", "true", agent="duo")
    assert project.orch("run-batch").code == 4
    assert "A/leg-1: waits for a person" in project.orch("status").out
    assert project.json("status")["tasks"][0]["reason"] == "A/leg-1: waits for a person"
    assert project.orch("why", "A").out.startswith("A is in_progress: A/leg-1: waits for a person\n")
    assert project.orch("complete", "A/leg-1").code == 0
    assert project.orch("run-batch").code == 0
    assert project.json("status")["tasks"][0]["reason"] is None


def test_where_an_account_and_a_person_are_waited_for_the_account_decides_the_code_and_both_are_named(
    project: Project,
) -> None:
    project.settings(AGENTS)
    project.shell("A", "", agent="writer")
    project.person("B")
    done = project.orch("run-batch")
    assert done.code == 75
    assert "1 task waiting for a person (B)" in done.last
    assert "1 task waiting for an account that has reached its limit (A)" in done.last
    assert project.orch("complete", "B").code == 0
    assert project.orch("run-batch").code == 75


def test_one_task_that_a_person_can_bring_on_now_is_one_for_a_person(project: Project) -> None:
    project.settings(AGENTS)
    project.shell("A", "", agent="race")
    assert project.orch("run-batch").code == 4
    assert project.json("status")["tasks"][0]["reason"] == "A/leg-2: waits for a person"
