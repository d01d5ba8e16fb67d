"""Asking an agent program for its version: nothing of that outlives the attempt, whatever the program makes of it."""

import os
import time

import pytest

from tests.cli.project import PATIENCE, Project
from tests.world.processes import is_living, linux_only

pytestmark = [pytest.mark.slow, linux_only]

ADAPTER = """
program: [./heron]
version: {}
arguments: [[go]]
prompt: {channel: stdin}
events:
  - {is: said, match: {event: text}, show: text}
  - {is: ended, match: {event: end}, good_when: {status: ok}}
answer: {event: said, path: text}
"""

WORKS = """#!/bin/sh
echo '{"event": "text", "text": "hi"}'
echo '{"event": "end", "status": "ok"}'
"""

DAEMON = """#!/bin/sh
if test "$1" = --version; then
  setsid sh -c 'trap "" TERM; echo $$ > pid; exec sleep 60' > /dev/null 2>&1 &
  while ! test -s pid; do sleep 0.01; done
  echo 1.2.3
  exit
fi
"""

HANGS = """#!/bin/sh
trap '' TERM
if test "$1" = --version; then echo $$ > pid; exec sleep 60; fi
"""


def heron(project: Project, asked: str, **fields: object) -> None:
    project.settings("agents: {heron: {kind: cli, adapter: heron.yaml}}\n")
    project.write("heron.yaml", ADAPTER)
    project.write("heron", asked + WORKS.partition("\n")[2]).chmod(0o755)
    project.shell("A", "Please look.", agent="heron", **fields)


@pytest.mark.parametrize("arguments", [["execute-task", "A"], ["agents", "check", "heron"]])
def test_what_a_program_leaves_behind_when_it_is_asked_is_ended(project: Project, arguments: list[str]) -> None:
    heron(project, DAEMON)
    done = project.orch(*arguments, "--json")
    assert done.code == 0, done.err
    assert '"1.2.3"' in done.out
    assert not is_living(project.pid())


def test_a_cancelled_task_leaves_no_program_that_is_still_being_asked(project: Project) -> None:
    heron(project, HANGS)
    with project.start("run-batch") as running:
        pid = project.pid()
        cancelled = project.orch("cancel", "A")
        assert not is_living(pid)
        assert cancelled.code == 0, cancelled.err
        assert running.wait(PATIENCE) == 1


def test_a_program_that_is_being_asked_ends_with_orch(project: Project) -> None:
    heron(project, HANGS)
    with project.start("run-batch") as running:
        pid = project.pid()
        running.kill()
        running.wait(PATIENCE)
    end = time.monotonic() + PATIENCE / 2
    while is_living(pid) and time.monotonic() < end:
        time.sleep(0.02)
    ended = not is_living(pid)
    if not ended:
        os.kill(pid, 9)
    assert ended


def test_a_program_has_no_longer_for_its_version_than_for_its_task(project: Project) -> None:
    heron(project, HANGS, timeout=3)
    begun = time.monotonic()
    done = project.orch("execute-task", "A")
    assert done.code == 0, done.err
    assert time.monotonic() - begun < 20  # which a program has for its version where its task has no limit


def test_what_a_program_leaves_behind_is_found_though_its_supervisor_was_killed(project: Project) -> None:
    heron(project, DAEMON.replace("echo 1.2.3", "kill -9 $PPID; echo 1.2.3"))
    done = project.orch("execute-task", "A")
    assert done.code == 0, done.err
    assert not is_living(project.pid())


def test_a_program_whose_adapter_says_nothing_of_a_version_is_not_asked(project: Project) -> None:
    heron(project, "#!/bin/sh\necho x >> begun\n")
    project.write("heron.yaml", ADAPTER.replace("version: {}\n", ""))
    done = project.orch("execute-task", "A")
    assert done.code == 0, done.err
    checked = project.orch("agents", "check", "heron")
    assert checked.code == 0, checked.err
    assert "version" not in checked.out
    assert (project.root / "begun").read_text(encoding="ascii") == "x\n"
