"""Compares a folder with what it was, by trees of git that nobody else ever sees.

A copy of the user's index, in a folder of ours, is brought up to the state of the files and written as a tree; so is
the same index after the work; the two trees are compared. New objects go to a folder of ours too, with the repository's
as a second place to read from: nothing is written to the repository (git may renew the times of objects that it meets
again), its index is not locked, and no hook, filter, monitor or download is started. Edges it survives:

- A folder deep inside of a repository (only it is looked at), a linked work tree, an index with conflicts, promises or
  a sparse part, a repository without a commit.
- Files that are ignored, and our own state folder: left out. A folder that is ignored as a whole, such as a copy inside
  of our state folder: not git's; names, sizes and times are compared instead.
- Large, unreadable and very many new files: not read, but compared by size and time, so that they are still named.
- A repository inside of the repository: its commit counts if it is registered (a submodule), else nothing does.
- Files that vanish or change while we look; commits, resets and new branches made meanwhile.
"""

import asyncio
import os
import shutil
import stat
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Final, Self

from orchestration.attempts.changes.records import MAX_PATHS, Found, Git, GitFailed
from orchestration.records import dataclass

MAX_DIFF: Final = 1024 * 1024
"""Bytes of a patch; people read some thousand lines of one, agents not more."""

MAX_FILE: Final = 4 * 1024 * 1024
"""Bytes of a file that is read; larger ones are data, and are compared by size and time."""

MAX_READ: Final = 256 * 1024 * 1024
"""Bytes of all files that one look reads; further ones are compared by size and time."""

STATE_FOLDER: Final = ".orchestration"
_PLACES: Final = ("--show-toplevel", "--git-path", "index", "--git-path", "objects")
_CHANGED: Final = ("ls-files", "-z", "--modified", "--deleted", "--others", "--exclude-standard", "--", ".")
_FILTERS: Final = r"^filter\..*\.(clean|smudge|process|required)$"
_COMPARE: Final = ("diff-tree", "-r", "--relative", "--no-color", "--no-ext-diff", "--no-textconv")

Unread = dict[str, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Tree:
    """One look: a tree of what was read, and sizes and times of what was not."""

    name: str
    unread: Unread


class GitBook:
    """The first look at a folder, to compare with."""

    __slots__ = ("_before", "_git")

    def __init__(self, git: Git, before: Tree) -> None:
        """For `begin`."""
        self._git = git
        self._before = before

    @classmethod
    async def begin(cls, git: Git) -> Self | None:
        """Take the first look; None where the folder is not git's.

        Raises:
            OrchError: There is no git, or it could not answer.
            OSError: The index cannot be copied.
        """
        places = (await git.ask("rev-parse", "--path-format=absolute", *_PLACES)).decode().splitlines()
        if len(places) != len(("top", "index", "objects")) or await _is_ignored(git, places[0]):
            return None
        _, index, objects = places
        own = replace(
            git,
            variables={
                "GIT_INDEX_FILE": str(git.scratch / "index"),
                "GIT_OBJECT_DIRECTORY": str(git.scratch / "objects"),
                "GIT_ALTERNATE_OBJECT_DIRECTORIES": _listed(objects),
            },
        )
        await asyncio.to_thread(_prepare, git.scratch, Path(index))
        return cls(own, await _look(own, {}))

    async def compare(self) -> Found:
        """Take another look, and say what differs; raises as `begin` does."""
        after = await _look(self._git, self._before.unread)
        trees = (self._before.name, after.name)
        answer = await self._git.ask(*_COMPARE, "-z", "--name-only", "--no-renames", *trees)
        paths = {_shown(path) for path in answer.split(b"\0")[:-1]}
        before, now = self._before.unread, after.unread
        keys = before.keys() | now.keys()
        unread = {_shown(os.fsencode(path)) for path in keys if before.get(path) != now.get(path)}
        diff = ""
        if paths:
            patch = ("--patch", "--find-renames", "--src-prefix=a/", "--dst-prefix=b/")
            diff = await self._git.show(*_COMPARE, *patch, *trees, limit=MAX_DIFF)
        diff += "".join(f"Large file {path} differs\n" for path in sorted(unread - paths)[:MAX_PATHS])
        changed = sorted(paths | unread)
        return Found(tuple(changed[:MAX_PATHS]), diff, max(0, len(changed) - MAX_PATHS))


async def _is_ignored(git: Git, top: str) -> bool:
    """Whether the folder, or one above it inside of the repository, is ignored as a whole."""
    inner = _below(git.directory, top)
    if inner == ".":
        return False
    above = replace(git, directory=Path(top))
    answer = await above.ask("check-ignore", "-z", "--stdin", stdin=os.fsencode(inner) + b"\0", fine=(0, 1))
    return bool(answer)


def _below(directory: Path, top: str) -> str:
    return os.path.relpath(os.path.realpath(directory), os.path.realpath(top))


async def _look(git: Git, known: Unread) -> Tree:
    """Bring our index up to the state of the files, and write it as a tree; what was `known` unread stays so."""
    git = replace(git, settings=await _without_filters(git))
    listed = await git.ask(*_CHANGED)
    paths = {os.fsdecode(path) for path in listed.split(b"\0") if path}
    read, unread = await asyncio.to_thread(_sorted_out, git.directory, sorted(paths), known)
    given = b"".join(os.fsencode(path) + b"\0" for path in read)
    if given:
        await git.ask("update-index", "--add", "--remove", "--replace", "-z", "--stdin", stdin=given)
    name = (await git.ask("write-tree", "--missing-ok")).decode().strip()
    if not name:
        raise GitFailed("git wrote no tree")
    return Tree(name, unread)


async def _without_filters(git: Git) -> dict[str, str]:
    """Settings that switch off every filter there is now: they are commands, and some write into the repository."""
    answer = await git.ask("config", "-z", "--name-only", "--get-regexp", _FILTERS, fine=(0, 1))
    names = {os.fsdecode(name) for name in answer.split(b"\0") if name}
    return {name: "false" if name.endswith(".required") else "" for name in names}


def _sorted_out(directory: Path, paths: Iterable[str], known: Unread) -> tuple[list[str], Unread]:
    """Which paths git is to read (or to forget), and sizes and times of the others."""
    read: list[str] = []
    unread: Unread = {}
    left = MAX_READ
    for path in paths:
        if path.endswith("/") or STATE_FOLDER in Path(path).parts:
            continue
        try:
            about = (directory / path).lstat()
        except OSError:
            read.append(path)  # it is gone
            continue
        size = about.st_size if stat.S_ISREG(about.st_mode) else 0
        if path in known or size > min(left, MAX_FILE) or (size and not os.access(directory / path, os.R_OK)):
            unread[path] = (about.st_size, about.st_mtime_ns)
        else:
            left -= size
            read.append(path)
    return read, unread


def _prepare(scratch: Path, index: Path) -> None:
    (scratch / "objects").mkdir(parents=True)
    if index.exists():
        shutil.copyfile(index, scratch / "index")


def _shown(path: bytes) -> str:
    return path.decode(errors="replace")


def _listed(path: str) -> str:
    """A path as it stands in a list of paths, where a colon parts them."""
    if ":" not in path and not path.startswith('"'):
        return path
    return '"' + path.replace("\\", "\\\\").replace('"', '\\"') + '"'
