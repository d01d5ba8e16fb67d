"""Which version of an agent program is installed: asked once for each program, and again when its file changes.

A program that does not answer, answers nonsense or is not there has no version, and that is all: whether it can be
started is found out by starting it. Edges survived: one that takes the question for work, or leaves others behind (it
has a supervisor, like any agent program), one that hangs while its attempt has little time, and a question that nobody
waits for any more (it is ended before the last of them goes).
"""

import asyncio
import os
import re
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from orchestration.adapters import Adapter, Invocation
from orchestration.errors import OrchError
from orchestration.executors._starting import MARKER
from orchestration.process import Command, LiveChildren, run_process
from orchestration.supervisor import supervised

PATIENCE: Final = 20.0
"""Seconds for a program to say its version; some start a whole runtime for that."""

GRACE: Final = 1.0
"""Seconds between the request to end and the end by force."""

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


class _Question:
    """A question that was put to a program, and how many wait for the answer."""

    def __init__(self, answer: "asyncio.Task[str | None]") -> None:
        self.answer = answer
        self._waiting = 0

    async def wait_for_answer(self) -> str | None:
        """The answer; the last one who does not want it any more sees to the end of the program first."""
        self._waiting += 1
        try:
            return await asyncio.shield(self.answer)
        except asyncio.CancelledError:
            if self._waiting == 1:
                await self._end()
            raise
        finally:
            self._waiting -= 1

    async def _end(self) -> None:
        while not self.answer.done():
            self.answer.cancel()
            with suppress(asyncio.CancelledError):
                await asyncio.wait([self.answer])


class Versions:
    """What is known of installed programs."""

    def __init__(self, children: LiveChildren | None) -> None:
        """Nothing is known yet."""
        self._children = children
        self._known: dict[tuple[str, ...], _Question] = {}

    async def of(
        self,
        path: str | None,
        invocation: Invocation,
        adapter: Adapter,
        environment: Mapping[str, str],
        patience: float | None = None,
    ) -> str | None:
        """The version of the program at `path`, None where it cannot be found out in `patience` seconds."""
        if path is None or not invocation.version_argv:
            return None
        argv = (path, *invocation.version_argv[1:])
        key = (*argv, str(_stamp(path)))
        asked = self._known.get(key)
        if asked is None or asked.answer.cancelled():
            command = _asking(argv, environment, PATIENCE if patience is None else min(patience, PATIENCE))
            answer = asyncio.create_task(self._ask(command, adapter.form.version.pattern))
            asked = self._known[key] = _Question(answer)
        return await asked.wait_for_answer()

    async def _ask(self, command: Command, pattern: re.Pattern[str]) -> str | None:
        try:
            end = await run_process(command, children=self._children)
        except OrchError:
            return None
        found = pattern.search((end.stdout + b"\n" + end.stderr).decode(errors="replace"))
        if found is None:
            return None
        return found.groupdict().get("version") or (found[1] if found.re.groups else found[0])


def _asking(argv: tuple[str, ...], environment: Mapping[str, str], patience: float) -> Command:
    marker = environment.get(MARKER)
    return Command(
        argv=supervised(argv, grace=GRACE, report=os.devnull),
        env=environment,
        timeout=patience,
        kill_grace=GRACE,
        max_capture=MAX_SAID,
        supervised=True,
        marker=None if marker is None else (MARKER, marker),
    )


def _stamp(path: str) -> tuple[int, int]:
    found = os.stat(path)  # noqa: PTH116  # beside shutil.which, which gives text
    return found.st_size, found.st_mtime_ns
