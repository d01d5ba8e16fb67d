"""A project whose agent is a real program that talks to the stub model, and `orch` run in it as a real process."""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.agents import hermetic
from tests.agents.programs import Program
from tests.agents.stub_model import StubModel

PATIENCE = 90.0  # seconds after which a run is taken to hang, and killed
WARDEN_PATIENCE = 10.0  # seconds for a warden to notice that its `orch` is gone, on a busy machine
ENDING = "(ended meanwhile)"
ORCH = Path(sys.executable).with_name("orch")
GATE = "gate"  # a pipe in the project, by which a tool says that it has begun
ENDLESS_TOOL = f"echo begun > {GATE}; exec tail -f /dev/null"


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> dict[str, Any]:
        """The data of the envelope on standard output."""
        envelope = json.loads(self.out)
        assert envelope["kind"] != "error", envelope["data"]
        data: dict[str, Any] = envelope["data"]
        return data

    @property
    def result(self) -> dict[str, Any]:
        """The result of the first task."""
        result: dict[str, Any] = self.data["results"][0]
        return result

    @property
    def attempts(self) -> list[dict[str, Any]]:
        """The attempts of the first task."""
        attempts: list[dict[str, Any]] = self.result["attempts"]
        return attempts


@dataclass(frozen=True, slots=True)
class Workbench:
    """One project, one agent, one stub."""

    program: Program
    model: StubModel
    root: Path
    home: Path
    environment: dict[str, str] = field(default_factory=dict)

    def prepare(
        self,
        *steps: str,
        agent: Mapping[str, Any] | None = None,
        settings: Mapping[str, Any] | None = None,
        **task: Any,  # noqa: ANN401 (any field of a task)
    ) -> None:
        """Write the project: one task, done by this agent, with the model going through these steps."""
        name = self.program.name
        world = hermetic.build(name, self.home, self.model.url(*steps))
        self.environment.update(world.environment)
        described = {
            "kind": "cli",
            "preset": name,
            "program": list(self.program.argv),
            "model": hermetic.MODELS[name],
            "permission": "all",
            "own_retries": False,
            "pass_env": [*world.extra, *hermetic.ALLOWS_ROOT],
            **hermetic.PRESET_SETTINGS.get(name, {}),
            **(agent or {}),
        }
        self.environment.update(hermetic.ALLOWS_ROOT)
        written = {"agents": {"coder": described}, "kill_grace": 2, "timeout": 40, **(settings or {})}
        _dump(self.root / "orchestration.yaml", written)
        about = {"id": "T-1", "agent": "coder", "description": "Write the file hello.txt with the line: hello"}
        _dump(self.root / "tasks" / "t.yaml", {**about, **task})
        subprocess.run(["git", "init", "--quiet"], cwd=self.root, check=True, env=self.environment)

    @contextlib.contextmanager
    def started(self, *words: str) -> "Iterator[subprocess.Popen[str]]":
        """A command that runs; whatever happens meanwhile, it has ended afterwards."""
        with subprocess.Popen(
            [str(ORCH), *words],
            cwd=self.root,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def run(self, *words: str) -> Done:
        """Run a command to its end."""
        with self.started(*words) as process:
            return finish(process)

    def run_batch(self, *words: str) -> Done:
        """Have the task done."""
        return self.run("run-batch", "--json", *words)

    def commands(self) -> list[Sequence[str]]:
        """What was started in each attempt, as it was recorded."""
        found = sorted((self.root / ".orchestration" / "runs").glob("*/T-1/*/command.json"))
        return [json.loads(path.read_text(encoding="utf-8"))["argv"] for path in found]

    @contextlib.contextmanager
    def gate(self) -> Iterator[int]:
        """A pipe by which a tool of the agent says that it has begun."""
        path = self.root / GATE
        os.mkfifo(path)
        reading = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        try:
            yield reading
        finally:
            os.close(reading)

    def left_behind(self) -> list[str]:
        """The processes that have this agent's home, or the project, as theirs; a warden may take its time to end."""
        end = time.monotonic() + WARDEN_PATIENCE
        while True:
            left = [_described(pid) for pid in self._living()]
            if time.monotonic() > end or not left or not all(map(_may_end_by_itself, left)):
                return left
            time.sleep(0.05)

    def sweep(self) -> None:
        """End what was left, so that a test that fails for it leaves nothing to the next one."""
        for pid in self._living():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _living(self) -> list[int]:
        mark = f"HOME={self.home}".encode()
        return [pid for pid in _pids() if _is_living(pid) and _is_of(pid, mark, self.root)]


def wait_for_begin(gate: int, process: "subprocess.Popen[str]") -> None:
    """Return when the agent's tool has begun its work."""
    end = os.pidfd_open(process.pid)
    try:
        ready, _, _ = select.select([gate, end], [], [], PATIENCE)
        assert gate in ready, finish(process)
    finally:
        os.close(end)


def finish(process: "subprocess.Popen[str]") -> Done:
    """Wait for the end of a command; one that hangs is killed, and the test fails."""
    try:
        out, err = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        process.kill()
        out, err = process.communicate()
        pytest.fail(f"it hangs: {out[-2000:]}\n{err[-2000:]}")
    return Done(process.returncode, out, err)


def _dump(path: Path, data: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(dict(data), sort_keys=False), encoding="utf-8")


def _pids() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def _is_living(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in {"Z", "X"}


def _is_of(pid: int, mark: bytes, root: Path) -> bool:
    try:
        if mark in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
            return True
        return Path(f"/proc/{pid}/cwd").readlink().is_relative_to(root)
    except OSError:
        return False


def _described(pid: int) -> str:
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ")
    except OSError:
        return f"{pid} {ENDING}"
    return f"{pid} ({command.decode(errors='replace').strip()[:200]})" if command else f"{pid} {ENDING}"


def _may_end_by_itself(described: str) -> bool:
    """Whether it is a warden, or has ended but for what the system still has to tidy up."""
    return "warden/__main__.py" in described or described.endswith(ENDING)
