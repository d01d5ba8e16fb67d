"""A file is broken, as an editor or an agent leaves it in mid-work: what was run can still be looked at and ended."""

import json
from pathlib import Path
from time import monotonic, sleep

import pytest

from orchestration import ProjectOrchestrator
from orchestration.errors import InvalidProject
from tests.cli.project import PATIENCE, Project

pytestmark = pytest.mark.slow

REMARK = "orch: 1 problem in the backlog, what they touch is left out; see: orch validate"


@pytest.fixture
def broken(project: Project) -> Project:
    """One task succeeded and one failed; then the file of a third was spoilt."""
    project.shell("A", "echo hello")
    project.shell("B", "exit 3", "A")
    project.shell("C", "true")
    assert project.orch("run-batch").code == 1
    project.write("tasks/C.md", "---\nid: [\n---\n")
    return project


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        (("list",), "B     failed"),
        (("show", "B"), "state        failed"),
        (("status",), "B     failed"),
        (("graph",), "B  [failed]"),
        (("runs",), "failed"),
        (("logs", "A"), "hello"),
        (("events",), '"type":"run_completed"'),
        (("why", "B"), "B is failed"),
        (("why", "C"), "C is success"),
        (("report",), "| B | failed |"),
        (("agents",), "shell"),
    ],
)
def test_what_was_run_is_shown(broken: Project, command: tuple[str, ...], shown: str) -> None:
    done = broken.orch(*command)
    assert (done.code, done.last) == (0, REMARK)
    assert shown in done.out


def test_states_are_those_that_are_stored_also_for_programs(broken: Project) -> None:
    done = broken.orch("list", "--json", "--quiet")
    assert [(task["id"], task["status"]) for task in done.data["tasks"]] == [("A", "success"), ("B", "failed")]
    assert done.last == REMARK


@pytest.mark.parametrize(
    "command",
    [
        ("run-batch",),
        ("execute-task", "A"),
        ("resume",),
        ("plan",),
        ("next",),
        ("retry", "B"),
        ("complete", "A"),
        ("logs", "NONE"),
        ("why", "NONE"),
    ],
)
def test_what_would_do_something_is_refused(broken: Project, command: tuple[str, ...]) -> None:
    done = broken.orch(*command)
    assert done.code == 2
    assert "tasks/C.md:2" in done.last


def test_a_run_that_goes_on_is_cancelled(project: Project) -> None:
    project.shell("A", "touch began; sleep 60")
    with project.start("run-batch") as running:
        waited = monotonic()
        while not (project.root / "began").exists():
            assert monotonic() < waited + PATIENCE
            sleep(0.02)
        project.write("tasks/C.md", "---\nid: [\n---\n")
        run = json.loads(project.orch("runs", "--json").out)["data"][0]["run_id"]
        done = project.orch("cancel", run)
        assert (done.code, done.out) == (0, "cancelled 1 task: A\n")
        assert running.wait(PATIENCE) == 1


async def test_in_python_it_is_for_looking_only(tmp_path: Path) -> None:
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks/A.md").write_text("---\nagent: shell\n---\ntrue\n", encoding="utf-8")
    (tmp_path / "tasks/B.md").write_text("---\nid: [\n---\n", encoding="utf-8")
    async with ProjectOrchestrator(tmp_path, check=False) as orchestrator:
        assert [result.task_id for result in await orchestrator.status()] == ["A"]
        with pytest.raises(InvalidProject, match=r"B\.md|not valid YAML"):
            await orchestrator.run_batch()
        with pytest.raises(InvalidProject):
            await orchestrator.execute_task("A")
