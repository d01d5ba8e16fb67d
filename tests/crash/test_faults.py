"""A disk that is full, fails, or cannot sync, met by the real command at a moment of the test's choice.

strace has a system call of `orch` itself fail, from its so-many-th use on (children are let go when they become another
program). Whatever the command makes of it: it says what is wrong and what to do, nothing that it told is lost, and on a
disk that has been mended the same command goes on to the end.
"""

import json
import os
import shutil
import sqlite3
import subprocess
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import pytest

from orchestration.store.backup import back_up
from orchestration.store.sqlite import SqliteStore
from tests.cli.project import PATIENCE, Project, command_line
from tests.world.store_children import child_command, run_child
from tests.world.store_samples import many, opened

pytestmark = pytest.mark.slow

ROOT: Final = Path(__file__).resolve().parent.parent.parent
TASKS: Final = ("A", "B", "C")
ENDS: Final = ("task_completed", "task_error", "task_cancelled", "attempt_interrupted")
REMEDIES: Final = {"ENOSPC": "space", "EIO": "check the disk"}
POINTS: Final = (
    *(("fdatasync", "EIO", number) for number in (1, 2, 9)),
    *(("fsync", "EIO", number) for number in (1, 2)),
    *(("pwrite64", "ENOSPC", number) for number in (1, 12, 30)),
    ("pwrite64", "EIO", 2),
    ("mkdir", "ENOSPC", 1),
    ("ftruncate", "EIO", 1),
)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Three tasks, one after the other, each of which notes that it was done."""
    made = Project(tmp_path / "project", {"PYTHONPATH": str(ROOT)})
    made.root.mkdir()
    made.settings()
    for task, needs in zip(TASKS, ((), ("A",), ("B",)), strict=True):
        made.shell(task, f"echo {task} >> done.log; echo by={task} >> $ORCH_OUTPUT", *needs)
    return made


@pytest.fixture(scope="module")
def strace() -> list[str]:
    """A command that runs a program and has some of its system calls fail."""
    program = shutil.which("strace")
    command = [str(program), "-f", "-b", "execve", "-qq", "-o", os.devnull]
    trial = [*command, "-e", "inject=fsync:error=EIO:when=99", "true"]
    if program is None or subprocess.run(trial, check=False, capture_output=True, timeout=PATIENCE).returncode:
        pytest.skip("strace cannot be used here")
    return command


def events_of(project: Project) -> list[Mapping[str, Any]]:
    """All stored events, from a file that must be whole."""
    path = project.root / ".orchestration/state.db"
    if not path.exists():
        return []
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        tables = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'events'").fetchall()
        rows = connection.execute("SELECT body FROM events ORDER BY run_id, seq").fetchall() if tables else []
    return [json.loads(body) for (body,) in rows]


def check(events: list[Mapping[str, Any]]) -> None:
    """Numbers without a gap, and one outcome for each attempt."""
    for run in {event["run_id"] for event in events}:
        numbers = [event["seq"] for event in events if event["run_id"] == run]
        assert numbers == list(range(1, len(numbers) + 1))
    ends = Counter((event["run_id"], event["task_id"], event["attempt"]) for event in events if event["type"] in ENDS)
    assert set(ends.values()) <= {1}


def told_by(output: bytes) -> list[Mapping[str, Any]]:
    """The stored events that were told of, line by line."""
    return [event for line in output.splitlines() if "seq" in (event := json.loads(line))]


@pytest.mark.parametrize(("call", "error", "number"), POINTS, ids=str)
def test_a_fault_of_the_disk_is_told_loses_nothing_and_is_got_over(
    project: Project, strace: list[str], call: str, error: str, number: int
) -> None:
    done = subprocess.run(
        [
            *strace,
            *("-e", f"trace={call}", "-e", f"inject={call}:error={error}:when={number}+"),
            *command_line("run-batch", "--events"),
        ],
        cwd=project.root,
        env=project.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )
    said = done.stderr.decode(errors="replace").strip().splitlines()
    told = told_by(done.stdout)
    ended = bool(told) and told[-1]["type"] == "run_completed"
    assert done.returncode in ({0} if ended else {1}), said
    if not ended:
        assert REMEDIES[error] in said[-1]
        assert "internal error" not in said[-1]
    stored = events_of(project)
    check(stored)
    assert all(event in stored for event in told), "something was told that is not on the disk"

    again = project.orch("run-batch", "--json")
    assert again.code == 0, again.err
    stored = events_of(project)
    check(stored)
    assert all(event in stored for event in told)
    wins = Counter(event["task_id"] for event in stored if event["type"] == "task_completed")
    assert set(wins) == set(TASKS)
    finished = {event["task_id"] for event in told if event["type"] == "task_completed"}
    deeds = Counter((project.root / "done.log").read_text(encoding="utf-8").split())
    assert all(deeds[task] == 1 for task in finished), "what was told as finished was done again"


# -- a restore that dies ----------------------------------------------------------------------------------------------

DEATHS: Final = (
    *(("fsync", number) for number in (2, 4, 5, 6)),
    *(("fdatasync", number) for number in (8, 14)),
    *(("unlink", number) for number in (3, 5, 7)),
    *(("pwrite64", number) for number in (20, 60)),
    ("link", 1),
    ("rename", 1),
)


def numbers_in(file: Path) -> list[int]:
    """The numbers of the events in a file that must be whole."""
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return [seq for (seq,) in connection.execute("SELECT seq FROM events ORDER BY seq")]


@pytest.fixture
async def interrupted(tmp_path: Path) -> tuple[Path, Path]:
    """The state folder of a run that died, with a log that holds most of it; and a backup from before."""
    store = SqliteStore(tmp_path / "live")
    await opened(store)
    made = back_up(tmp_path / "live", tmp_path / "backup.db")
    await store.append("r", many("r", 20, first=2))
    folder = tmp_path / ".orchestration"
    shutil.copytree(tmp_path / "live", folder, ignore=shutil.ignore_patterns("*-shm"))
    await store.close()
    return folder, made.file


@pytest.mark.parametrize(("call", "number"), DEATHS, ids=str)
def test_a_restore_that_dies_leaves_the_one_state_or_the_other(
    interrupted: tuple[Path, Path], strace: list[str], call: str, number: int
) -> None:
    folder, file = interrupted
    inject = ("-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when={number}")
    command = [*strace, *inject, *child_command("put_back", folder, file)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=PATIENCE, check=False)
    found = numbers_in(folder / "state.db")
    old, new = list(range(1, 22)), [1]
    assert found in ([new] if done.returncode == 0 else [old, new])
    if found == new:
        assert [numbers_in(kept) for kept in (folder / "backups").iterdir() if kept.suffix == ".db"] == [old]
    assert numbers_in(file) == new
    run_child("put_back", folder, file)
    assert numbers_in(folder / "state.db") == new
