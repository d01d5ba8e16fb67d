"""Files that an agent leaves beside its output: read once it has ended, and only if this attempt wrote them.

Edges survived: a file that an earlier attempt left in the same place (what it counted is not counted again), one that
is a pipe or a folder, one without end, one that is no text, one that is not there.
"""

import asyncio
import contextlib
import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Final

MAX_SIDE_FILE: Final = 16 * 1024 * 1024
"""Bytes of a side file that are read."""


class SideFiles:
    """The side files of one attempt; relative names are meant from the folder that it works in."""

    def __init__(self, directory: Path, paths: Iterable[str]) -> None:
        """Look at what is there before it begins."""
        self._before = {path: _stamp(directory / path) for path in paths}
        self._directory = directory

    async def read(self) -> list[tuple[str, str]]:
        """Name and text of each that this attempt has written."""
        return await asyncio.to_thread(lambda: [*self._read()])

    def _read(self) -> Iterable[tuple[str, str]]:
        for name, before in self._before.items():
            path = self._directory / name
            if _stamp(path) == before:
                continue
            with contextlib.suppress(OSError, ValueError):
                handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
                with os.fdopen(handle, "rb") as file:
                    if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                        yield name, file.read(MAX_SIDE_FILE).decode(errors="replace")


def _stamp(path: Path) -> tuple[int, ...] | None:
    with contextlib.suppress(OSError, ValueError):
        found = path.stat()
        return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
    return None
