"""A backlog that changes under a run, as by another branch: what still runs is seen, explained and can be ended."""

import pytest

from tests.cli.project import Project

pytestmark = pytest.mark.slow


def test_what_a_run_still_does_is_seen_and_can_be_cancelled_though_the_backlog_has_lost_it(project: Project) -> None:
    project.shell("A", "echo $$ > pid; sleep 60")
    project.shell("B", "true", "A")
    project.shell("KEPT", "true")
    with project.start("run-batch") as run:
        project.pid()
        for name in ("A", "B"):
            (project.root / "tasks" / f"{name}.md").unlink()
        stands = {task["task_id"]: task["status"] for task in project.json("status")["tasks"]}
        assert (stands["A"], stands["B"]) == ("in_progress", "pending")
        assert [task["id"] for task in project.json("list")["tasks"]] == ["KEPT"]
        for name, state in (("A", "in_progress"), ("B", "pending")):
            first, *_, last = project.orch("why", name).out.splitlines()
            assert first.startswith(f"{name} is {state}")
            assert last.startswith("It is not in the backlog now; run ")
            assert last.endswith(" has it.")
        assert project.json("cancel", "A")["tasks"] == ["A"]
        _, err = run.communicate(timeout=60)
        assert run.returncode == 1, err
    assert project.orch("why", "A").out.splitlines()[-1].endswith(" had it.")
    assert [task["task_id"] for task in project.json("status")["tasks"]] == ["KEPT"]


def test_a_question_of_a_run_is_withdrawn_by_its_name_though_the_backlog_has_lost_it(project: Project) -> None:
    project.person("P")
    assert project.orch("run-batch").code == 4
    (project.root / "tasks" / "P.md").unlink()
    assert project.json("cancel", "P")["tasks"] == ["P"]
    again = project.orch("cancel", "P", "--json")
    assert (again.code, again.data["message"]) == (2, "there is no run and no task P")
