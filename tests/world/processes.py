"""What the tests of processes share: children to run, an ear for what they say, and a look at who is left.

The look is its own code, by environment and by pid, and uses nothing of the room that is tested.
"""

import asyncio
import os
import sys
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from orchestration.process import Command, LiveChildren, ProcessEnd, Sink, Stream, run_process

PYTHON = (sys.executable, "-I", "-S", "-c")
ENVIRONMENT: Mapping[str, str] = {"PATH": os.environ.get("PATH", os.defpath)}
ROOT = Path(__file__).resolve().parents[2]
MARKER_NAME = "ORCH_ATTEMPT_ID"

IGNORES_TERM = """
import os, signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print(os.getpid(), flush=True)
while True: signal.pause()
"""

THREE_GENERATIONS = """
import os, subprocess, sys, time
generation = int(sys.argv[1])
print(os.getpid(), flush=True)
if generation:
    child = [sys.executable, '-I', '-S', '-c', sys.argv[2], str(generation - 1), sys.argv[2]]
    for _ in range(2): subprocess.Popen(child)
time.sleep(60)
"""

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc, pidfds or a subreaper")


def command(*argv: str, **options: Any) -> Command:  # noqa: ANN401  # passed on to the record, which knows the types
    """A command with the least environment."""
    return Command(argv, env=options.pop("env", ENVIRONMENT), **options)


def python(code: str, *arguments: str, **options: Any) -> Command:  # noqa: ANN401  # as above
    """A command that runs Python code."""
    return command(*PYTHON, code, *arguments, **options)


def marked(code: str, **options: Any) -> tuple[Command, str]:  # noqa: ANN401  # as above
    """A command that runs Python code and carries a marker of its own; the marker's value comes with it."""
    value = f"test/{uuid.uuid4()}/1"
    env = {**ENVIRONMENT, MARKER_NAME: value}
    return python(code, env=env, marker=(MARKER_NAME, value), **options), value


async def run_until_ready(
    make: Callable[[float], Command],
    lines: int = 1,
    sink: Sink | None = None,
    children: LiveChildren | None = None,
) -> tuple[ProcessEnd, float]:
    """Run a command that prints so many lines before its timeout: on a busy machine with a longer one, until it does.

    Returns the end and the timeout that was enough.
    """
    for timeout in (0.3, 1.2, 5.0, 20.0):
        end = await run_process(make(timeout), sink, children=children)
        if end.stdout.count(b"\n") >= lines:
            return end, timeout
    pytest.fail("this machine is too busy to start a few processes in 20 s")


@dataclass(slots=True)
class Ear:
    """A sink that keeps everything and lets one wait for a word."""

    said: dict[Stream, bytearray] = field(default_factory=lambda: {stream: bytearray() for stream in Stream})
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def __call__(self, stream: Stream, data: bytes) -> None:
        """Keep a chunk."""
        self.said[stream] += data
        self._news.set()

    async def wait_for(self, word: bytes, times: int = 1) -> bytes:
        """Wait until the output holds the word so many times, and return the output so far."""
        async with asyncio.timeout(30):
            while self.said[Stream.STDOUT].count(word) < times:
                self._news.clear()
                await self._news.wait()
        return bytes(self.said[Stream.STDOUT])


def living_with(value: str) -> list[int]:
    """The pids of living processes that carry the marker."""
    item = f"{MARKER_NAME}={value}".encode()
    return [pid for pid in all_pids() if item in read(pid, "environ").split(b"\0") and is_living(pid)]


def all_pids() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdecimal()]


def is_living(pid: int) -> bool:
    """Whether a process exists and is no zombie."""
    if sys.platform != "linux":
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        return True
    stat = read(pid, "stat")
    return bool(stat) and stat.rpartition(b")")[2].split()[0] not in {b"Z", b"X"}


def parent_of(pid: int) -> int:
    fields = read(pid, "stat").rpartition(b")")[2].split()
    return int(fields[1]) if fields else 0


def read(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""


def pids_in(output: bytes) -> list[int]:
    """The numbers that a child printed, one per line."""
    return [int(line) for line in output.split() if line.isdigit()]


async def run_script(code: str, *arguments: str) -> str:
    """Run code that imports the room in a Python of its own, and return what it printed; a warning there fails."""
    argv = (sys.executable, "-W", "error", "-c", code, *arguments)
    end = await run_process(Command(argv, env={**ENVIRONMENT, "PYTHONPATH": str(ROOT)}, timeout=60))
    assert (end.exit_code, end.stderr.decode()) == (0, "")
    return end.stdout.decode()
