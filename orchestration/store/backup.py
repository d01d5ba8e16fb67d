"""Copies of the state file: verified before they get their name, and never in place of another file.

A copy is made by SQLite's own online backup through a connection that only reads, so a run may write meanwhile: the
copy has the state of one moment, and everything that was acknowledged before it. It is built beside its place under a
passing name, checked, and synced; only then does it get its name, by a link, which fails where that name is taken.

It has the database: runs, events, standings, values and short outputs. It does not have what lies in files: logs, long
outputs, and the project itself.

Edges survived: a disk that fills up half-way, a crash (which leaves a file with a passing name, for `orch doctor`), a
name that somebody takes meanwhile, a file that is damaged, of another program or of a newer version, and disks on which
there are no links.
"""

import errno
import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from orchestration.errors import StoreError, UsageError, WrongState
from orchestration.records import dataclass
from orchestration.store.backups import backups_folder
from orchestration.store.faults import said_clearly
from orchestration.store.files import StateFiles, network_type, sync_folder
from orchestration.store.locks import WriteLock
from orchestration.store.opening import Outdated, connect, open_to_read, open_to_write, version_of
from orchestration.store.schema import Schema, load_schema
from orchestration.store.statements import statements

PASSING: Final = ".passing-"
"""How the name of a copy begins that is not finished."""

MOST_NAMES: Final = 100
"""Backups that get their default name within one second; beyond, something is calling us in a circle."""

_NO_LINKS: Final = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})


@dataclass(frozen=True, slots=True)
class Copy:
    """A verified copy: where it is, and what it has."""

    file: Path
    size: int
    version: int
    runs: int
    events: int

    def to_dict(self) -> dict[str, Any]:
        """The facts as JSON."""
        return {
            "file": str(self.file),
            "size": self.size,
            "version": self.version,
            "runs": self.runs,
            "events": self.events,
        }


def back_up(folder: Path, target: Path | None = None, *, holds_lock: bool = False) -> Copy:
    """Copy the state of a project while others may use it.

    Args:
        folder: the state folder.
        target: the file, which must not exist, or a folder for it; `backups/` in the state folder by default.
        holds_lock: the caller has the write lock.

    Raises:
        WrongState: there is no state yet.
        UsageError: the file is there already, or cannot be there.
        NewerStore: the state is of a newer version.
        StoreError: it cannot be read, or the copy not be written, or the copy is not whole.
    """
    files, schema = StateFiles(folder), load_schema()
    place = _place_for(folder, target)
    with (
        closing(_source(files, schema, holds_lock=holds_lock)) as source,
        passing_copy(source, place, schema) as (passing, facts),
    ):
        with said_clearly(place):
            Path(passing).chmod(files.database.stat().st_mode & 0o777)
        named = _name(passing, place, numbered=target is None or target.is_dir())
    return Copy(named, *facts)


@contextmanager
def passing_copy(
    source: sqlite3.Connection, place: Path, schema: Schema
) -> Iterator[tuple[Path, tuple[int, int, int, int]]]:
    """A verified copy beside its place, which is gone afterwards unless it got another name.

    Yields:
        Its path; its size, version, and numbers of runs and events.

    Raises:
        StoreError: the copy cannot be written, or is not whole.
    """
    with said_clearly(place.parent):
        handle, name = tempfile.mkstemp(dir=place.parent, prefix=PASSING)
        os.close(handle)
    passing = Path(name)
    try:
        with said_clearly(place):
            facts = _fill(source, passing, place, schema)
            _sync_file(passing)
        yield passing, (passing.stat().st_size, *facts)
    finally:
        passing.unlink(missing_ok=True)
        passing.with_name(f"{passing.name}-journal").unlink(missing_ok=True)


def _fill(source: sqlite3.Connection, passing: Path, place: Path, schema: Schema) -> tuple[int, int, int]:
    with closing(connect(passing, "mode=rw")) as copy:
        source.backup(copy)  # all pages in one step: one moment, however many write meanwhile
        copy.execute("PRAGMA journal_mode = DELETE")  # one file, with no log that has to stay with it
        return verify(copy, place, schema)


def verify(connection: sqlite3.Connection, place: Path, schema: Schema) -> tuple[int, int, int]:
    """Make sure that a file is whole and ours; return its version, and the numbers of its runs and events.

    Raises:
        NewerStore: it is of a newer version.
        StoreError: it is not whole, not ours, or has nothing in it.
    """
    with said_clearly(place):
        version = version_of(connection, place, schema)
        if version == 0:
            raise StoreError("this database is empty", hint="name a file that `orch backup` has made", file=place)
        problems = [row for (row,) in connection.execute("PRAGMA integrity_check(5)") if row != "ok"]
        if problems:
            hint = "use another backup; `orch doctor` says how the state itself is"
            raise StoreError(f"the state file is damaged: {'; '.join(problems)[:300]}", hint=hint, file=place)
        ((runs, events),) = connection.execute(statements()["count_runs_and_events"])
    return version, runs, events


def _source(files: StateFiles, schema: Schema, *, holds_lock: bool) -> sqlite3.Connection:
    """The state, opened to be read; first brought up to date where that is needed."""
    try:
        opened = open_to_read(files, schema)
    except Outdated:
        with nullcontext() if holds_lock else write_locked(files):
            open_to_write(files, schema, network_type(files.folder))[0].close()
        opened = open_to_read(files, schema)
    if opened is None:
        raise WrongState("there is no state yet, so there is nothing to back up", hint="orch run-batch makes some")
    return opened[0]


@contextmanager
def write_locked(files: StateFiles) -> Iterator[None]:
    """Hold the write lock.

    Raises:
        StoreError: somebody else has kept it for too long.
    """
    lock = WriteLock(files.write_lock)
    lock.acquire()
    try:
        yield
    finally:
        lock.release()
        lock.close()


def _place_for(folder: Path, target: Path | None) -> Path:
    name = f"state-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.db"
    if target is None:
        files = StateFiles(folder)
        if not files.database.exists():
            raise WrongState("there is no state yet, so there is nothing to back up", hint="orch run-batch makes some")
        own = backups_folder(folder)
        with said_clearly(own):
            if not own.resolve().is_relative_to(folder.resolve()):
                raise StoreError("the folder of the backups is a link that leads out of the state folder", file=own)
            own.mkdir(exist_ok=True)
            sync_folder(folder)
        return own / name
    if target.is_dir():
        return target / name
    if os.path.lexists(target):
        raise _taken(target)
    if not target.parent.is_dir():
        raise UsageError("the folder for the backup does not exist", hint="make it first", file=target.parent)
    return target


def _name(passing: Path, place: Path, *, numbered: bool) -> Path:
    """Give a finished copy its name, or with `numbered` the next one that is free."""
    names = [place, *(place.with_name(f"{place.stem}-{n}{place.suffix}") for n in range(2, MOST_NAMES))]
    for name in names if numbered else names[:1]:
        with said_clearly(name):
            try:
                _link(passing, name)
            except FileExistsError:
                continue
            sync_folder(name.parent)
            return name
    raise _taken(place)


def _link(passing: Path, name: Path) -> None:
    try:
        name.hardlink_to(passing)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        os.close(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))  # takes the name
        passing.replace(name)


def _taken(place: Path) -> UsageError:
    return UsageError("this file is there already, and a backup never replaces one", hint="name another", file=place)


def _sync_file(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
