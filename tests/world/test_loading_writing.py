"""New tasks and new projects: what is written is read back, and nothing that exists is touched."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestration.errors import InvalidProject, NoProject, UsageError
from orchestration.loading import init_project, load_project, next_task_id, write_task
from orchestration.models import Task
from orchestration.models.fields import runs_nothing
from tests.bad_inputs import Link, lay_out

TEXT = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0\r")
    | st.sampled_from("\n:#-'\"[]{}&*!|>%@` ~0123\x85\u2028"),
    max_size=30,
)
NAME = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)
TRAPS = st.sampled_from(
    [
        "no",
        "1.10",
        "1e3",
        "2024-01-01",
        "1:30",
        "null",
        "~",
        "",
        "---",
        "...",
        "# x",
        "- x",
        "x: y",
        "{{ x }}",
        "<<",
        "on",
    ]
)
FIELDS = st.fixed_dictionaries(
    {"title": TEXT | TRAPS},
    optional={
        "description": TEXT | TRAPS,
        "notes": TEXT | TRAPS,
        "phase": TEXT | TRAPS,
        "labels": st.lists(TEXT | TRAPS, max_size=3),
        "verify": st.lists((TEXT | TRAPS).filter(lambda line: not runs_nothing(line)), max_size=3),
        "env": st.dictionaries(NAME, TEXT | TRAPS, max_size=3),
        "metadata": st.dictionaries(TEXT | TRAPS, TEXT | TRAPS | st.integers(-99, 99) | st.floats(-9, 9), max_size=3),
        "estimate_hours": st.floats(0, 1000),
        "retry": st.integers(1, 9),
    },
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(FIELDS)
def test_a_task_that_was_written_is_read_back(tmp_path: Path, fields: dict[str, Any]) -> None:
    folder = tmp_path / "tasks"
    if folder.exists():
        for file in folder.iterdir():
            file.unlink()
    path = write_task(tmp_path, {"id": "TASK-001", **fields})
    found = load_project(tmp_path, check=False)  # texts may look like broken templates
    assert path == folder / "TASK-001.md"
    task, expected = found.tasks[0], Task(id="TASK-001", **fields)
    body = trimmed(expected.description)
    assert task.description == body
    title = expected.title or (task.title if f"# {task.title}" in body else "")
    assert task.model_dump(exclude={"description"}) == {**expected.model_dump(exclude={"description"}), "title": title}
    assert found.warnings == ()


def trimmed(text: str) -> str:
    """Text as the loader keeps it: from the first to the last line that is not blank."""
    lines = text.split("\n")
    while lines and not lines[-1].strip():
        lines.pop()
    while lines and not lines[0].strip():
        lines.pop(0)
    return "\n".join(lines)


def test_a_written_task_looks_as_if_a_person_had_written_it(tmp_path: Path) -> None:
    fields = {"id": "A-1", "title": "Grüße: alle", "labels": ["x", "y"], "timeout": "5m", "description": "Do it.\n"}
    path = write_task(tmp_path, fields)
    expected = "---\nid: A-1\ntitle: 'Grüße: alle'\nlabels: [x, y]\ntimeout: 5m\n---\n\nDo it.\n"
    assert path.read_text(encoding="utf-8") == expected


def test_a_file_that_exists_is_never_written_over(tmp_path: Path) -> None:
    lay_out(tmp_path, {"tasks/a.md": "mine", "tasks/b.md": Link("nowhere")})
    for name in ("a", "b"):
        with pytest.raises(UsageError, match="exists already"):
            write_task(tmp_path, {"id": name})
    assert (tmp_path / "tasks/a.md").read_text(encoding="utf-8") == "mine"
    assert not (tmp_path / "tasks/nowhere").exists()


def test_what_cannot_be_written_leaves_no_half_of_a_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be written"):
        write_task(tmp_path, {"id": "a", "description": "half a pair: \ud800"})
    assert list((tmp_path / "tasks").iterdir()) == []
    with pytest.raises(UsageError, match="cannot be written: it would hold bytes that are no text"):
        write_task(tmp_path, {"id": "a", "title": "no text: \udcff"})
    assert list((tmp_path / "tasks").iterdir()) == []


def test_a_task_is_not_written_out_of_the_project(tmp_path: Path) -> None:
    lay_out(tmp_path, {"project/tasks": Link("../outside"), "outside/x": ""})
    with pytest.raises(UsageError, match="outside of the project"):
        write_task(tmp_path / "project", {"id": "a"})


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"id": "../x"}, "not a safe id"),
        ({}, "id is missing"),
        ({"id": "a", "priority": "x"}, "priority must be one of"),
        ({"id": "a", "titel": "x"}, "unknown key 'titel'"),
        ({"id": "a", "title": "x\0y"}, "NUL"),
        ({"id": "a", "agent": "interactive", "description": "{{ open"}, "description: {{ open"),
        ({"id": "a", "when": "1 +"}, "when: 1 +"),
    ],
)
def test_what_is_no_task_is_not_written(tmp_path: Path, fields: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidProject, match=message):
        write_task(tmp_path, fields)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, "TASK-001"),
        ({"tasks/TASK-001.md": "x"}, "TASK-002"),
        ({"tasks/TASK-009.md": "x", "tasks/a.yaml": "id: TASK-12"}, "TASK-013"),
        ({"tasks/TASK-999.md": "x"}, "TASK-1000"),
        ({"tasks/TASK-004.md": "---\nbroken: [\n---\n"}, "TASK-005"),
        ({"tasks/deep/task-007.yaml": "id: other"}, "TASK-008"),
        ({"tasks/TASK-x.md": "x", "tasks/TASK-1-2.md": "x"}, "TASK-001"),
    ],
)
def test_the_next_id_is_after_all_that_are_taken(tmp_path: Path, files: dict[str, str], expected: str) -> None:
    lay_out(tmp_path, files)
    assert next_task_id(load_project(tmp_path, check=False)) == expected


def test_a_new_project_has_settings_and_an_example_and_loads_without_a_warning(tmp_path: Path) -> None:
    root = tmp_path / "new" / "project"
    assert init_project(root) == [root / "orchestration.yaml", root / "tasks/TASK-001.md"]
    project = load_project(root)
    assert [task.id for task in project.tasks] == ["TASK-001"]
    assert project.tasks[0].agent == "shell"
    assert project.warnings == ()


def test_every_line_of_the_settings_that_is_commented_out_is_right(tmp_path: Path) -> None:
    init_project(tmp_path)
    path = tmp_path / "orchestration.yaml"
    lines = [line.removeprefix("# ") for line in path.read_text(encoding="utf-8").splitlines()[2:]]
    path.write_text("\n".join(lines), encoding="utf-8")
    project = load_project(tmp_path)
    assert project.warnings == ()
    assert project.settings.model_fields_set >= {"max_concurrent", "kill_grace", "retry", "pools", "agents", "pass_env"}


def test_making_a_project_again_changes_nothing(tmp_path: Path) -> None:
    init_project(tmp_path)
    (tmp_path / "orchestration.yaml").write_text("name: mine\n", encoding="utf-8")
    (tmp_path / "tasks/TASK-001.md").unlink()
    assert init_project(tmp_path) == []
    assert (tmp_path / "orchestration.yaml").read_text(encoding="utf-8") == "name: mine\n"


def test_a_backlog_that_is_there_gets_no_example(tmp_path: Path) -> None:
    lay_out(tmp_path, {"tasks/mine.md": "x"})
    assert init_project(tmp_path) == [tmp_path / "orchestration.yaml"]


def test_a_file_cannot_become_a_project(tmp_path: Path) -> None:
    lay_out(tmp_path, {"file": ""})
    with pytest.raises(NoProject, match="cannot be made a project"):
        init_project(tmp_path / "file")
