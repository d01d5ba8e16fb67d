"""Starting the programs of `store_child`, and ending them whatever the test does."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent.parent
PATIENCE: Final = 60.0
"""Seconds that a program may take on a busy machine before it counts as hung."""


def child_command(name: str, *arguments: object) -> list[str]:
    """How a program is started, in the folder `ROOT`."""
    return [sys.executable, "-m", "tests.world.store_child", name, *map(str, arguments)]


def run_child(name: str, *arguments: object) -> str:
    """Run a program to its end and return what it said."""
    command = child_command(name, *arguments)
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True, timeout=PATIENCE)
    return done.stdout


@contextmanager
def child(name: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """Have a program run until it ends, or the block does."""
    command = child_command(name, *arguments)
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with process:
        try:
            yield process
        finally:
            process.kill()


def said(process: subprocess.Popen[str]) -> str:
    """The next line that the program says."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def tell(process: subprocess.Popen[str], line: str) -> None:
    """Give the program a line to read."""
    assert process.stdin is not None
    process.stdin.write(f"{line}\n")
    process.stdin.flush()
