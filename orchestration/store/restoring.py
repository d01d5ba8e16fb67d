"""Putting a backup in the place of the state, in one step, so that a crash leaves the one or the other.

Everything happens under the write lock, and not while anybody owns a run. The backup is copied and verified first, then
the present state is kept as a backup of its own, and only then is it replaced:

1. The log of the present state is folded into its file. It must be gone, durably, before another file takes the name:
   SQLite would apply it to that one.
2. The copy is renamed to `state.db`, and the folder is synced.

A state that cannot be read any more (damaged, of another program, of a newer version) is kept as it is, byte for byte
and with its log. Who has the old file open reads on in it; who wants to write to it is told that it was replaced.

Edges survived: no state at all, a backup with a log of its own beside it, a file that is no backup, a crash at any
moment, and a run that begins meanwhile (its first write waits for the lock, and goes to the new state).
"""

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from orchestration.errors import NewerStore, StoreError, UsageError, WrongState
from orchestration.records import dataclass
from orchestration.store.backup import Copy, back_up, passing_copy, write_locked
from orchestration.store.backups import backups_folder
from orchestration.store.faults import said_clearly
from orchestration.store.files import StateFiles, sync_folder
from orchestration.store.locks import is_owned
from orchestration.store.opening import connect, version_of
from orchestration.store.schema import load_schema


@dataclass(frozen=True, slots=True)
class Restored:
    """What was put in place, and where the state is that was there before; None where there was none."""

    state: Copy
    kept: Path | None
    kept_is_verified: bool


def restore(folder: Path, backup: Path) -> Restored:
    """Replace a project's state by a backup.

    Raises:
        UsageError: there is no such file.
        WrongState: a run goes on.
        NewerStore: the backup is of a newer version.
        StoreError: it is damaged or not ours, or the state cannot be replaced.
    """
    files, schema = StateFiles(folder), load_schema()
    if not backup.is_file():
        raise UsageError("there is no such file", hint="`orch backup` makes backups", file=backup)
    if backup.resolve() == files.database.resolve():
        raise UsageError("this is the state itself", hint="name a backup", file=backup)
    files.make_folder()
    files.check_kinds()
    with write_locked(files), closing(_opened(backup)) as source:
        refuse_live(folder)
        with _about(backup):
            version_of(source, backup, schema)  # before anything is written
        with passing_copy(source, files.database, schema) as (passing, facts):
            kept, verified = _keep(files)
            _put_in_place(files, passing, fold=verified)
    return Restored(Copy(files.database, *facts), kept, verified)


def refuse_live(folder: Path) -> None:
    """Refuse to go on while anybody owns a run.

    Raises:
        WrongState: somebody does.
    """
    for run_id in run_folders(folder):
        if is_owned(folder, run_id):
            raise WrongState(f"run {run_id} goes on", hint=f"wait for its end, or end it with: orch cancel {run_id}")


def run_folders(folder: Path) -> list[str]:
    """The runs that have a folder."""
    with suppress(OSError):
        return sorted(entry.name for entry in os.scandir(folder / "runs") if entry.is_dir(follow_symlinks=False))
    return []


def _opened(backup: Path) -> sqlite3.Connection:
    """A backup has no log; a plain copy of a state that was in use has one, which belongs to it."""
    log = backup.with_name(f"{backup.name}-wal")
    with _about(backup):
        return connect(backup, "mode=ro" if log.exists() and log.stat().st_size else "mode=ro&immutable=1")


@contextmanager
def _about(backup: Path) -> Iterator[None]:
    """Say what is wrong with a backup; what would be done about a state is no advice for it."""
    try:
        with said_clearly(backup):
            yield
    except NewerStore:
        raise
    except StoreError as error:
        error.hint = "name a file that `orch backup` has made"
        raise


def _keep(files: StateFiles) -> tuple[Path | None, bool]:
    """Keep the present state as a backup; as it is, where it cannot be read."""
    if not files.database.exists():
        return None, False
    try:
        return back_up(files.folder, holds_lock=True).file, True
    except WrongState:
        return None, False  # an empty file, which nothing was ever written to
    except StoreError:
        return _keep_as_it_is(files), False


def _keep_as_it_is(files: StateFiles) -> Path:
    """Copy the bytes of a state that SQLite cannot read; nobody in this process has it open."""
    own = backups_folder(files.folder)
    with said_clearly(own):
        own.mkdir(exist_ok=True)
        kept = own / f"unreadable-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}.db"
        for source, target in ((files.database, kept), (files.log, kept.with_name(f"{kept.name}-wal"))):
            if source.exists():
                with source.open("rb") as old, target.open("xb") as new:
                    shutil.copyfileobj(old, new)
                    new.flush()
                    os.fsync(new.fileno())
        sync_folder(own)
    return kept


def _put_in_place(files: StateFiles, passing: Path, *, fold: bool) -> None:
    """Replace the state; with `fold` its log is worth something."""
    with said_clearly(files.database):
        there = files.database.exists()
        passing.chmod(files.database.stat().st_mode & 0o777 if there else 0o644)
        if fold:
            _fold_log(files)
        for name in ("-wal", "-shm", "-journal"):
            files.database.with_name(f"{files.database.name}{name}").unlink(missing_ok=True)
        sync_folder(files.folder)
        passing.replace(files.database)
        sync_folder(files.folder)


def _fold_log(files: StateFiles) -> None:
    """Move the log into its file, so that the file alone is the old state until it is replaced.

    Raises:
        StoreError: it cannot be moved, so nothing is replaced.
    """
    with closing(connect(files.database, "mode=rw")) as connection:
        connection.execute("PRAGMA synchronous = FULL")
        ((busy, _, _),) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    if busy:
        hint = "end the other program, then restore again"
        raise StoreError("another program keeps reading the state", hint=hint, file=files.database)
