"""`orch retry`: which run's end it takes back, and that it takes back all or nothing."""

import json

import pytest

from tests.cli.project import PATIENCE, Project
from tests.crash.sudden import wait_until

pytestmark = pytest.mark.slow


def _states(project: Project) -> list[str]:
    return [task["status"] for task in project.json("list")["tasks"]]


def test_what_a_person_failed_in_one_run_is_opened_though_another_run_still_asks(project: Project) -> None:
    project.shell("A", "test -e good")
    project.person("P")
    assert project.orch("run-batch").code == 1
    assert project.orch("run-batch", "P").code == 4
    assert project.orch("fail", "P", "--reason", "no").code == 0
    assert project.orch("retry", "--failed").out == "reopened 2 tasks: A, P; then: orch run-batch\n"
    project.write("good", "")
    assert project.orch("run-batch").code == 4
    assert project.orch("complete", "P").code == 0
    assert project.orch("run-batch").code == 0
    assert {task["status"] for task in project.json("list")["tasks"]} == {"success"}


def test_nothing_is_opened_where_one_of_several_cannot_be(project: Project) -> None:
    project.shell("A", "exit 1")
    project.shell("B", "true")
    project.person("P")
    assert project.orch("run-batch").code == 1
    for other, state in (("B", "success"), ("P", "needs_input")):
        done = project.orch("retry", "A", other)
        assert (done.code, f"{other} is {state}; only what failed" in done.last) == (2, True)
        states = {task["id"]: task["status"] for task in project.json("list")["tasks"]}
        assert states == {"A": "failed", "B": "success", "P": "needs_input"}


def test_all_that_failed_in_a_run_is_opened_by_going_on_with_it_once(project: Project) -> None:
    for name in "ABCDEF":
        project.shell(name, "test -e good")
    project.shell("G", "true", "A", "B")
    assert project.orch("run-batch").code == 1
    assert project.orch("retry", "--failed").out == "reopened 7 tasks: A, B, C, D, E, F, G; then: orch run-batch\n"
    types = [json.loads(line)["type"] for line in project.orch("events").out.splitlines()]
    assert (types.count("run_resumed"), types.count("task_input_given")) == (1, 7)
    project.write("good", "")
    assert project.orch("run-batch").code == 0
    assert {task["status"] for task in project.json("list")["tasks"]} == {"success"}


def test_a_run_that_goes_on_is_asked_for_all_also_for_what_another_one_opens_with_it(project: Project) -> None:
    for name in "AB":
        project.shell(name, "test -e good")
    project.shell("C", "true", "A")
    project.shell("L", "until test -e over; do sleep 0.05; done")
    with project.start("run-batch", "--max-concurrent", "4") as process:
        wait_until(
            lambda: _states(project) == ["failed", "failed", "blocked", "in_progress"], "A and B have not failed"
        )
        project.write("good", "")
        assert project.orch("retry", "A", "C", "B").out == "reopened 3 tasks: A, C, B; then: orch run-batch\n"
        wait_until(lambda: _states(project) == ["success", "success", "success", "in_progress"], "not done again")
        project.write("over", "")
        assert process.wait(PATIENCE) == 0
