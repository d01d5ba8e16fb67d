"""Which version of an agent program is installed: asked once for each program, and again when its file changes.

A program that does not answer, answers nonsense or is not there has no version, and that is all: whether it can be
started is found out by starting it. Edges survived: one that takes the question for work, or leaves others behind (it
has a supervisor, like any agent program), one that hangs while its attempt has little time (an attempt that has more
asks again), and a question that nobody waits for any more: it is ended before the last of them goes, and says nothing
of the program, nor to whoever asks meanwhile.
"""

import asyncio
import os
import re
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final

from orchestration.adapters import Adapter, Invocation
from orchestration.errors import AgentMissing, OrchError
from orchestration.executors._starting import MARKER
from orchestration.process import Command, EndedBy, LiveChildren, run_process
from orchestration.records import dataclass
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


@dataclass(frozen=True, slots=True)
class _Answer:
    """What came of a question.

    `was_late` says that the program had not answered in its time, `was_cut_off` that it was ended before, by others.
    """

    version: str | None = None
    was_late: bool = False
    was_cut_off: bool = False


class _Question:
    """A question that was put to a program, which has `patience` seconds; and how many wait for the answer."""

    def __init__(self, answer: "asyncio.Task[_Answer]", patience: float) -> None:
        self._answer = answer
        self._patience = patience
        self._waiting = 0

    def serves(self, patience: float) -> bool:
        """Whether nothing more could be learned by asking again with this patience."""
        if not self._answer.done():
            return True
        return not self._answer.cancelled() and not (self._answer.result().was_late and self._patience < patience)

    async def wait_for_answer(self, forget: Callable[[], None]) -> _Answer:
        """The answer.

        The last one who does not want it any more sees to the end of the program, after `forget`: who asks then is not
        to get what this one was told.
        """
        self._waiting += 1
        try:
            return await asyncio.shield(self._answer)
        except asyncio.CancelledError:
            if self._waiting == 1:
                forget()
                await self._end()
            raise
        finally:
            self._waiting -= 1

    async def _end(self) -> None:
        while not self._answer.done():
            self._answer.cancel()
            with suppress(asyncio.CancelledError):
                await asyncio.wait([self._answer])


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
        limit = PATIENCE if patience is None else min(patience, PATIENCE)
        asked = self._known.get(key)
        if asked is None or not asked.serves(limit):
            command = _asking(argv, environment, limit)
            answer = asyncio.create_task(self._ask(command, adapter.form.version.pattern))
            asked = self._known[key] = _Question(answer, limit)
        forget = partial(self._forget, key, asked)
        said = await asked.wait_for_answer(forget)
        if said.was_cut_off:
            forget()
        return said.version

    def _forget(self, key: tuple[str, ...], asked: _Question) -> None:
        if self._known.get(key) is asked:
            del self._known[key]

    async def _ask(self, command: Command, pattern: re.Pattern[str]) -> _Answer:
        try:
            end = await run_process(command, children=self._children)
        except AgentMissing:
            return _Answer()
        except OrchError:  # such as no room to start it
            return _Answer(was_cut_off=True)
        found = pattern.search((end.stdout + b"\n" + end.stderr).decode(errors="replace"))
        if found is not None:
            return _Answer(found.groupdict().get("version") or (found[1] if found.re.groups else found[0]))
        was_late = end.ended_by is EndedBy.TIMEOUT
        was_ended = end.ended_by is not EndedBy.ITSELF or end.signal is not None
        return _Answer(was_late=was_late, was_cut_off=was_ended and not was_late)


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
