"""Which version of an agent program is installed: asked once for each program, and again when its file changes.

A program that does not answer, answers nonsense or is not there has no version, and that is all: whether it can be
started is found out by starting it.
"""

import asyncio
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from orchestration.adapters import Adapter, Invocation
from orchestration.errors import OrchError
from orchestration.process import Command, LiveChildren, run_process

PATIENCE: Final = 20.0
"""Seconds for a program to say its version; some start a whole runtime for that."""

MAX_SAID: Final = 64 * 1024


def program_of(invocation: Invocation, environment: Mapping[str, str], directory: Path) -> tuple[str, str | None]:
    """The name under which the program is there, and its path; the first name and None where none is."""
    for name in (invocation.program, *invocation.alternatives):
        path = path_of(name, environment, directory)
        if path is not None:
            return name, path
    return invocation.program, None


def path_of(name: str, environment: Mapping[str, str], directory: Path) -> str | None:
    """Where the program of a name is, None where there is none."""
    named = str(directory / name) if "/" in name else name
    return shutil.which(named, path=environment.get("PATH"))


def why_missing(name: str, directory: Path) -> str:
    """Why no program is found under a name; names without a slash are looked for on `PATH` only."""
    path = directory / name
    if "/" not in name:
        return (
            f"it is not on PATH (for the file in the project, write ./{name})"
            if path.is_file()
            else "it is not on PATH"
        )
    if path.is_dir():
        return "it is a folder"
    return "it is not executable (see `chmod +x`)" if path.exists() else "it is not there"


class Versions:
    """What is known of installed programs."""

    def __init__(self, children: LiveChildren | None) -> None:
        """Nothing is known yet."""
        self._children = children
        self._known: dict[tuple[str, ...], asyncio.Task[str | None]] = {}

    async def of(
        self, path: str | None, invocation: Invocation, adapter: Adapter, environment: Mapping[str, str]
    ) -> str | None:
        """The version of the program at `path`, None where it cannot be found out."""
        if path is None or not invocation.version_argv:
            return None
        key = (path, *invocation.version_argv[1:], str(_stamp(path)))
        asked = self._known.get(key)
        if asked is None or asked.cancelled():
            argv = (path, *invocation.version_argv[1:])
            asked = self._known[key] = asyncio.create_task(self._ask(argv, adapter.form.version.pattern, environment))
        return await asyncio.shield(asked)

    async def _ask(self, argv: tuple[str, ...], pattern: re.Pattern[str], environment: Mapping[str, str]) -> str | None:
        command = Command(argv=argv, env=environment, timeout=PATIENCE, kill_grace=1.0, max_capture=MAX_SAID)
        try:
            end = await run_process(command, children=self._children)
        except OrchError:
            return None
        found = pattern.search((end.stdout + b"\n" + end.stderr).decode(errors="replace"))
        if found is None:
            return None
        return found.groupdict().get("version") or (found[1] if found.re.groups else found[0])


def _stamp(path: str) -> tuple[int, int]:
    found = os.stat(path)  # noqa: PTH116  # beside shutil.which, which gives text
    return found.st_size, found.st_mtime_ns
