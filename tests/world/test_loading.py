"""Projects that are right, or only suspicious: which files are tasks, in which order, and what they say."""

import gc
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from orchestration.errors import InvalidProject, NoProject
from orchestration.kinds import Failure, Priority
from orchestration.loading import find_root, load_project
from orchestration.models import RetryPolicy
from tests.bad_inputs import Entry, Link, lay_out


def ids(root: Path, files: Mapping[str, Entry]) -> list[str]:
    """The ids of a project with these files, which has nothing wrong with it."""
    lay_out(root, files)
    return [task.id for task in load_project(root).tasks]


def warnings(root: Path, files: Mapping[str, Entry]) -> list[str]:
    """The warnings about a project with these files, as a terminal shows them."""
    lay_out(root, files)
    return [str(warning) for warning in load_project(root).warnings]


# -- the root -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mark", ["orchestration.yaml", ".orchestration/x"])
def test_the_root_is_the_nearest_folder_upward_with_a_mark(tmp_path: Path, mark: str) -> None:
    lay_out(tmp_path, {"orchestration.yaml": "", f"inner/{mark}": "", "inner/a/b/c.txt": ""})
    assert find_root(tmp_path / "inner/a/b") == tmp_path / "inner"
    assert find_root(tmp_path / "inner") == tmp_path / "inner"
    assert find_root(tmp_path) == tmp_path


def test_without_a_root_the_remedy_is_named(tmp_path: Path) -> None:
    if any((folder / ".orchestration").is_dir() for folder in tmp_path.parents):
        pytest.skip("a folder above the temporary one is a project")
    with pytest.raises(NoProject) as caught:
        find_root(tmp_path)
    assert "orch init" in (caught.value.hint or "")
    assert str(tmp_path) in caught.value.message


def test_a_root_that_is_no_folder_is_no_project(tmp_path: Path) -> None:
    lay_out(tmp_path, {"file": ""})
    for name in ("file", "gone"):
        with pytest.raises(NoProject):
            load_project(tmp_path / name)


def test_a_folder_without_anything_is_a_project_without_tasks(tmp_path: Path) -> None:
    project = load_project(tmp_path)
    assert project.tasks == ()
    assert project.settings.max_concurrent == 3
    assert project.state_folder == tmp_path / ".orchestration"
    assert [warning.message for warning in project.warnings] == ["the task folder tasks does not exist"]


# -- which files, in which order ------------------------------------------------------------------------------------


def test_order_is_by_path_with_numbers_as_numbers_and_within_a_file_as_written(tmp_path: Path) -> None:
    files = {
        "tasks/TASK-10.md": "x",
        "tasks/TASK-9.md": "x",
        "tasks/TASK-9.5.md": "x",
        "tasks/a/b.yaml": "tasks: [{id: z}, {id: y}]",
        "tasks/a.md": "x",
        "tasks/Z.YML": "[{id: v}, {id: w}]",
        "tasks/a/a/c.md": "x",
    }
    assert ids(tmp_path, files) == ["TASK-9", "TASK-9.5", "TASK-10", "v", "w", "a", "c", "z", "y"]


def test_hidden_and_other_files_and_readmes_are_no_tasks(tmp_path: Path) -> None:
    files = {
        "tasks/a.md": "x",
        "tasks/.b.md": "x",
        "tasks/.c/d.md": "x",
        "tasks/e.txt": "x",
        "tasks/f.md~": "x",
        "tasks/README.md": "# How to write tasks",
        "tasks/g/readme.MD": "---\ntitle: x\n---\ny",
        "tasks/h/README.md": "---\nid: h\n---\ny",
    }
    assert ids(tmp_path, files) == ["a", "h"]


