"""`cancel`, `retry` and `--force` from another terminal, when the run's owner is dead, dies meanwhile or is stopped.

Whatever they say has happened has happened: nothing of a cancelled task lives, and no task is done beside itself.
"""

import fcntl
import os
import signal
import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import pytest

from orchestration.protocols import Owner
from orchestration.store.owners import is_stopped
from tests.cli.project import Project
from tests.crash.checking import STATE, gaps, second_ends, stored_events
from tests.crash.sudden import PATIENCE, has_lines, kill_when, marked, wait_until, wardens_of
from tests.world.processes import is_living, linux_only

if TYPE_CHECKING:
    from collections.abc import Iterator
    from subprocess import Popen

pytestmark = [linux_only, pytest.mark.slow]

ONCE = "echo x >> {0}.log; [ $(wc -l < {0}.log) -ge 2 ] || setsid sh -c 'trap \"\" TERM; echo $$ >> pids; sleep 60'"
"""Hangs the first time, with somebody who is deaf, and is done at once the second."""


def hang(project: Project, task_id: str, *needs: str, **fields: object) -> None:
    project.shell(task_id, ONCE.format(task_id), *needs, **{"kill_grace": 0.3, **fields})


def run_of(project: Project) -> str:
    run: str = project.json("runs")[0]["run_id"]
    return run


def nobody_is_left(project: Project) -> bool:
    pids = [int(line) for line in (project.root / "pids").read_text().split()]
    return not marked(project.root) and not any(map(is_living, pids))


def stop_outside_of_a_commit(project: Project, process: "Popen[bytes]") -> bool:
    """Stop it, unless it is just writing its state: then nobody else could, and nothing could be asked of it."""
    process.send_signal(signal.SIGSTOP)
    wait_until(lambda: is_stopped(Owner(process.pid)), "it was not stopped")
    try:
        with (project.root / STATE).with_name("write.lock").open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        process.send_signal(signal.SIGCONT)
        return False
    return True


@contextmanager
def stopped(project: Project) -> "Iterator[Popen[bytes]]":
    """A run that somebody has stopped in the middle of task A."""
    with project.start("run-batch") as process:
        wait_until(has_lines(project.root / "pids"), "the task did not begin")
        wait_until(lambda: stop_outside_of_a_commit(project, process), "it was never found outside of a commit")
        yield process
        process.send_signal(signal.SIGCONT)


def test_what_is_asked_of_a_stopped_owner_is_not_said_to_be_done_and_happens_when_it_goes_on(project: Project) -> None:
    hang(project, "A")
    project.shell("B", "true")
    with stopped(project) as process:
        for arguments in (["cancel", "A"], ["cancel", run_of(project)]):
            done = project.orch(*arguments)
            assert (done.code, done.out) == (1, "")
            assert f"process {process.pid}, which is stopped" in done.last
            assert f"kill -CONT {process.pid}" in done.last
        assert f"process {process.pid}, which is stopped" in project.orch("status").out
        process.send_signal(signal.SIGCONT)
        assert process.wait(PATIENCE) == 1
    assert nobody_is_left(project)
    assert project.json("status")["counts"]["cancelled"] >= 1
    assert (project.root / "A.log").read_text() == "x\n"


def test_a_stopped_owner_that_is_killed_is_a_dead_one(project: Project) -> None:
    hang(project, "A")
    project.shell("B", "touch B.done", "A")
    with stopped(project) as process:
        assert project.orch("cancel", "A").code == 1
        process.kill()
        process.wait(PATIENCE)
    assert project.orch("cancel", "A").code == 0
    assert nobody_is_left(project)
    assert project.json("status")["tasks"][0]["status"] == "cancelled"
    assert project.orch("retry", "A").code == 0
    assert project.orch("run-batch").code == 0
    assert (project.root / "A.log").read_text() == "x\nx\n"


@pytest.mark.parametrize("target", ["A", "run"])
def test_an_owner_that_is_killed_while_it_cancels_is_followed_by_who_asked(project: Project, target: str) -> None:
    hang(project, "A", kill_grace=60)
    with project.start("run-batch") as process:
        wait_until(has_lines(project.root / "pids"), "the task did not begin")
        with project.start("cancel", "A" if target == "A" else run_of(project)) as asking:
            wait_until(lambda: is_asked(project), "nothing was asked")
            for warden in wardens_of(process.pid):
                os.kill(warden, signal.SIGKILL)
            process.kill()
            process.wait(PATIENCE)
            out, err = asking.communicate(timeout=PATIENCE)
            assert asking.returncode == 0, err
            assert b"cancelled 1 task: A" in out
    assert nobody_is_left(project)
    events = stored_events(project.root)
    assert not [*gaps(events), *second_ends(events)]


def is_asked(project: Project) -> bool:
    """Whether a command waits for its answer."""
    with closing(sqlite3.connect(project.root / STATE)) as connection:
        return bool(connection.execute("SELECT 1 FROM commands").fetchall())


def test_a_task_of_a_dead_run_may_be_retried_while_another_of_it_was_cut_off(project: Project) -> None:
    hang(project, "A")
    project.shell("B", "echo x >> B.log; [ -e mended ]")
    failed = has_lines(project.root / "B.log")
    kill_when(
        project,
        lambda: failed() and (project.root / "pids").exists() and project.json("status")["counts"].get("failed"),
        "run-batch",
    )
    project.write("mended", "")
    assert project.orch("retry", "B").code == 0
    assert project.orch("run-batch").code == 0
    assert (project.root / "A.log").read_text() == "x\nx\n"
    assert (project.root / "B.log").read_text() == "x\nx\n"
    assert nobody_is_left(project)
    assert len(project.json("runs")) == 1


@pytest.mark.parametrize("owner", ["dead", "stopped"])
def test_force_begins_only_when_what_the_other_run_does_is_dead(project: Project, owner: str) -> None:
    hang(project, "A")
    if owner == "dead":
        kill_when(project, has_lines(project.root / "pids"), "run-batch", warden_too=True)
        assert not nobody_is_left(project)
        assert project.orch("run-batch", "--force").code == 0
    else:
        with stopped(project) as process, project.start("run-batch", "--force") as forced:
            wait_until(lambda: len(project.json("runs")) == 2, "the forced run did not begin")
            assert (project.root / "A.log").read_text() == "x\n"
            process.kill()
            process.wait(PATIENCE)
            _, said = forced.communicate(timeout=PATIENCE)
            assert forced.returncode == 0
        assert f"process {process.pid}, which is stopped" in said.decode()
    assert (project.root / "A.log").read_text() == "x\nx\n"
    assert nobody_is_left(project)
