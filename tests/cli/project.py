"""A project in a folder of its own, and `orch` run in it as a real process."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PATIENCE = 60.0  # seconds after which a command is taken to hang


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:  # noqa: ANN401  # whatever the command says
        """The data of the one envelope on standard output."""
        return self.envelope["data"]

    @property
    def kind(self) -> str:
        """What kind of data that is."""
        return str(self.envelope["kind"])

    @property
    def envelope(self) -> dict[str, Any]:
        """The one envelope on standard output."""
        found: dict[str, Any] = json.loads(self.out)
        assert set(found) == {"schema", "kind", "data"}
        assert found["schema"] == "orch/1"
        return found

    @property
    def last(self) -> str:
        """The last line on standard error."""
        lines = self.err.strip().splitlines()
        return lines[-1] if lines else ""


@dataclass(frozen=True, slots=True)
class Project:
    """A folder with tasks."""

    root: Path
    variables: dict[str, str] = field(default_factory=dict)

    def pid(self, name: str = "pid") -> int:
        """The number that a process writes into a file of the project, as soon as all of it is there."""
        path, end = self.root / name, time.monotonic() + PATIENCE
        while not (path.exists() and path.read_text(encoding="ascii").endswith("\n")):
            assert time.monotonic() < end
            time.sleep(0.01)
        return int(path.read_text(encoding="ascii"))

    def write(self, name: str, text: str) -> Path:
        """Write a file of the project."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def settings(self, text: str = "") -> None:
        """Write the settings."""
        self.write("orchestration.yaml", text)

    def shell(self, task_id: str, command: str, *needs: str, **fields: object) -> None:
        """Write a task that runs a command."""
        front = {"id": task_id, "agent": "shell", "depends_on": list(needs), **fields}
        header = "\n".join(f"{key}: {json.dumps(value)}" for key, value in front.items())
        self.write(f"tasks/{task_id}.md", f"---\n{header}\n---\n{command}\n")

    def person(self, task_id: str, *needs: str, **fields: object) -> None:
        """Write a task that waits for a person."""
        self.shell(task_id, "Please look.", *needs, **{"agent": "interactive", **fields})

    @property
    def environment(self) -> dict[str, str]:
        """What the command sees of variables."""
        return {**os.environ, **self.variables}

    def orch(
        self,
        *arguments: str,
        cwd: Path | None = None,
        environment: Mapping[str, str] | None = None,
        stdin: str = "",
    ) -> Done:
        """Run a command to its end."""
        done = subprocess.run(
            command_line(*arguments),
            cwd=cwd or self.root,
            env=self.environment if environment is None else environment,
            input=stdin.encode(),
            capture_output=True,
            timeout=PATIENCE,
            check=False,
        )
        return Done(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))

    def json(self, *arguments: str) -> Any:  # noqa: ANN401  # whatever the command says
        """Run a command with `--json` that succeeds, and return its data."""
        done = self.orch(*arguments, "--json")
        assert done.code == 0, done.err
        return done.data

    @contextmanager
    def start(self, *arguments: str, output: int = subprocess.PIPE) -> "Iterator[subprocess.Popen[bytes]]":
        """Start a command; if it has not ended by the end of the block (a test has failed), it is killed."""
        process = subprocess.Popen(
            command_line(*arguments),
            cwd=self.root,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
        with process:
            try:
                yield process
            finally:
                process.kill()  # which does nothing to one that has been waited for

    def state(self) -> dict[str, bytes]:
        """The contents of the state folder, as far as it exists; what only one process keeps beside it is left out."""
        folder = self.root / ".orchestration"
        return {
            str(path.relative_to(folder)): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file() and not path.name.endswith(("-shm", "-wal"))
        }


def command_line(*arguments: str) -> Sequence[str]:
    """The command as tests run it: this checkout's, by this interpreter."""
    return [sys.executable, "-m", "cli", *arguments]
