"""A command on a terminal of its own (a pseudo-terminal), with a keyboard and all that was shown."""

import fcntl
import os
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

from tests.cli.project import PATIENCE, Project, command_line

# Makes the terminal the controlling one, so that Ctrl-C and a hang-up reach the command as they do in real life.
ADOPT = (
    "import fcntl, os, sys, termios;"
    "os.setsid();"
    "fcntl.ioctl(0, termios.TIOCSCTTY, 0);"
    "os.execv(sys.argv[1], sys.argv[1:])"
)
CTRL_C = b"\x03"


class Terminal:
    """What the person at the terminal sees and types."""

    def __init__(self, master: int, process: "subprocess.Popen[bytes]") -> None:
        self.master = master
        self.process = process
        self.shown = b""

    def read_until(self, text: bytes) -> bytes:
        """Wait until something is shown; returns everything up to now."""
        deadline = time.monotonic() + PATIENCE
        while text not in self.shown:
            assert time.monotonic() < deadline, self.shown
            if not self._read():
                assert text in self.shown, self.shown
        return self.shown

    def wait(self) -> int:
        """Read until the command has ended; returns its exit code."""
        while self._read():
            pass
        return self.process.wait(PATIENCE)

    def press(self, key: bytes) -> None:
        """Type something."""
        os.write(self.master, key)

    def resize(self, columns: int, rows: int) -> None:
        """Change the size of the window."""
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def _read(self) -> bool:
        readable, _, _ = select.select([self.master], [], [], PATIENCE)
        assert readable, f"nothing happens; shown so far: {self.shown!r}"
        try:
            data = os.read(self.master, 1 << 16)
        except OSError:  # the last one on the other side has gone
            data = b""
        self.shown += data
        return bool(data)


@contextmanager
def terminal(
    project: Project,
    *arguments: str,
    columns: int = 80,
    rows: int = 24,
    variables: Mapping[str, str] | None = None,
) -> Iterator[Terminal]:
    """Run a command on a new terminal; whatever is left of it at the end is killed."""
    master, slave = os.openpty()
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-c", ADOPT, *command_line(*arguments)],
        cwd=project.root,
        env={**project.environment, "TERM": "xterm-256color", **(variables or {})},
        stdin=slave,
        stdout=slave,
        stderr=slave,
    )
    os.close(slave)
    try:
        yield Terminal(master, process)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        with suppress(OSError):
            os.close(master)
