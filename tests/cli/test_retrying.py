"""`orch retry`: which run's end it takes back, and that it takes back all or nothing."""

import pytest

from tests.cli.project import Project

pytestmark = pytest.mark.slow


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
