"""Commands that print secrets: what they start ends as everything does that an attempt starts."""

import sys
import time
from pathlib import Path

import pytest

from tests.cli.project import PATIENCE, Project

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="needs /proc and a subreaper")]

DAEMON = """
setsid sh -c 'trap "" TERM; echo $$ > pid; exec sleep 60' > /dev/null 2>&1 &
while ! test -s pid; do sleep 0.01; done
"""


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] != b"Z"
    except OSError:
        return False


def secret(project: Project, rest: str) -> None:
    project.settings("secrets: {TOKEN: {command: sh ./secret}}\n")
    project.write("secret", DAEMON + rest)
    project.shell("A", 'test "$TOKEN" = word', secrets=["TOKEN"], kill_grace=0.2)


def pid_of(project: Project) -> int:
    path = project.root / "pid"
    end = time.monotonic() + PATIENCE
    while not (path.exists() and path.read_text(encoding="ascii").endswith("\n")):
        assert time.monotonic() < end
        time.sleep(0.01)
    return int(path.read_text(encoding="ascii"))


def test_what_the_command_of_a_secret_leaves_behind_is_ended(project: Project) -> None:
    secret(project, "echo word")
    done = project.orch("run-batch")
    assert done.code == 0, done.err
    assert not is_alive(pid_of(project))


def test_a_cancelled_task_leaves_no_command_of_a_secret(project: Project) -> None:
    secret(project, "sleep 60")
    with project.start("run-batch") as running:
        pid = pid_of(project)
        cancelled = project.orch("cancel", "A")
        assert not is_alive(pid)
        assert cancelled.code == 0, cancelled.err
        assert running.wait(PATIENCE) == 1


def test_the_command_of_a_secret_ends_with_orch(project: Project) -> None:
    secret(project, "sleep 60")
    with project.start("run-batch") as running:
        pid = pid_of(project)
        running.kill()
        running.wait(PATIENCE)
    end = time.monotonic() + PATIENCE / 2
    while is_alive(pid) and time.monotonic() < end:
        time.sleep(0.02)
    assert not is_alive(pid)
