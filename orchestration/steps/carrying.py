"""Files on their way between a folder and the catalog of a run, by chunks, each with its digest.

A way into a folder is gone name by name and through no link, so that nothing that a task makes of it meanwhile leads
elsewhere. A file appears whole or not at all. In the catalog it lies under its digest, so that two tasks that put the
same name never spoil each other's. Everything here blocks, and is called in a thread.
"""

import hashlib
import os
import secrets
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from orchestration.records import dataclass

BLOCK: Final = 1 << 20
"""Bytes that are copied at once; between two blocks a copy can be given up."""

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # opening a pipe must not wait
_WRITE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Carried:
    """A file in the catalog: its name, what it holds, and the step that put it there."""

    name: str
    sha256: str
    size: int
    by: str

    def facts(self) -> dict[str, Any]:
        """The file as a result tells of it."""
        return {"sha256": self.sha256, "size": self.size}


class Spoilt(Exception):
    """A file of the catalog is not what was put there; the text says which."""


class GivenUp(Exception):
    """Nobody waits for the copy any more."""


def take(folder: Path, name: str, catalog: Path, by: str, given_up: Callable[[], bool]) -> Carried:
    """Copy a file of a folder into the catalog.

    Raises:
        OSError: it cannot be read, is no file, or there is no room.
        GivenUp: nobody waits for it any more.
    """
    catalog.mkdir(parents=True, exist_ok=True)
    half = catalog / f".{secrets.token_hex(8)}"
    *ways, last = name.split("/")
    with _folder(folder, ways, make=False) as at:
        source = _opened(last, at)
    try:
        target = os.open(half, _WRITE, 0o600)
        try:
            digest, size = _copied(source, target, given_up)
            os.fchmod(target, stat.S_IMODE(os.fstat(source).st_mode) & 0o777)
            os.fsync(target)
        finally:
            os.close(target)
        (catalog / digest).mkdir(exist_ok=True)
        half.replace(catalog / digest / last)
    finally:
        os.close(source)
        half.unlink(missing_ok=True)
    for entry in (catalog / digest, catalog):
        _sync(entry)
    return Carried(name, digest, size, by)


def give(carried: Carried, catalog: Path, folder: Path, given_up: Callable[[], bool]) -> None:
    """Copy a file of the catalog into a folder, over what has its name there.

    Raises:
        Spoilt: it is not what was put into the catalog.
        OSError: it cannot be written.
        GivenUp: nobody waits for it any more.
    """
    *ways, last = carried.name.split("/")
    half = f".{secrets.token_hex(8)}"
    try:
        source = os.open(catalog / carried.sha256 / last, _READ)
    except OSError as error:
        raise Spoilt(f"{carried.name}, which {carried.by} has put, is gone: {error.strerror}") from error
    try:
        with _folder(folder, ways, make=True) as at:
            if _is_there(carried, last, at, given_up):
                return
            target = os.open(half, _WRITE, 0o600, dir_fd=at)
            try:
                _written(carried, source, target, given_up)
                os.rename(half, last, src_dir_fd=at, dst_dir_fd=at)
            except BaseException as error:
                with suppress(FileNotFoundError):
                    os.unlink(half, dir_fd=at)
                if isinstance(error, OSError):
                    error.filename, error.filename2 = carried.name, None  # not that of the copy, which nobody knows
                raise
            finally:
                os.close(target)
    finally:
        os.close(source)


def _written(carried: Carried, source: int, target: int, given_up: Callable[[], bool]) -> None:
    digest, _ = _copied(source, target, given_up)
    if digest != carried.sha256:
        raise Spoilt(f"{carried.name} is not what {carried.by} has put: its digest is another one")
    os.fchmod(target, stat.S_IMODE(os.fstat(source).st_mode) & 0o777)


def _is_there(carried: Carried, last: str, at: int, given_up: Callable[[], bool]) -> bool:
    """Whether the folder has the same file already."""
    try:
        there = _opened(last, at)
    except OSError:
        return False
    try:
        return os.fstat(there).st_size == carried.size and _copied(there, None, given_up)[0] == carried.sha256
    finally:
        os.close(there)


@contextmanager
def _folder(root: Path, ways: Sequence[str], *, make: bool) -> Iterator[int]:
    """A folder below another one, reached through no link; made where it is not there."""
    at = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for way in ways:
            if make:
                with suppress(FileExistsError):
                    os.mkdir(way, dir_fd=at)
            inner = os.open(way, _FOLDER, dir_fd=at)
            os.close(at)
            at = inner
        yield at
    finally:
        os.close(at)


def _opened(name: str, at: int) -> int:
    found = os.open(name, _READ, dir_fd=at)
    if not stat.S_ISREG(os.fstat(found).st_mode):
        os.close(found)
        raise OSError(0, "it is no file")
    return found


def _copied(source: int, target: int | None, given_up: Callable[[], bool]) -> tuple[str, int]:
    """Copy, or only read, to the end; the digest and the number of bytes."""
    digest, size = hashlib.sha256(), 0
    while block := os.read(source, BLOCK):
        digest.update(block)
        size += len(block)
        left = memoryview(block)
        while target is not None and left:
            left = left[os.write(target, left) :]
        if given_up():
            raise GivenUp
    return digest.hexdigest(), size


def _sync(folder: Path) -> None:
    entry = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(entry)
    finally:
        os.close(entry)
