"""An older run that rests while newer ones do its tasks: nothing that it says, or that is said to it, undoes that."""

import pytest

from tests.cli.project import Project

pytestmark = pytest.mark.slow


def statuses(project: Project) -> dict[str, str]:
    return {task["id"]: task["status"] for task in project.json("list")["tasks"]}


def overtake(project: Project) -> str:
    """An older run that waits for A, which a newer one has got done, with B; returns the older one."""
    project.person("A")
    project.shell("B", "echo x >> B.log", "A")
    project.shell("C", "true")
    assert project.orch("run-batch").code == 4
    older = str(project.json("runs")[0]["run_id"])
    assert project.orch("run-batch", "A", "B").code == 4
    assert project.orch("complete", "A").code == 0
    assert project.orch("run-batch", "A", "B").code == 0
    assert statuses(project) == {"A": "success", "B": "success", "C": "success"}
    return older


def test_an_older_run_is_cancelled_and_what_newer_ones_did_stays_done(project: Project) -> None:
    older = overtake(project)
    done = project.orch("cancel", older)
    assert (done.code, done.out) == (0, "nothing was cancelled\n")
    assert statuses(project) == {"A": "success", "B": "success", "C": "success"}
    again = project.orch("run-batch")
    assert (again.code, again.out) == (0, "nothing to do: all 3 tasks are done\n")
    assert (project.root / "B.log").read_text() == "x\n"
    assert {run["status"] for run in project.json("runs")} == {"success"}


def test_of_an_older_run_only_what_is_not_done_is_cancelled(project: Project) -> None:
    project.person("A")
    project.shell("B", "true", "A")
    project.person("P")
    assert project.orch("run-batch").code == 4
    older = project.json("runs")[0]["run_id"]
    assert project.orch("run-batch", "A").code == 4
    assert project.orch("complete", "A").code == 0
    assert project.orch("cancel", older).out == "cancelled 2 tasks: B, P\n"
    assert statuses(project) == {"A": "success", "B": "cancelled", "P": "cancelled"}


@pytest.mark.parametrize(
    "answer", [["cancel", "B"], ["cancel", "A"], ["fail", "A", "--reason", "no"], ["complete", "A"]]
)
def test_no_answer_reaches_what_a_newer_run_has_done(project: Project, answer: list[str]) -> None:
    overtake(project)
    done = project.orch(*answer)
    assert done.code == 2
    assert f"{answer[1]} is success" in done.last or "it is success" in done.last
    assert statuses(project) == {"A": "success", "B": "success", "C": "success"}
    assert project.orch("run-batch").code == 0
    assert (project.root / "B.log").read_text() == "x\n"


def test_a_retry_in_an_older_run_leaves_what_a_newer_one_did(project: Project) -> None:
    project.shell("F", "test -e good")
    project.person("A", approve=True)
    assert project.orch("run-batch").code == 1
    assert project.orch("run-batch", "A").code == 4
    assert project.orch("approve", "A").code == 0
    assert project.orch("run-batch", "A").code == 4
    assert project.orch("complete", "A").code == 0
    assert project.orch("approve", "A").code == 2
    assert project.orch("retry", "F").code == 0
    assert project.orch("cancel", "A").code == 2
    project.write("good", "")
    assert project.orch("run-batch").code == 0
    assert statuses(project) == {"F": "success", "A": "success"}


def test_what_a_person_failed_in_a_newer_run_stays_failed_in_the_older_one(project: Project) -> None:
    project.person("P")
    project.person("Q", approve=True)
    project.shell("C", "true")
    assert project.orch("run-batch").code == 4
    assert project.orch("run-batch", "P", "Q").code == 4
    assert project.orch("fail", "P", "--reason", "no").code == 0
    assert project.orch("reject", "Q").code == 0
    done = project.orch("run-batch")
    assert done.code == 1
    assert statuses(project) == {"P": "failed", "Q": "cancelled", "C": "success"}
    assert project.orch("retry", "--failed").out == "reopened 2 tasks: P, Q; then: orch run-batch\n"
    assert project.orch("run-batch").code == 4
    assert statuses(project) == {"P": "needs_input", "Q": "needs_input", "C": "success"}


def test_a_task_opened_again_elsewhere_is_done_by_a_run_that_had_taken_its_failure_over(project: Project) -> None:
    project.shell("A", "test -e good")
    project.person("P")
    assert project.orch("run-batch", "A").code == 1
    assert project.orch("run-batch").code == 1
    project.write("good", "")
    assert project.orch("retry", "A").code == 0
    assert project.orch("run-batch").code == 4
    assert statuses(project) == {"A": "success", "P": "needs_input"}


def test_what_was_only_blocked_in_a_newer_run_can_still_be_answered_in_the_older_one(project: Project) -> None:
    project.person("A")
    project.shell("B", "true", "A")
    assert project.orch("run-batch").code == 4
    assert project.orch("run-batch", "B").code == 1
    assert project.orch("cancel", "B").out == "cancelled 1 task: B\n"
    assert project.orch("complete", "A").code == 0
    assert project.orch("run-batch").code == 1
    assert statuses(project) == {"A": "success", "B": "cancelled"}


@pytest.mark.parametrize(
    ("answer", "status"),
    [(["complete", "A"], "success"), (["fail", "A", "--reason", "no"], "failed"), (["cancel", "A"], "cancelled")],
)
def test_an_answer_counts_though_other_runs_asked_too_and_one_of_them_goes_on(
    project: Project, answer: list[str], status: str
) -> None:
    for name in "ABC":
        project.person(name)
    for command in (["run-batch"], ["run-batch", "A", "B"], ["run-batch", "A"]):
        assert project.orch(*command).code == 4
    assert project.orch(*answer).code == 0
    for _ in range(2):
        assert statuses(project) == {"A": status, "B": "needs_input", "C": "needs_input"}
        assert project.orch("run-batch").code in {1, 4}  # the oldest goes on, and takes over what came of A


def test_a_task_outside_of_a_run_is_none_of_its_business(project: Project) -> None:
    project.shell("A", "true")
    project.shell("B", "true", "A")
    assert project.orch("run-batch", "B").code == 1
    assert statuses(project) == {"A": "pending", "B": "blocked"}
    assert "depends on A, which is not done, and no part of this run" in project.orch("why", "B").out
    assert project.orch("run-batch").code == 0
    assert statuses(project) == {"A": "success", "B": "success"}
