"""Tasks that start `orch` themselves, as agents do."""

import shlex
import sys

import pytest

from tests.cli.project import Project

pytestmark = pytest.mark.slow

PYTHON = shlex.quote(sys.executable)


@pytest.mark.parametrize("command", ["run-batch", "execute-task A", "execute-task B --with-dependencies"])
def test_a_task_that_runs_what_its_own_run_has_to_do_is_refused(project: Project, command: str) -> None:
    line = f"{PYTHON} -m cli {command} 2> said; echo $? > code"
    project.shell("A", line, timeout=30, pass_env=["PYTHONPATH"])
    project.shell("B", "true", "A")
    assert project.orch("run-batch").code == 0
    assert (project.root / "code").read_text() == "2\n"
    assert "this command is part of A in run" in (project.root / "said").read_text()


def test_a_task_may_run_others_of_the_same_project(project: Project) -> None:
    project.shell("A", f"{PYTHON} -m cli execute-task B", timeout=30, pass_env=["PYTHONPATH"])
    project.shell("B", "touch done")
    assert project.orch("run-batch", "A").code == 0
    assert (project.root / "done").exists()
