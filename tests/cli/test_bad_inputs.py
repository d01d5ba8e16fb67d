"""Every wrong project is refused by the commands with place and remedy, exit code 2, and nothing is changed."""

import os
from pathlib import Path

import pytest

from tests.bad_inputs import BAD_INPUTS, BadInput, lay_out
from tests.cli.project import Project

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parent.parent.parent
AS_ROOT = os.geteuid() == 0


def names_below(root: Path) -> list[str]:
    return sorted(str(path) for path in root.rglob("*"))


@pytest.mark.parametrize("row", BAD_INPUTS, ids=lambda row: row.name.replace(" ", "_"))
def test_a_wrong_project_is_refused_by_validate(row: BadInput, tmp_path: Path) -> None:
    lay_out(tmp_path, row.files)
    before = names_below(tmp_path)
    done = Project(tmp_path, {"PYTHONPATH": str(ROOT)}).orch("-C", str(tmp_path), "validate", "--json")
    assert (done.code, done.kind) == (2, "error"), done.err
    assert "Traceback" not in done.err
    problems = done.data["problems"]
    assert [(problem["file"], problem["line"]) for problem in problems] == [(e.file, e.line) for e in row.problems]
    for problem, expected in zip(problems, row.problems, strict=True):
        assert expected.message in problem["message"]
        assert expected.hint in (problem["hint"] or "")
    first = row.problems[0]
    assert done.last.startswith("orch: ")
    place = first.file if first.line is None else f"{first.file}:{first.line}"
    assert str(place) in done.err
    assert done.data["hint"]
    assert done.last.endswith(f"({done.data['hint']})")
    assert names_below(tmp_path) == before


@pytest.mark.parametrize("row", BAD_INPUTS[:: max(1, len(BAD_INPUTS) // 5)], ids=lambda row: row.name)
def test_a_wrong_project_is_not_run_and_its_state_stays_as_it_was(row: BadInput, project: Project) -> None:
    project.shell("GOOD", "true")
    assert project.orch("run-batch").code == 0
    before = project.state()
    project.root.joinpath("orchestration.yaml").unlink()
    lay_out(project.root, row.files)
    for arguments in (["run-batch"], ["execute-task", "GOOD", "--force"]):
        done = project.orch("-C", str(project.root), *arguments)
        assert done.code == 2, done.err
        assert done.out == ""
        assert "Traceback" not in done.err
    assert project.state() == before


@pytest.mark.skipif(AS_ROOT, reason="the superuser may read everything")
def test_a_task_folder_that_may_not_be_read_is_named(project: Project) -> None:
    project.shell("A", "true")
    folder = project.root / "tasks"
    folder.chmod(0)
    try:
        done = project.orch("validate")
    finally:
        folder.chmod(0o755)
    assert done.code == 2
    assert "tasks" in done.last


@pytest.mark.parametrize("name", [".orchestration", ".orchestration/state.db"])
def test_a_state_that_cannot_be_used_is_named_and_left_alone(project: Project, name: str) -> None:
    project.shell("A", "true")
    place = project.write(name, "this is no state of runs\n" * 99)
    content = place.read_bytes()
    for arguments in (["run-batch"], ["status"]):
        done = project.orch(*arguments)
        assert done.code in {1, 2}, done.err
        assert "Traceback" not in done.err
        assert "internal error" not in done.err
        assert name in done.last
        assert "(" in done.last
    assert place.read_bytes() == content