def test_tasks_can_stand_in_several_folders_and_files_each_read_once(tmp_path: Path) -> None:
    files = {
        "orchestration.yaml": "tasks: [b, a, a/inner, ./b/y.md, more.yaml, .]",
        "a/x.md": "x",
        "a/inner/w.md": "x",
        "b/y.md": "x",
        "more.yaml": "id: m",
    }
    assert ids(tmp_path, files) == ["w", "x", "y", "m"]


def test_links_inside_the_project_are_followed_once_and_circles_end(tmp_path: Path) -> None:
    files: dict[str, Entry] = {
        "tasks/b/x.md": "x",
        "tasks/a": Link("b"),
        "tasks/b/up": Link(".."),
        "tasks/z.md": Link("b/x.md"),
        "tasks/elsewhere": Link("../other"),
        "other/y.md": "y",
        "tasks/self": Link("self"),
        "tasks/notes": Link("/etc/passwd"),
    }
    assert ids(tmp_path, files) == ["x", "y"]
    assert dict(load_project(tmp_path).places) == {"x": ("tasks/b/x.md", 1), "y": ("tasks/elsewhere/y.md", 1)}


@pytest.mark.skipif(sys.platform == "darwin", reason="its file systems refuse such names")
def test_a_file_name_that_is_not_utf8_can_be_shown(tmp_path: Path) -> None:
    (tmp_path / "tasks").mkdir()
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/tasks/a\xff.md")).write_text("x", encoding="utf-8")
    with pytest.raises(InvalidProject) as caught:
        load_project(tmp_path)
    assert caught.value.problems[0].file == "tasks/a\\xff.md"
    assert str(caught.value).encode()


# -- Markdown -------------------------------------------------------------------------------------------------------


def test_the_body_is_the_description_as_it_stands(tmp_path: Path) -> None:
    lay_out(tmp_path, {"tasks/a.md": "---\npriority: High\n---\n\n  \n  indented\n\n---\n\ttab  \n\n \n"})
    task = load_project(tmp_path).tasks[0]
    assert task.description == "  indented\n\n---\n\ttab  "
    assert (task.id, task.title, task.name, task.priority) == ("a", "", "a", Priority.HIGH)


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("# One #\n# Two\n", "One"),
        ("words\n\n  # Below  \n", "Below"),
        ("```sh\n# a comment\n```\n# Real\n", "Real"),
        ("~~~\n```\n# no\n~~~\n# Yes\n", "Yes"),
        ("## Smaller\n#hashtag\n", ""),
        ("---\ntitle: Given\n---\n# Heading\n", "Given"),
        ("---\ntitle:\n---\n# Heading\n", "Heading"),
        ("---\n...\n# Heading\n", "Heading"),
    ],
)
def test_the_title_falls_back_to_the_first_heading(tmp_path: Path, text: str, title: str) -> None:
    lay_out(tmp_path, {"tasks/a.md": text})
    assert load_project(tmp_path).tasks[0].title == title


def test_windows_line_ends_and_byte_order_marks_are_no_part_of_the_text(tmp_path: Path) -> None:
    lay_out(tmp_path, {"tasks/a.md": "\ufeff\r\n--- \r\nid: x\r\n---\r\nmake\r\nmake test\r\n"})
    project = load_project(tmp_path)
    assert (project.tasks[0].id, project.tasks[0].description) == ("x", "make\nmake test")
    assert project.places == {"x": ("tasks/a.md", 3)}


def test_a_description_in_the_front_matter_comes_before_the_body(tmp_path: Path) -> None:
    lay_out(tmp_path, {"tasks/a.md": "---\ndescription: First.\n---\n\nSecond.\n"})
    assert load_project(tmp_path).tasks[0].description == "First.\n\nSecond."


def test_nothing_behind_a_key_is_the_same_as_no_key(tmp_path: Path) -> None:
    text = "id:\ntitle: null\ntimeout: ~\nlabels:\nenv:\nretry: {max: , backoff: {initial: }}\npriority:\n"
    lay_out(tmp_path, {"tasks/a.yaml": text, "orchestration.yaml": "pools:\nagents:\ntasks:\nname:\n"})
    task = load_project(tmp_path).tasks[0]
    assert (task.id, task.title, task.timeout, task.labels, task.env) == ("a", "", None, (), {})
    assert task.retry == RetryPolicy()


