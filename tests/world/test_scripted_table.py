"""Every trick of the scripted agent under every policy, by `orch run-batch` as users call it.

One run for each exit code that is expected: all tasks in it must come to their cell of the table in `scripted_rows`,
the run must end with that code, no process may be left, and the secret that some tricks tell may stand in no file.
"""

import json
import os
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestration.scripted import TRICKS
from orchestration.scripted.tricks import SECRET as SECRET_NAME
from tests.cli.project import command_line
from tests.world.processes import MARKER_NAME, ROOT, all_pids, is_living, linux_only, read
from tests.world.scripted import SECRET, is_there
from tests.world.scripted_rows import CODES, LIMITED, POLICIES, ROWS

pytestmark = [linux_only, pytest.mark.slow]

LIMIT = 100.0  # seconds for a run: many times what it takes


def tasks_for(code: int) -> dict[str, str]:
    """The tasks whose cell belongs to the exit code: id → cell."""
    return {
        f"{policy}.{trick}": cell
        for trick, cells in ROWS.items()
        for policy, cell in zip(POLICIES, cells, strict=True)
        if CODES.get(cell.partition("/")[0], 1) == code
    }


def script_of(trick: str) -> list[Any]:
    """The trick; one that never comes out of its limit has one that outlasts the run, however long that takes."""
    return [lasting(step) for step in TRICKS[trick]] if trick in LIMITED else [{"trick": trick}]


def lasting(step: Any) -> Any:  # noqa: ANN401  # a step as it stands in a script
    """A step whose limit, if it tells until when it holds, holds for an hour."""
    match step:
        case {"rate_limit": {"reset": _, **more}}:
            return {"rate_limit": {"reset": 3600, **more}}
        case {"rate_limit": _}:
            return {"rate_limit": 3600}
    return step


def write_project(root: Path, tasks: Mapping[str, str]) -> None:
    (root / "tasks").mkdir(parents=True)
    agents = {
        trick: {"kind": "scripted", "script": [{"lifetime": 60}, *script_of(trick)], "secrets": [SECRET_NAME]}
        for trick in TRICKS
    }
    limited = [task_id for task_id in tasks if task_id.partition(".")[2] in LIMITED]
    settings = {
        "kill_grace": 0.3,
        "agents": agents,
        "accounts": {task_id: {"max_wait": 0} for task_id in limited},
        "secrets": {SECRET_NAME: {"env": SECRET_NAME}},
    }
    written = []
    for task_id in tasks:
        policy, _, trick = task_id.partition(".")
        account = {"account": task_id} if task_id in limited else {}
        written.append({"id": task_id, "agent": trick, "description": "Do it.", **POLICIES[policy], **account})
    (root / "orchestration.yaml").write_text(yaml.safe_dump(settings))
    (root / "tasks" / "all.yaml").write_text(yaml.safe_dump({"tasks": written}))


def run(root: Path) -> tuple[int, dict[str, Any]]:
    """Run the whole backlog, and return its exit code and its data."""
    done = subprocess.run(
        command_line("run-batch", "--max-concurrent", "8", "--json"),
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(ROOT), SECRET_NAME: SECRET},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=LIMIT,
        check=False,
    )
    (root / "printed").write_bytes(done.stdout + done.stderr)
    data: dict[str, Any] = json.loads(done.stdout)["data"]
    return done.returncode, data


def cell_of(result: Mapping[str, Any]) -> str:
    """What came of a task, as the table has it: its failure or its state, and its attempts if there were several."""
    attempts = len(result["attempts"])
    return str(result["failure"] or result["status"]) + (f"/{attempts}" if attempts != 1 else "")


def left_of(run_id: str) -> list[str]:
    """The processes that belong to an attempt of the run."""
    mark = f"{MARKER_NAME}={run_id}/".encode()
    return [
        f"{pid} {read(pid, 'cmdline').decode()}"
        for pid in all_pids()
        if mark in read(pid, "environ") and is_living(pid)
    ]


@pytest.mark.parametrize("code", sorted({*CODES.values(), 1}))
def test_every_trick_comes_to_its_end_under_every_policy(tmp_path: Path, code: int) -> None:
    tasks = tasks_for(code)
    write_project(tmp_path, tasks)
    ended, data = run(tmp_path)
    assert {result["task_id"]: cell_of(result) for result in data["results"]} == tasks
    assert ended == code
    assert left_of(data["run_id"]) == []
    names = [str(path) for path in tmp_path.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]
    assert names == []


def test_a_deaf_daemon_that_carries_no_marker_is_ended_too(tmp_path: Path) -> None:
    leave = {"leave": {"how": "daemon", "deaf": True, "unmarked": True, "seconds": 10, "pids": "pids"}}
    agent = {"kind": "scripted", "script": [{"lifetime": 60}, leave, leave, "final"]}
    (tmp_path / "tasks").mkdir()
    (tmp_path / "orchestration.yaml").write_text(yaml.safe_dump({"kill_grace": 0.3, "agents": {"leaver": agent}}))
    (tmp_path / "tasks" / "all.yaml").write_text(yaml.safe_dump({"tasks": [{"id": "A", "agent": "leaver"}]}))
    ended, _ = run(tmp_path)
    pids = [int(line) for line in (tmp_path / "pids").read_text().split()]
    left = [pid for pid in pids if is_there(pid)]
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert (ended, len(pids), left) == (0, 2, [])


def test_the_table_has_a_row_for_every_trick() -> None:
    assert list(ROWS) == list(TRICKS)
