"""What is left after a process was killed, raced by another, or failed by its disk: all that was acknowledged."""

import asyncio
import shutil
import signal
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from orchestration.store.sqlite import SqliteStore
from tests.world.store_children import PATIENCE, ROOT, child, child_command, run_child, said, tell
from tests.world.store_samples import opened, started

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / ".orchestration"


def is_whole(folder: Path) -> bool:
    with closing(sqlite3.connect(folder / "state.db")) as connection:
        return connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


@pytest.mark.parametrize("acknowledged", [1, 40, 400])
async def test_whatever_was_acknowledged_survives_a_kill(folder: Path, acknowledged: int) -> None:
    with child("append_for_ever", folder) as process:
        for _ in range(acknowledged):
            said(process)
        process.kill()
        rest, _ = process.communicate()
    last = int(rest.split()[-1]) if rest else 0
    assert is_whole(folder)
    store = SqliteStore(folder)
    events = await store.events("r")
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert len(events) >= max(last, 3 * acknowledged + 1)
    assert len(events) % 3 == 1  # each append is there whole or not at all
    assert len(await store.standings()) == sum(event.type == "task_completed" for event in events)
    await store.append("r", [started("r", len(events) + 1, "next")])
    await store.close()


async def test_two_processes_on_one_run_lose_nothing(folder: Path) -> None:
    store = SqliteStore(folder)
    await opened(store)
    with child("race", folder, 100) as one, child("race", folder, 100) as two:
        assert said(one) == said(two) == "ready"
        for process in (one, two):
            tell(process, "go")
        (first, _), (second, _) = one.communicate(), two.communicate()
        assert one.returncode == two.returncode == 0
    assert int(first) + int(second) > 0, "they never met"
    events = await store.events("r")
    assert [event.seq for event in events] == list(range(1, 202))
    await store.close()
    assert is_whole(folder)


def test_a_program_that_closes_nothing_ends_by_itself(folder: Path) -> None:
    run_child("leave", folder)
    assert is_whole(folder)


@pytest.fixture(scope="module")
def strace() -> list[str]:
    """A command that runs a program and does something to some of its system calls."""
    program = shutil.which("strace")
    command = [str(program), "-f", "-qq", "-o", "/dev/null"]
    if program is None or subprocess.run([*command, "true"], check=False, capture_output=True).returncode:
        pytest.skip("strace cannot be used here")
    return command


def test_a_sync_that_fails_ends_writing(folder: Path, strace: list[str]) -> None:
    calls = folder.with_name("calls")
    tracing = [*strace[:-1], str(calls), "-e", "trace=fdatasync", "-e", "inject=fdatasync:error=EIO:when=20+"]
    command = [*tracing, *child_command("append_until_it_fails", folder)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True, timeout=PATIENCE)
    *numbers, first, second = done.stdout.splitlines()
    synced = [line for line in calls.read_text().splitlines() if line.endswith("= 0")]  # each thread may do 19
    assert len(numbers) <= len(synced) <= 38, "something was acknowledged without a sync"
    assert first == second
    assert "disk reported an error" in first
    assert is_whole(folder)
    with closing(sqlite3.connect(folder / "state.db")) as connection:
        ((count,),) = connection.execute("SELECT max(seq) FROM events")
    assert count >= int(numbers[-1])


@pytest.mark.parametrize("moment", [1, 5, 8, 12, 14, 16, 19, 25, 40])
def test_any_write_or_sync_is_a_good_moment_to_die(folder: Path, strace: list[str], moment: int) -> None:
    calls = "fdatasync,fsync,pwrite64,ftruncate"
    tracing = [*strace, "-e", f"trace={calls}", "-e", f"inject={calls}:signal={signal.SIGKILL:d}:when={moment}"]
    command = [*tracing, *child_command("append_for_ever", folder)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False, timeout=PATIENCE)
    assert done.returncode
    acknowledged = int((done.stdout.split() or ["0"])[-1])
    with asyncio.Runner() as runner:
        store = SqliteStore(folder)
        count = len(runner.run(store.events("r")))
        assert count >= acknowledged
        if count == 0:
            runner.run(opened(store))
        runner.run(store.close())
    assert is_whole(folder)