# -- YAML that trips people -----------------------------------------------------------------------------------------


def test_text_that_looks_like_something_else_stays_what_was_written(tmp_path: Path) -> None:
    text = """\
id: 007
title: 2024-01-01
phase: 1.10
labels: [1.50, 0x1F, no, 1:30, 1e3]
env: {PORT: 8080, VERSION: 1.20, ANSWER: no, ON: on}
retry: {max: 2, on: [timeout], backoff: 1.5}
timeout: 1e2
metadata: {rate: 1.50, big: 12345678901234567890, list: [1e3, {x: +5}]}
x-mine: 1.50
"""
    lay_out(tmp_path, {"tasks/a.yaml": text})
    task = load_project(tmp_path).tasks[0]
    assert (task.id, task.title, task.phase) == ("007", "2024-01-01", "1.10")
    assert task.labels == ("1.50", "0x1F", "no", "1:30", "1e3")
    assert task.env == {"PORT": "8080", "VERSION": "1.20", "ANSWER": "no", "ON": "on"}
    assert task.retry is not None
    assert (task.retry.on, task.retry.backoff.initial, task.timeout) == ((Failure.TIMEOUT,), 1.5, 100.0)
    assert task.metadata == {"rate": 1.5, "big": "12345678901234567890", "list": [1000.0, {"x": 5}]}
    assert task.model_extra == {"x-mine": 1.5}


def test_settings_keep_text_as_text_and_numbers_as_numbers(tmp_path: Path) -> None:
    text = "name: 1.10\nparameters: {rate: 1.50, on: yes}\nenv: {A: 1.50}\nagents:\n  x: {kind: shell, enabled: no}\n"
    lay_out(tmp_path, {"orchestration.yaml": text})
    settings = load_project(tmp_path).settings
    assert (settings.name, settings.parameters, settings.env) == ("1.10", {"rate": 1.5, "on": "yes"}, {"A": "1.50"})
    assert not settings.agents["x"].enabled


def test_tasks_come_in_any_order_and_know_where_they_stand(tmp_path: Path) -> None:
    lay_out(
        tmp_path,
        {"tasks/a.yaml": "# first\n- title: c\n  id: c\n  depends_on: b\n- id: b\n  dependencies: [a, a]\n- id: a\n"},
    )
    project = load_project(tmp_path)
    assert project.places == {"c": ("tasks/a.yaml", 3), "b": ("tasks/a.yaml", 5), "a": ("tasks/a.yaml", 7)}
    assert [project.graph.ids[i] for i in project.graph.order] == ["a", "b", "c"]
    assert [task.id for task in project.tasks] == ["c", "b", "a"]


# -- warnings -------------------------------------------------------------------------------------------------------


def test_unknown_keys_are_kept_and_the_nearest_known_key_is_named(tmp_path: Path) -> None:
    files = {
        "tasks/a.yaml": "id: a\ndependson: []\nretry: {max: 2, onn: [], backoff: {factr: 2}}\nname: x\nx-own: 1\n",
        "orchestration.yaml": "maxconcurrent: 4\nretry: {jiter: 0}\nagents:\n  x:\n    kind: shell\n    comand: ls\n",
    }
    assert warnings(tmp_path, files) == [
        "orchestration.yaml:1: unknown key 'maxconcurrent' (did you mean max_concurrent?)",
        "orchestration.yaml:2: unknown key 'jiter' in retry (did you mean jitter?)",
        "orchestration.yaml:6: unknown key 'comand' in agents.x (did you mean command?)",
        "tasks/a.yaml:2: unknown key 'dependson' (did you mean depends_on?)",
        "tasks/a.yaml:3: unknown key 'onn' in retry (did you mean on?)",
        "tasks/a.yaml:3: unknown key 'factr' in retry.backoff (did you mean factor?)",
        "tasks/a.yaml:4: unknown key 'name' (did you mean title?)",
    ]
    extra = load_project(tmp_path).tasks[0].model_extra
    assert extra == {"dependson": [], "name": "x", "x-own": 1}


