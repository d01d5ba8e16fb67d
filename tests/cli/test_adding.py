"""`orch add` refuses what would spoil the backlog, for one file that is wrong keeps all others from being run."""

import shlex
import subprocess
from collections.abc import Sequence

import pytest

from tests.cli.project import Project, command_line

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
