"""What the tests of the scripted agent share: the program started by hand, and what it said.

Whatever a test starts ends by itself after `LIFE` seconds: that is a step in front of every script.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestration.scripted import document, program

LIFE = 40  # seconds that a scripted agent of a test lives at most
PATIENCE = 60.0  # seconds after which a test gives up
SECRET = "hunter2-ünd-more"


@dataclass(frozen=True, slots=True)
class Played:
    """How a scripted agent ended, and what it said."""

    code: int
    out: bytes
    err: bytes

    @property
    def events(self) -> list[dict[str, Any]]:
        """The lines that are JSON objects."""
        found = []
        for line in self.out.split(b"\n"):
            try:
                event = json.loads(line)
            except ValueError:
                continue
            if isinstance(event, dict):
                found.append(event)
        return found

    def of(self, kind: str) -> list[dict[str, Any]]:
        """The events of one type."""
        return [event for event in self.events if event.get("type") == kind]

    @property
    def result(self) -> dict[str, Any]:
        """The one final event."""
        (found,) = self.of("result")
        return found


def words_for(*steps: Any, seed: int = 0, life: float = LIFE) -> list[str]:  # noqa: ANN401  # any step
    """The command line that plays the steps."""
    return [*program(), "--script", document([{"lifetime": life}, *steps], seed)]


def environment(**more: str) -> dict[str, str]:
    """What the program sees."""
    return {"PATH": os.environ.get("PATH", os.defpath), "ORCH_TASK_ID": "T-1", "SCRIPTED_SECRET": SECRET, **more}


def play(
    folder: Path,
    *steps: Any,  # noqa: ANN401  # any step
    prompt: bytes = b"The prompt.",
    attempt: int = 1,
    options: tuple[str, ...] = (),
    seed: int = 0,
    variables: Mapping[str, str] | None = None,
) -> Played:
    """Play the steps to their end."""
    done = subprocess.run(
        [*words_for(*steps, seed=seed), *options],
        cwd=folder,
        env=environment(ORCH_ATTEMPT=str(attempt), **(variables or {})),
        input=prompt,
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )
    return Played(done.returncode, done.stdout, done.stderr)


@contextmanager
def playing(folder: Path, *steps: Any, **variables: str) -> "Iterator[subprocess.Popen[bytes]]":  # noqa: ANN401
    """Start to play; whatever is left of its group at the end of the block is killed."""
    with subprocess.Popen(
        words_for(*steps),
        cwd=folder,
        env=environment(**variables),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as child:
        try:
            yield child
        finally:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)


def lines_until(child: "subprocess.Popen[bytes]", part: bytes) -> list[bytes]:
    """Read lines until one has the part."""
    assert child.stdout is not None
    found = []
    for line in child.stdout:
        found.append(line)
        if part in line:
            return found
    raise AssertionError(f"it ended without {part!r}: {found!r}")


def is_there(pid: int) -> bool:
    """Whether a process lives, and is no zombie."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    if not sys.platform.startswith("linux"):
        return True
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in {"Z", "X"}