def test_a_key_that_resembles_nothing_is_warned_about_too(tmp_path: Path) -> None:
    found = warnings(tmp_path, {"tasks/a.yaml": "id: a\nzzz: 1\n"})
    assert found == ["tasks/a.yaml:2: unknown key 'zzz' (it is kept, but nothing reads it)"]


def test_one_mistake_in_many_files_is_not_said_for_each(tmp_path: Path) -> None:
    found = warnings(tmp_path, {f"tasks/{i}.yaml": f"id: t{i}\nowner: me\n" for i in range(30)})
    assert len(found) == 10
    assert found[-1].startswith("tasks/9.yaml:2: unknown key 'owner' (and 20 times more)")


def test_what_this_version_does_not_do_is_said(tmp_path: Path) -> None:
    text = "id: a\nmerge: squash\ncache: true\nworkspace: shared\n"
    files = {"tasks/a.yaml": text}
    hint = "(leave it out, or keep it for a later version)"
    assert warnings(tmp_path, files) == [
        f"tasks/a.yaml:{i}: `{name}` changes nothing in this version {hint}"
        for i, name in enumerate(("merge", "cache"), start=2)
    ]


def test_suspicious_things_are_warned_about(tmp_path: Path) -> None:
    files = {
        "orchestration.yaml": "default_agent: x\nagents:\n  x: {kind: shell, enabled: false}\n",
        "orchestration.yml": "",
        "tasks/a.yaml": "# nothing here\n",
        "tasks/b.md": "\n\n",
        "tasks/c.yaml": "tasks: []\nversion: 1\n",
        "tasks/d.yaml": "[{id: D}, {id: d}]",
    }
    twins = (
        "tasks/d.yaml:1: the id d differs from D (tasks/d.yaml:1) only in upper and lower case "
        "(on some file systems their folders would be one; change one of them)"
    )
    assert warnings(tmp_path, files) == [
        "orchestration.yaml:1: default_agent 'x' is disabled (enable it, or name another one)",
        "orchestration.yml: is not read; the settings are in orchestration.yaml (rename it to orchestration.yaml)",
        "tasks/a.yaml: there is no task in this file (write one, or remove the file)",
        "tasks/b.md: there is no task in this file (write one, or remove the file)",
        "tasks/c.yaml: there is no task in this file (write one, or remove the file)",
        "tasks/c.yaml:2: unknown key 'version' (only `tasks:` is read in a file that has it)",
        twins,
    ]


def test_the_text_of_a_shell_task_is_no_template_but_that_of_others_is(tmp_path: Path) -> None:
    lay_out(tmp_path, {"tasks/a.md": "---\nagent: shell\n---\ndocker inspect -f '{{ .State }}'\n"})
    assert len(load_project(tmp_path).tasks) == 1
    lay_out(tmp_path, {"tasks/b.md": "---\nagent: interactive\n---\nLook at {{ .State }}\n"})
    with pytest.raises(InvalidProject, match="description: "):
        load_project(tmp_path)


# -- what holds besides ---------------------------------------------------------------------------------------------


def test_without_checks_what_is_right_is_loaded_and_what_is_wrong_is_listed(tmp_path: Path) -> None:
    tasks = ["{id: a, depends_on: b}", "{id: b, depends_on: [a, c, x]}", "{id: c, agent: x}", "{id: d, priority: x}"]
    lay_out(tmp_path, {"tasks/a.yaml": "\n".join(["tasks:", *(f"- {task}" for task in tasks)])})
    project = load_project(tmp_path, check=False)
    assert [task.id for task in project.tasks] == ["a", "b", "c"]
    assert [problem.line for problem in project.problems] == [2, 3, 4, 5]
    assert len(project.graph.order) == 3


