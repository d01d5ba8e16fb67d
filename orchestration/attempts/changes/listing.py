"""Compares a folder with what it was by names, sizes and times: where there is no git.

Bounded: of a folder with more than `MAX_LISTED` files, the first ones are compared, folder by folder in the order of
their names; if these are the same, it is not known whether anything has changed. A file that is written anew with the
same size within one tick of the file system's clock is missed.
"""

import asyncio
import os
from pathlib import Path
from typing import Final, Self

from orchestration.attempts.changes.records import MAX_PATHS, Found
from orchestration.records import dataclass

MAX_LISTED: Final = 50_000
"""Files that are looked at: about a second."""

LEFT_OUT: Final = frozenset({".git", ".hg", ".svn", ".orchestration", "__pycache__"})
"""Folders in which nothing counts as work."""


@dataclass(frozen=True, slots=True)
class Listing:
    """Files with size and time; incomplete where there were too many."""

    files: dict[str, tuple[int, int]]
    complete: bool


class ListingBook:
    """The first look at a folder, to compare with."""

    __slots__ = ("_before", "_directory")

    def __init__(self, directory: Path, before: Listing) -> None:
        """For `begin`."""
        self._directory = directory
        self._before = before

    @classmethod
    async def begin(cls, directory: Path) -> Self:
        """Take the first look."""
        return cls(directory, await asyncio.to_thread(listing_of, directory))

    async def compare(self) -> Found | None:
        """Take another look, and say what differs; None where that cannot be known."""
        after = await asyncio.to_thread(listing_of, self._directory)
        before, now = self._before.files, after.files
        whole = self._before.complete and after.complete
        names = before.keys() | now.keys() if whole else before.keys() & now.keys()
        changed = sorted(name for name in names if before.get(name) != now.get(name))
        if not changed and not whole:
            return None
        shown = tuple(name.encode(errors="surrogateescape").decode(errors="replace") for name in changed[:MAX_PATHS])
        return Found(shown, None, max(0, len(changed) - MAX_PATHS))


def listing_of(directory: Path, limit: int = MAX_LISTED) -> Listing:
    """The files below a folder; links are not followed, what cannot be read is left out."""
    files: dict[str, tuple[int, int]] = {}
    todo = [""]
    while todo:
        inner = todo.pop()
        try:
            with os.scandir(directory / inner) as scanned:
                entries = sorted(scanned, key=lambda entry: entry.name)
        except OSError:
            continue
        folders = []
        for entry in entries:
            name = f"{inner}/{entry.name}" if inner else entry.name
            if entry.is_dir(follow_symlinks=False):
                if entry.name not in LEFT_OUT:
                    folders.append(name)
                continue
            if len(files) >= limit:
                return Listing(files, complete=False)
            try:
                about = entry.stat(follow_symlinks=False)
            except OSError:
                continue
            files[name] = (about.st_size, about.st_mtime_ns)
        todo += reversed(folders)
    return Listing(files, complete=True)
