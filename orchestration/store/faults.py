"""Errors of the disk and of SQLite, said again in words that name the place and the remedy.

A fault is not a refusal: a refusal (an outcome that is taken) concerns one writer, a fault concerns the file. After
most faults nobody knows what reached the disk, so whoever meets one stops writing; a file that is merely busy is the
exception.
"""

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from orchestration.errors import StoreError
from orchestration.store.backups import way_back

_OPEN_AGAIN: Final = "then run the same command again"
_EXAMINE: Final = "examine it: orch doctor"
_FAULTS: Final = {  # the beginning of SQLite's name for it → what is wrong, what to do
    "SQLITE_FULL": ("the disk is full", f"free some space, {_OPEN_AGAIN}"),
    "SQLITE_READONLY": ("the state cannot be written", "make the folder and its files writable for this user"),
    "SQLITE_PERM": ("the state cannot be written", "make the folder and its files writable for this user"),
    "SQLITE_CANTOPEN": ("the state cannot be opened", "check the permissions of the folder and its files"),
    "SQLITE_BUSY": ("another program keeps the state locked", "end the other program, or wait for it"),
    "SQLITE_LOCKED": ("another program keeps the state locked", "end the other program, or wait for it"),
    "SQLITE_CORRUPT": ("the state file is damaged", _EXAMINE),
    "SQLITE_NOTADB": ("the state file is damaged: this is no SQLite database", _EXAMINE),
    "SQLITE_IOERR": (
        "the disk reported an error",
        f"check the disk and the space that this user may use, {_OPEN_AGAIN}",
    ),
    "SQLITE_NOMEM": ("memory ran out while the state was written", f"free some memory, {_OPEN_AGAIN}"),
    "SQLITE_PROTOCOL": ("the locks of the state file do not work", "put the project on a local disk"),
}
_DAMAGE: Final = ("SQLITE_CORRUPT", "SQLITE_NOTADB")
_BUSY: Final = ("SQLITE_BUSY", "SQLITE_LOCKED")
_NOT_A_FOLDER: Final = ("something that is no folder is in the way", "move it away")
_ERRNOS: Final = {
    errno.ENOSPC: _FAULTS["SQLITE_FULL"],
    errno.EDQUOT: _FAULTS["SQLITE_FULL"],
    errno.EACCES: _FAULTS["SQLITE_READONLY"],
    errno.EPERM: _FAULTS["SQLITE_READONLY"],
    errno.EROFS: _FAULTS["SQLITE_READONLY"],
    errno.EIO: _FAULTS["SQLITE_IOERR"],
    errno.ENOLCK: _FAULTS["SQLITE_PROTOCOL"],
    errno.ENOENT: ("the state was removed while it was in use", f"let nothing remove the folder, {_OPEN_AGAIN}"),
    errno.EEXIST: _NOT_A_FOLDER,
    errno.ENOTDIR: _NOT_A_FOLDER,
    errno.ELOOP: ("a link stands where a file of ours should be", "remove the link"),
}
_UNKNOWN: Final = ("the state could not be read or written", None)


def is_fault(error: Exception) -> bool:
    """Whether the file is concerned, rather than the one statement that met the error."""
    return isinstance(error, OSError) or (isinstance(error, sqlite3.Error) and _words(error) is not None)


def concerns_the_disk(error: OSError) -> bool:
    """Whether the disk is full, fails or may only be read, whatever was to be written to it."""
    return error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO}


def is_passing(error: Exception) -> bool:
    """Whether nothing was written and a later try may succeed: somebody else held the file for too long."""
    return isinstance(error, sqlite3.Error) and _name(error).startswith(_BUSY)


def is_damage(error: BaseException | None) -> bool:
    """Whether the bytes in the file are not those of a state any more."""
    return isinstance(error, sqlite3.Error) and _name(error).startswith(_DAMAGE)


def store_error(error: Exception, place: Path) -> StoreError:
    """The error in our words, for a file in the state folder; the caller raises it `from` the original."""
    message, hint = _words(error) or _UNKNOWN
    if is_damage(error):
        hint = f"{hint}; {way_back(place.parent)}"
    return StoreError(f"{message} ({error})", hint=hint, file=place)


def again(error: StoreError) -> StoreError:
    """The same error to be raised once more: an instance of its own, because raising writes a traceback into it."""
    copy = type(error)(error.message, hint=error.hint, file=error.file)
    copy.__cause__ = error.__cause__
    return copy


@contextmanager
def said_clearly(place: Path) -> Iterator[None]:
    """Translate whatever the disk or SQLite raises inside.

    Raises:
        StoreError: in place of it.
    """
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise store_error(error, place) from error


def _words(error: Exception) -> tuple[str, str] | None:
    if isinstance(error, OSError):
        return _ERRNOS.get(error.errno or 0)
    name = _name(error)
    return next((words for kind, words in _FAULTS.items() if name.startswith(kind)), None)


def _name(error: Exception) -> str:
    """SQLite's name for the error; errors of Python's own module have none."""
    return getattr(error, "sqlite_errorname", None) or ""
