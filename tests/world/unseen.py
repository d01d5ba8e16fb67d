"""A project whose agent is `magpie`, a program that the project has never seen, and `orch` run in it for real."""

import json
import os
import select
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.cli.project import command_line
from tests.world.processes import MARKER_NAME, ROOT, all_pids, is_living, read

PATIENCE = 60.0  # seconds after which a run is taken to hang
HERE = Path(__file__).parent
Moves = Sequence[Mapping[str, Any]]

GOOD: Moves = ({"say": "All is done."}, {"close": "completed"})


@dataclass(slots=True)
class Unseen:
    """One project; `home` is the agent's, with its plays and its sessions."""

    root: Path
    home: Path
    tasks: list[dict[str, Any]] = field(default_factory=list)

    def task(self, name: str, *plays: Moves, agent: str = "magpie", **fields: Any) -> None:  # noqa: ANN401 (any field)
        """Add a task, with the moves of the agent for each of its starts."""
        (self.home / "plays" / f"{name}.json").write_text(json.dumps(plays), encoding="utf-8")
        self.tasks.append({"id": name, "agent": agent, "description": f"Do the work.\n\nplay: {name} ", **fields})

    def write(self, agents: Mapping[str, Mapping[str, Any]] | None = None, **settings: Any) -> None:  # noqa: ANN401
        """Write the project: what differs between agents is given, `magpie` is there without it."""
        every = {"magpie": {}, **(agents or {})}
        described = {
            name: {"kind": "cli", "adapter": "agents/magpie.yaml", "program": str(self.program), **agent}
            for name, agent in every.items()
        }
        dumped = yaml.safe_dump({"kill_grace": 1, "agents": described, **settings}, sort_keys=False)
        (self.root / "orchestration.yaml").write_text(dumped, encoding="utf-8")
        (self.root / "tasks").mkdir(exist_ok=True)
        (self.root / "tasks" / "all.yaml").write_text(yaml.safe_dump({"tasks": self.tasks}), encoding="utf-8")

    @property
    def program(self) -> Path:
        """The agent's program."""
        return self.home / "the bin" / "magpie"

    @property
    def environment(self) -> dict[str, str]:
        """What `orch` sees."""
        path = os.environ.get("PATH", os.defpath)
        return {"PATH": path, "HOME": str(self.home), "PYTHONPATH": str(ROOT), "MAGPIE_HOME": str(self.home)}

    @contextmanager
    def started(self, *words: str) -> "Iterator[subprocess.Popen[str]]":
        """A command that runs; whatever happens, it has ended afterwards."""
        with subprocess.Popen(
            command_line(*words),
            cwd=self.root,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def orch(self, *words: str) -> tuple[int, str, str]:
        """Run a command to its end: exit code, output, errors."""
        with self.started(*words) as process:
            out, err = process.communicate(timeout=PATIENCE)
        assert "Traceback" not in err, err
        return process.returncode, out, err

    def run(self, *words: str) -> "Batch":
        """Do the backlog."""
        code, out, err = self.orch("run-batch", "--json", *words)
        try:
            return Batch(code, json.loads(out)["data"], self.root)
        except (ValueError, KeyError) as error:
            raise AssertionError(out + err) from error

    @contextmanager
    def waiting(self, *words: str) -> "Iterator[subprocess.Popen[str]]":
        """A command that runs, once its agent has come to the move `touch: here`."""
        os.mkfifo(self.root / "here")
        pipe = os.open(self.root / "here", os.O_RDONLY | os.O_NONBLOCK)
        with self.started(*words) as process:
            end = os.pidfd_open(process.pid)
            try:
                ready, _, _ = select.select([pipe, end], [], [], PATIENCE)
                assert pipe in ready, process.communicate(timeout=PATIENCE)
            finally:
                os.close(end)
                os.close(pipe)
            yield process

    def left(self) -> list[str]:
        """What lives of the attempts of this project, by marker and by home."""
        marks = (f"MAGPIE_HOME={self.home}".encode(), f"{MARKER_NAME}=".encode())
        return [
            f"{pid} {read(pid, 'cmdline').decode(errors='replace')}"
            for pid in all_pids()
            if all(mark in read(pid, "environ") for mark in marks) and is_living(pid)
        ]


@dataclass(frozen=True, slots=True)
class Batch:
    """What came of a backlog."""

    code: int
    data: dict[str, Any]
    root: Path

    def __getitem__(self, task_id: str) -> dict[str, Any]:
        """What came of a task."""
        found = [one for one in self.data["results"] if one["task_id"] == task_id]
        assert len(found) == 1, self.data
        result: dict[str, Any] = found[0]
        return result

    def short(self, task_id: str) -> str:
        """The state or the failure of a task, and the failure of each attempt before the last one."""
        result = self[task_id]
        earlier = [one.get("failure") for one in result["attempts"][:-1]]
        return " ".join([*map(str, earlier), str(result["failure"] or result["status"])])

    def folder(self, task_id: str, attempt: int = 1) -> Path:
        """The folder of an attempt."""
        return self.root / ".orchestration" / "runs" / str(self.data["run_id"]) / task_id / str(attempt)

    def command(self, task_id: str, attempt: int = 1) -> dict[str, Any]:
        """What was started."""
        found: dict[str, Any] = json.loads((self.folder(task_id, attempt) / "command.json").read_text("utf-8"))
        return found


def make(folder: Path) -> Unseen:
    """An agent that is installed, in a folder with a space in its name, and a project with its adapter."""
    root, home = folder / "project", folder / "magpie home"
    for path in (root / "agents", home / "plays", home / "the bin"):
        path.mkdir(parents=True)
    shutil.copy(HERE / "unseen_adapter.yaml", root / "agents" / "magpie.yaml")
    shutil.copy(HERE / "unseen_program.py", home / "magpie.py")
    made = Unseen(root, home)
    words = shlex.join([sys.executable, "-I", "-S", str(home / "magpie.py")])
    made.program.write_text(f'#!/bin/sh\nexec {words} "$@"\n', encoding="utf-8")
    made.program.chmod(0o755)
    return made
