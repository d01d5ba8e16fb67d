"""Commands that print secrets: what they start ends as everything does that an attempt starts."""

import time

import pytest

from tests.cli.project import PATIENCE, Project
from tests.world.processes import is_living, linux_only

pytestmark = [pytest.mark.slow, linux_only]

DAEMON = """
setsid sh -c 'trap "" TERM; echo $$ > pid; exec sleep 60' > /dev/null 2>&1 &
while ! test -s pid; do sleep 0.01; done
"""


def secret(project: Project, rest: str) -> None:
    project.settings("secrets: {TOKEN: {command: sh ./secret}}\n")
    project.write("secret", DAEMON + rest)
    project.shell("A", 'test "$TOKEN" = word', secrets=["TOKEN"], kill_grace=0.2)


def test_what_the_command_of_a_secret_leaves_behind_is_ended(project: Project) -> None:
    secret(project, "echo word")
    done = project.orch("run-batch")
    assert done.code == 0, done.err
    assert not is_living(project.pid())


def test_a_cancelled_task_leaves_no_command_of_a_secret(project: Project) -> None:
    secret(project, "sleep 60")
    with project.start("run-batch") as running:
        pid = project.pid()
        cancelled = project.orch("cancel", "A")
        assert not is_living(pid)
        assert cancelled.code == 0, cancelled.err
        assert running.wait(PATIENCE) == 1


def test_the_command_of_a_secret_ends_with_orch(project: Project) -> None:
    secret(project, "sleep 60")
    with project.start("run-batch") as running:
        pid = project.pid()
        running.kill()
        running.wait(PATIENCE)
    end = time.monotonic() + PATIENCE / 2
    while is_living(pid) and time.monotonic() < end:
        time.sleep(0.02)
    assert not is_living(pid)
