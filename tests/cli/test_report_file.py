"""`orch report -o FILE`: a file is replaced whole; what is no file, or leads to one, is written to and stays."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.cli.project import PATIENCE, Project, command_line

pytestmark = pytest.mark.slow


@pytest.fixture
def reported(project: Project) -> Project:
    project.shell("A", "true")
    assert project.orch("run-batch").code == 0
    return project


def test_a_file_gets_the_report(reported: Project) -> None:
    path = reported.write("report.md", "old")
    assert reported.orch("report", "-o", "report.md").code == 0
    assert path.read_text(encoding="utf-8").startswith("# Run ")
    assert [one.name for one in reported.root.iterdir() if "report" in one.name] == ["report.md"]


def test_a_link_stays_a_link(reported: Project) -> None:
    (reported.root / "latest.md").symlink_to("first.md")
    assert reported.orch("report", "-o", "latest.md").code == 0
    assert (reported.root / "latest.md").readlink() == Path("first.md")
    assert (reported.root / "first.md").read_text(encoding="utf-8").startswith("# Run ")


def test_whoever_reads_a_pipe_gets_the_report_and_the_pipe_stays(reported: Project) -> None:
    pipe = reported.root / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(
        command_line("report", "-o", "pipe"), cwd=reported.root, env=reported.environment, stderr=subprocess.DEVNULL
    ) as writing:
        reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
        assert writing.wait(PATIENCE) == 0
        with os.fdopen(reader, "rb") as file:
            assert file.read().startswith(b"# Run ")
    assert pipe.is_fifo()
