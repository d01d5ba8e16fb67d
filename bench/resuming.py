"""`orch resume` of a run that was killed when nearly all of its tasks had ended."""

import shutil
import sqlite3
import subprocess
import time
from contextlib import closing, suppress
from pathlib import Path

from bench.batches import make_backlog
from bench.measuring import Runner, median, rounds
from bench.reporting import Row

PATIENCE = 600.0
"""Seconds after which it is not waited any longer for the tasks."""

_LAST = "  - {id: last, agent: last}\n"
_WAITS = "  last: {kind: shell, command: sh -c 'test -e go || exec sleep 900'}\n"


def _ended(state: Path) -> int:
    with suppress(sqlite3.Error), closing(sqlite3.connect(f"file:{state}?mode=ro", uri=True)) as connection:
        (found,) = connection.execute("SELECT count(*) FROM events WHERE type = 'task_completed'").fetchone()
        return int(found)
    return 0


def _interrupted(orch: str, folder: Path, count: int) -> Path:
    """A project whose run was killed in its last task, and a copy of the state that it left."""
    project = make_backlog(folder, count)
    with (project / "orchestration.yaml").open("a") as settings:
        settings.write(_WAITS)
    with (project / "tasks" / "all.yaml").open("a") as tasks:
        tasks.write(_LAST)
    run = subprocess.Popen([orch, "-C", str(project), "--quiet", "run-batch", "--max-concurrent", "4"])
    deadline = time.monotonic() + PATIENCE
    while _ended(project / ".orchestration" / "state.db") < count:
        if run.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError("the run that is to be resumed did not come so far")
        time.sleep(0.2)
    run.kill()
    run.wait()
    (project / "go").touch()
    shutil.copytree(project / ".orchestration", project / "left")
    return project


def resuming(orch: str, folder: Path, count: int, times: int) -> list[Row]:
    """A row for the whole command, which reads the backlog, what has happened, and does the last task."""
    project = _interrupted(orch, folder / f"resume-{count}", count)
    state = project / ".orchestration"

    def put_back() -> None:
        shutil.rmtree(state)
        shutil.copytree(project / "left", state)

    costs = rounds([Runner("orch", [orch, "-C", str(project), "--quiet", "resume"], prepare=put_back)], times)
    return [Row(f"resume of a run with {count:,} finished tasks", median(costs["orch"], "wall"), "s", goal="≤ 1.5")]
