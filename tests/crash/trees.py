"""Backlogs of tricksters, one task for each trick and one project for each kind of agent; and who of them lives.

A process of a trick is known by its own mark among its arguments, or by the marker of a run in its environment; most
have both, and none can get rid of both.
"""

import os
import signal
import sys
import time
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from tests.cli.project import Project
from tests.crash.sudden import marked
from tests.crash.trickster import TRICKS
from tests.world.processes import all_pids, is_living, read

TRICKSTER: Final = Path(__file__).with_name("trickster.py")
KINDS: Final = ("shell", "script", "python", "cli")
GRACE: Final = 0.5
ALL: Final = "run-batch", "--max-concurrent", str(len(TRICKS))

ADAPTER: Final = """
description: a trickster
program: {program}
prompt: {{channel: stdin}}
arguments: ["{{args}}"]
output: {{format: text}}
session: {{resume: false}}
end: process
answer_is: optional
"""
PLAY: Final = """
import subprocess, sys

def play(argv: list[str]) -> dict[str, int]:
    return {"code": subprocess.run(argv).returncode}
"""


@dataclass(frozen=True, slots=True)
class Grove:
    """A project of tricksters of one kind."""

    project: Project
    mark: str

    @property
    def ready(self) -> Path:
        """A line for each trick whose processes are all there."""
        return self.project.root / "ready"

    def left(self, trick: str = "") -> list[str]:
        """Living processes of a trick, or of all and of everything else that the runs have started."""
        mark = f"{self.mark}:{trick}".encode()
        own = {} if trick else dict.fromkeys(marked(self.project.root), "by the marker of a run")
        found = own | {pid: "by its arguments" for pid in all_pids() if mark in read(pid, "cmdline")}
        return [
            f"{pid} ({how}): {read(pid, 'cmdline').replace(bytes(1), b' ').decode()[-90:]}"
            for pid, how in found.items()
            if is_living(pid)
        ]

    def left_after(self, seconds: float) -> list[str]:
        """Whoever still lives when so much time has passed, or all are gone."""
        end = time.monotonic() + seconds
        while (alive := self.left()) and time.monotonic() < end:
            time.sleep(0.02)
        return alive

    def supervisors(self) -> list[int]:
        """The supervisors of its tricks."""
        commands = {pid: read(pid, "cmdline") for pid in all_pids()}
        return [
            pid for pid, words in commands.items() if b"supervisor/__main__.py" in words and self.mark.encode() in words
        ]

    def end_all(self) -> None:
        """Kill whoever is left, for a test that has failed."""
        for pid in all_pids():
            if self.mark.encode() in read(pid, "cmdline"):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def plant(project: Project, kind: str, then: str, **fields: object) -> Grove:
    """Write a backlog with every trick, done by agents of a kind; the first process of each ends or stays."""
    grove = Grove(project, uuid.uuid4().hex)
    settings: dict[str, Any] = {"kill_grace": GRACE, "agents": {}}
    tasks = []
    for trick in TRICKS:
        words = [str(TRICKSTER), trick, f"{grove.mark}:{trick}", str(grove.ready), then]
        agent, task = _of_kind(kind, trick, words)
        settings["agents"] |= agent
        tasks.append({"id": trick, "description": "play", **task, **fields})
    project.write("agents/trickster.yaml", ADAPTER.format(program=sys.executable))
    project.write("work.py", PLAY)
    project.settings(yaml.safe_dump(settings))
    project.write("tasks/all.yaml", yaml.safe_dump({"tasks": tasks}))
    return grove


def _of_kind(kind: str, trick: str, words: Sequence[str]) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The agent that plays a trick, if it needs one of its own, and the fields of the task."""
    argv = [sys.executable, "-I", "-S", *words]
    if kind == "shell":
        return {}, {"agent": "shell", "description": " ".join(f"'{word}'" for word in argv)}
    if kind == "script":
        return {f"by-{trick}": {"kind": "script", "command": argv}}, {"agent": f"by-{trick}"}
    if kind == "python":
        return {"by": {"kind": "python", "function": "work:play"}}, {"agent": "by", "inputs": {"argv": argv}}
    args = ["-I", "-S", *words]
    return {f"by-{trick}": {"kind": "cli", "adapter": "agents/trickster.yaml", "args": args}}, {"agent": f"by-{trick}"}
