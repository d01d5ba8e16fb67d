"""What holds for every test: the same surroundings wherever it runs, and no process of it left behind."""

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Absolute times vary between machines, so no example is judged by its duration, nor by how long it takes to draw it. On
# CI the examples are the same each time: a change must not fail for what another one broke.
settings.register_profile("local", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("local"), derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")

# Variables that change what the program prints, or (when the tests run inside a git hook) which repository git uses.
FOREIGN_PREFIXES = ("ORCH_", "GIT_")
FOREIGN_NAMES = ("CI", "CLICOLOR", "CLICOLOR_FORCE", "COLUMNS", "FORCE_COLOR", "LINES", "NO_COLOR")

GRACE_FOR_LEAVING = 10.0  # seconds in which a process that is already ending may end


@pytest.fixture(autouse=True)
def plain_surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away the variables of the caller's shell that would change what a test sees."""
    for name in list(os.environ):
        if name.startswith(FOREIGN_PREFIXES) or name in FOREIGN_NAMES:
            monkeypatch.delenv(name)
    monkeypatch.setenv("TERM", "dumb")


@pytest.fixture(autouse=True)
def no_process_left() -> Iterator[None]:
    """Fail a test after which a process lives that it started; known only where Linux lists the children."""
    if not sys.platform.startswith("linux"):
        yield
        return
    before = living_children()
    yield
    deadline = time.monotonic() + GRACE_FOR_LEAVING
    while left := living_children() - before:
        if time.monotonic() > deadline:
            pytest.fail(f"processes left behind: {', '.join(map(describe, sorted(left)))}")
        time.sleep(0.01)


def living_children() -> set[int]:
    """The pids of this process's children that have not ended (one that only waits to be reaped has ended)."""
    pids: set[int] = set()
    for thread in Path("/proc/self/task").iterdir():
        try:
            pids.update(map(int, (thread / "children").read_text(encoding="ascii").split()))
        except FileNotFoundError:  # the thread ended meanwhile, or the kernel was built without this file
            continue
    return {pid for pid in pids if is_living(pid)}


def is_living(pid: int) -> bool:
    """Whether a process exists and is not a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in {"Z", "X"}


def describe(pid: int) -> str:
    """A process as pid and command line, for people."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        command = "ended meanwhile"
    return f"{pid} ({command.strip()})"