def test_garbage_collection_is_as_it_was_before_also_after_an_error(tmp_path: Path) -> None:
    lay_out(tmp_path, {"tasks/a.yaml": "id: [\n"})
    for switch, expected in ((gc.disable, False), (gc.enable, True)):
        switch()
        with pytest.raises(InvalidProject):
            load_project(tmp_path)
        assert gc.isenabled() is expected


def test_one_problem_is_the_error_itself_and_several_are_counted(tmp_path: Path) -> None:
    lay_out(tmp_path, {"tasks/a.yaml": "id: a\npriority: hig\n"})
    with pytest.raises(InvalidProject) as caught:
        load_project(tmp_path)
    assert (caught.value.file, caught.value.line, caught.value.hint) == ("tasks/a.yaml", 2, "did you mean high?")
    lay_out(tmp_path, {"tasks/b.yaml": "id: b\ntimeout: x\n"})
    with pytest.raises(InvalidProject, match=r"2 problems in 2 files, first at tasks/a\.yaml:2: priority") as caught:
        load_project(tmp_path)
    assert "orch validate" in (caught.value.hint or "")


def test_a_shell_task_that_has_nothing_to_run_is_warned_about(tmp_path: Path) -> None:
    files: dict[str, Entry] = {
        "orchestration.yaml": "agents: {cheap: {kind: shell, command: 'true'}}\n",
        "tasks/a.yaml": "tasks:\n- {id: a, agent: shell}\n- {id: b, agent: cheap}\n- {id: c}\n",
    }
    assert warnings(tmp_path, files) == [
        (
            "tasks/a.yaml:2: there is nothing to run: the agent shell has no command, and there is no description "
            "(write the command as the task's description)"
        )
    ]


@pytest.mark.slow
def test_ten_thousand_files_and_ten_thousand_mistakes_are_no_trouble(tmp_path: Path) -> None:
    folder = tmp_path / "tasks"
    folder.mkdir()
    for i in range(10_000):
        needs = f"[T-{i - 1}]" if i else "[]"
        (folder / f"T-{i}.yaml").write_text(f"title: Task {i}\nagent: shell\ndepends_on: {needs}\n", encoding="utf-8")
    project = load_project(tmp_path)
    assert [task.id for task in project.tasks] == [f"T-{i}" for i in range(10_000)]
    assert list(project.graph.order) == list(range(10_000))
    for i in range(10_000):
        (folder / f"T-{i}.yaml").write_text(f"titel: x\ndepends_on: gone-{i}\npriority: x\n", encoding="utf-8")
    with pytest.raises(InvalidProject) as caught:
        load_project(tmp_path)
    assert len(caught.value.problems) == 2 * 10_000


def test_tasks_share_what_they_have_in_common_and_a_changed_copy_is_its_own(tmp_path: Path) -> None:
    lines = "".join(f"  - {{id: {name}, agent: interactive}}\n" for name in "AB")
    lay_out(tmp_path, {"tasks/all.yaml": f"tasks:\n{lines}  - {{id: C, agent: interactive, owner: me}}\n"})
    a, b, c = load_project(tmp_path).tasks
    assert a.model_fields_set is b.model_fields_set
    assert a.agent is b.agent is c.agent
    assert (a.model_extra, b.model_extra, c.model_extra) == ({}, {}, {"owner": "me"})
    mine = a.model_copy(update={"title": "T", "mine": 1})
    assert (mine.model_fields_set, mine.model_extra) == ({"id", "agent", "title", "mine"}, {"mine": 1})
    assert (b.model_fields_set, b.model_extra) == ({"id", "agent"}, {})
