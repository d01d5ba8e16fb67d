"""`orch add` refuses what would spoil the backlog, for one file that is wrong keeps all others from being run."""

import json
import shlex
import subprocess
from collections.abc import Sequence

import pytest

from tests.cli.project import PATIENCE, Project, command_line

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["  "], "the title is empty"),
        ([b"\xff"], "bytes that are no text"),
        (["x", "-a", "writer", "-d", "{{ open"], "description: {{ open"),
        (["x", "-d", "-"], "standard input is not UTF-8 at byte 1"),
    ],
)
def test_what_would_spoil_the_backlog_is_not_added(project: Project, arguments: Sequence[str], said: str) -> None:
    project.settings("agents: {writer: {kind: interactive}}")
    done = subprocess.run(
        [*command_line("add"), *arguments],
        input=b"a\xff",
        cwd=project.root,
        env=project.environment,
        capture_output=True,
        check=False,
    )
    assert (done.returncode, said in done.stderr.decode()) == (2, True), done.stderr
    assert project.json("list")["tasks"] == []


def test_a_closed_standard_input_is_told(project: Project) -> None:
    line = f"{shlex.join(command_line('add', 'x', '-d', '-'))} <&-"
    done = subprocess.run(
        ["/bin/sh", "-c", line], cwd=project.root, env=project.environment, capture_output=True, check=False
    )
    assert (done.returncode, b"standard input is closed" in done.stderr) == (2, True), done.stderr
    assert project.json("list")["tasks"] == []


def test_several_who_add_at_once_each_get_a_number(project: Project) -> None:
    adding = [
        subprocess.Popen(
            command_line("add", f"task {n}", "--json"),
            cwd=project.root,
            env=project.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        for n in range(6)
    ]
    said = [one.communicate(timeout=PATIENCE)[0] for one in adding]
    assert [one.returncode for one in adding] == [0] * 6
    assert sorted(json.loads(out)["data"]["id"] for out in said) == [f"TASK-00{n}" for n in range(1, 7)]
    assert {task["title"] for task in project.json("list")["tasks"]} == {f"task {n}" for n in range(6)}


def test_a_number_that_is_named_is_not_exchanged(project: Project) -> None:
    project.write("tasks/TASK-007.md", "")
    done = project.orch("add", "mine", "--id", "TASK-007")
    assert (done.code, "exists already" in done.last) == (2, True)
