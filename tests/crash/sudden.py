"""What the tests of sudden deaths share: an `orch` that is killed at a chosen moment, and a look at who is left."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from tests.cli.project import Project
from tests.world.processes import all_pids, is_living, read

PATIENCE = 20.0
"""Seconds within which everything that a killed run has started has to be gone."""


def wait_until(what: Callable[[], object], why: str) -> None:
    """Wait for something that no event tells of, such as the end of a process that is not our child."""
    end = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < end, why
        time.sleep(0.02)


def marked(folder: Path) -> list[int]:
    """Pids of living processes with the marker of any run of a project."""
    runs = folder / ".orchestration" / "runs"
    names = [path.name for path in runs.iterdir()] if runs.exists() else []
    beginnings = [f"ORCH_ATTEMPT_ID={name}/".encode() for name in names]
    return [
        pid
        for pid in all_pids()
        if any(item.startswith(one) for item in read(pid, "environ").split(b"\0") for one in beginnings)
        and is_living(pid)
    ]


def wardens_of(pid: int) -> list[int]:
    """The wardens that a process has started."""
    children = read(pid, f"task/{pid}/children").split()
    return [int(child) for child in children if b"warden" in read(int(child), "cmdline")]


def kill_when(project: Project, ready: Callable[[], object], *arguments: str, warden_too: bool = False) -> int:
    """Start `orch`, kill it with SIGKILL as soon as something is so; returns the pid that it had."""
    with project.start(*arguments) as process:
        wait_until(ready, "the run did not come that far")
        if warden_too:
            for warden in wardens_of(process.pid):
                os.kill(warden, signal.SIGKILL)
        process.kill()
        process.wait(PATIENCE)
    return process.pid


def has_lines(path: Path, count: int = 1) -> Callable[[], bool]:
    """Whether a file has so many lines by now."""
    return lambda: path.exists() and path.read_text(encoding="utf-8").count("\n") >= count


def events_of(project: Project, *arguments: str) -> list[str]:
    """The types of the newest run's events."""
    import json

    return [json.loads(line)["type"] for line in project.orch("events", *arguments).out.splitlines()]
