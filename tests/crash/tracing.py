"""strace: what `orch` itself asked of the system, and a death at a moment of one's choice.

Children are let go when they become another program (`-b execve`), so only the threads of `orch` are traced. strace
counts the calls of each name in each thread by itself, so the N-th call of a name is the first N-th one in any thread;
where that hides a call on the state file, only calls on that file are counted. A call that is met by SIGKILL is not
carried out.
"""

import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import pytest

from tests.cli.project import PATIENCE, Project, command_line
from tests.crash.backlogs import ALL

CALLS: Final = (
    *("write", "pwrite64", "writev", "pwritev", "ftruncate", "fallocate", "fsync", "fdatasync"),
    *("unlink", "unlinkat", "rmdir", "rename", "renameat", "renameat2", "mkdir", "link", "symlink"),
)
STATE_FILES: Final = ("state.db", "state.db-wal", "state.db-shm", "state.db-journal")

_CALL: Final = re.compile(r"(\d+) +(\w+)\(")


@dataclass(frozen=True, slots=True)
class Point:
    """A moment to die at: before the so-many-th call of that name, perhaps only of those on the files of the state."""

    call: str
    number: int
    on_state: bool = False

    def __str__(self) -> str:
        return f"{self.call}-{self.number}{'-on-state' if self.on_state else ''}"


@cache
def strace() -> str:
    """The program; a test that needs it is skipped where it is missing or not permitted."""
    program = shutil.which("strace")
    if program is None:
        pytest.skip("there is no strace here")
    trial = [program, "-f", "-b", "execve", "-qq", "-e", "inject=fsync:signal=KILL:when=99", "-o", "/dev/null", "true"]
    done = subprocess.run(trial, check=False, capture_output=True, timeout=PATIENCE)
    if done.returncode:
        pytest.skip(f"strace cannot be used here: {done.stderr.decode(errors='replace').strip()[-200:]}")
    return program


def record(project: Project, trace: Path, *options: str) -> bytes:
    """Run the whole backlog under strace; returns what it told on standard output."""
    words = ["-y", "-e", f"trace={','.join(CALLS)}", *options, "-o", str(trace)]
    done = _traced(project, words)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return done.stdout


def die_at(project: Project, point: Point) -> tuple[bool, bytes]:
    """Run the backlog until that call; returns whether it died there, and what it had told."""
    words = ["-e", f"trace={point.call}", "-e", f"inject={point.call}:signal=KILL:when={point.number}"]
    folder = project.root / ".orchestration"
    paths = [word for name in STATE_FILES for word in ("-P", str(folder / name))] if point.on_state else []
    done = _traced(project, [*words, *paths, "-o", "/dev/null"])
    return done.returncode != 0, done.stdout


def points(trace: Path) -> Sequence[Point]:
    """All moments of a recorded run at which it can be made to die, in the order in which they came."""
    return list(_points(trace.read_text(encoding="utf-8", errors="replace").splitlines()))


def _points(lines: Sequence[str]) -> Iterator[Point]:
    counts: Counter[tuple[str, str]] = Counter()
    furthest: Counter[str] = Counter()
    on_state: Counter[str] = Counter()
    for line in lines:
        if (found := _CALL.match(line)) is None:  # a signal, an end, or the second half of a call
            continue
        thread, call = found.groups()
        counts[thread, call] += 1
        is_state = "/state.db" in line
        on_state[call] += is_state
        if counts[thread, call] > furthest[call]:
            furthest[call] += 1
            yield Point(call, furthest[call])
        elif is_state:
            yield Point(call, on_state[call], on_state=True)


def _traced(project: Project, words: Sequence[str]) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(
        [strace(), "-f", "-b", "execve", "-qq", *words, *command_line(*ALL)],
        cwd=project.root,
        env=project.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )
