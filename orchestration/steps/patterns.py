"""Patterns of files, as `catalog` has them: `report.csv`, `out/*.csv`, `out/**/*.json`, `out/**`.

`*`, `?` and `[…]` stand for characters of one name, and not for a dot at its beginning; `**` for any folders, also
none, and at the end for every file below. A pattern never leads out of the folder that it is looked up in, and neither
do links: they are not followed, and what is one is told apart from what is found.
"""

import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

from orchestration.errors import UsageError
from orchestration.records import dataclass

MAX_FILES: Final = 10_000
"""Files that one pattern may find; more are a mistake, such as a whole disk."""

MAX_DEPTH: Final = 100
"""Folders inside of folders that are walked through."""

_WILD: Final = frozenset("*?[")


def checked_pattern(pattern: object, where: str) -> str:
    """A pattern that stays inside of a folder.

    Raises:
        UsageError: it is no text, or leads elsewhere.
    """
    if not isinstance(pattern, str) or not pattern.strip() or "\0" in pattern:
        raise UsageError(f"{where}: {pattern!r:.80} is no pattern of files", hint="such as report.csv or out/*.csv")
    parts = pattern.removeprefix("./").split("/")
    if pattern.startswith(("/", "~")) or ".." in parts or "" in parts or "." in parts:
        hint = "patterns are relative to the working folder, and stay in it"
        raise UsageError(f"{where}: the pattern {pattern!r:.120} leads elsewhere, or nowhere", hint=hint)
    return "/".join(parts)


def fits(name: str, pattern: str) -> bool:
    """Whether a file's name, relative and with `/`, is one that a pattern means."""
    parts = pattern.split("/")
    return _fits(name.split("/"), [*parts, "*"] if parts[-1] == "**" else parts)


def _fits(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    """Row by row, so that many `**` cost no more than their number."""
    reached = {0}  # positions in the pattern that the parts so far lead to
    for part in parts:
        reached = {
            after
            for at in _through(reached, pattern)
            if at < len(pattern)
            for after in ([at] if pattern[at] == "**" and not part.startswith(".") else [])
            + ([at + 1] if pattern[at] != "**" and _is_like(part, pattern[at]) else [])
        }
    ends = _through(reached, pattern)
    return len(pattern) in ends


def _through(reached: set[int], pattern: Sequence[str]) -> set[int]:
    """With the positions that follow because `**` stands for nothing."""
    found = set(reached)
    for at in sorted(reached):
        while at < len(pattern) and pattern[at] == "**":
            at += 1  # noqa: PLW2901  # walks on from there
            found.add(at)
    return found


def _is_like(part: str, pattern: str) -> bool:
    return fnmatchcase(part, pattern) and (not part.startswith(".") or pattern.startswith("."))


@dataclass(slots=True)
class Found:
    """What a pattern means in a folder: the names of files, of folders, and of links and whatever else is no file."""

    files: list[str] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)


def find(folder: Path, pattern: str, besides: Collection[Path] = ()) -> Found:
    """Look a pattern up; names are relative, in order; `besides` is what it never means, nor anything below of that.

    Raises:
        UsageError: it finds too many files.
    """
    parts = pattern.split("/")
    plain = next((i for i, part in enumerate(parts[:-1]) if _WILD & set(part)), len(parts) - 1)
    found = Found()
    ways = [folder / "/".join(parts[: i + 1]) for i in range(plain)]
    if any(way.is_symlink() for way in ways):
        found.others.append("/".join(parts[:plain]))
        return found
    if any(way in besides for way in ways):
        return found
    deep = MAX_DEPTH if "**" in parts else len(parts)
    for name, entry in _walk(folder, "/".join(parts[:plain]), deep, besides):
        if not fits(name, pattern):
            continue
        if entry.is_file(follow_symlinks=False):
            found.files.append(name)
        else:
            (found.folders if entry.is_dir(follow_symlinks=False) else found.others).append(name)
        if len(found.files) > MAX_FILES:
            raise UsageError(f"the pattern {pattern} finds over {MAX_FILES:,} files", hint="name fewer, or pack them")
    found.files.sort()
    return found


def _walk(folder: Path, below: str, deep: int, besides: Collection[Path]) -> Iterator[tuple[str, "os.DirEntry[str]"]]:
    """Every name below a folder, with what has it."""
    waiting = [below]
    while waiting:
        inner = waiting.pop()
        try:
            entries = sorted(os.scandir(folder / inner), key=lambda entry: entry.name)
        except (FileNotFoundError, NotADirectoryError):
            continue
        for entry in entries:
            if besides and Path(entry.path) in besides:
                continue
            name = f"{inner}/{entry.name}" if inner else entry.name
            yield name, entry
            if entry.is_dir(follow_symlinks=False) and name.count("/") + 1 < deep:
                waiting.append(name)
