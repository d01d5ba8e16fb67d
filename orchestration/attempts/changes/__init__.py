"""What an attempt changed in its folder: which files, and a patch for people and for the next agent.

`async with watched(…) as changes:` around the work; then `await changes.found()`. In a work tree of git it is git that
compares (`git`), elsewhere a listing of names, sizes and times (`listing`), which knows no patch. Nothing here fails an
attempt: what cannot be known (no rights, too many files, no time left) is None, which is not the same as no change.

Several attempts at once in one folder see each other's changes; whoever needs to tell them apart gives each its own.
"""

import asyncio
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from orchestration.attempts.changes.git import GitBook
from orchestration.attempts.changes.listing import ListingBook
from orchestration.attempts.changes.records import MAX_PATHS, Found, Git
from orchestration.errors import OrchError
from orchestration.masking import Masker
from orchestration.process import LiveChildren

__all__ = ["MAX_PATHS", "Changes", "Found", "watched"]

PATIENCE: Final = 30.0
"""Seconds for each look: a tree of a hundred thousand files takes about one."""


class Changes:
    """Compares a folder with what it was when the watch began."""

    __slots__ = ("_book", "_masker", "_patience")

    def __init__(self, book: GitBook | ListingBook | None, masker: Masker | None, patience: float) -> None:
        """Without a book, nothing can be known."""
        self._book = book
        self._masker = masker
        self._patience = patience

    async def found(self) -> Found | None:
        """What has changed until now, with secrets masked; None where that cannot be known."""
        if self._book is None:
            return None
        try:
            async with asyncio.timeout(self._patience):
                found = await self._book.compare()
        except (OrchError, OSError, ValueError):
            return None
        return found if found is None or not self._masker else self._masker.record(found)


@asynccontextmanager
async def watched(
    directory: Path,
    scratch: Path,
    environment: Mapping[str, str],
    *,
    children: LiveChildren | None = None,
    masker: Masker | None = None,
    patience: float = PATIENCE,
) -> AsyncIterator[Changes]:
    """Note how a folder is, and forget it at the end.

    Args:
        directory: The folder in which the work happens.
        scratch: A folder of our own that does not exist; made only if git is asked, and removed at the end.
        environment: Our environment; git gets the allowed part of it.
        children: The program's book of what lives.
        masker: Hides secrets in paths and patches.
        patience: Seconds for each look.
    """
    git = Git(directory, scratch, environment, children, masker, patience)
    try:
        yield Changes(await _begin(git), masker, patience)
    finally:
        await asyncio.to_thread(shutil.rmtree, scratch, ignore_errors=True)


async def _begin(git: Git) -> GitBook | ListingBook | None:
    try:
        async with asyncio.timeout(git.patience):
            if (book := await GitBook.begin(git)) is not None:
                return book
    except (OrchError, OSError, ValueError):
        pass  # no git, none that works here, or no time: names, sizes and times will do
    try:
        return await ListingBook.begin(git.directory)
    except OSError:
        return None
