"""Opening the state file, to write or to read: whose it is, of which version, and in which mode it can be used.

Edges survived: a file of a newer version (not a byte of it is touched, which is why it is looked at before it is opened
to write: a writer's close may move the log into the file), a file of another program or of no database at all, a file
whose making was cut short, a folder that cannot be written, and disks on which SQLite's log does not work.

The file is never opened but through SQLite: closing any other descriptor of it would drop the locks that this process
holds on it.
"""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from orchestration.errors import NewerStore, StoreError
from orchestration.store.faults import is_passing, said_clearly
from orchestration.store.files import StateFiles
from orchestration.store.inherited import refuse_left
from orchestration.store.schema import APPLICATION_ID, Schema, build

BUSY_SECONDS: Final = 30.0
"""How long SQLite itself waits for others; ours wait for the write lock before, so these are foreign programs."""
PAGES_KIB: Final = 512
"""What a connection keeps of the file in memory. What a commit touches lies close together; the rest is the system's,
which keeps it for all who use the file."""
_FROZEN: Final = "mode=ro&immutable=1"
"""Read without locks and without a log: right only while nobody can be writing."""
_UNWRITABLE: Final = ("SQLITE_READONLY_DIRECTORY", "SQLITE_READONLY_CANTINIT", "SQLITE_CANTOPEN")
_UNDONE: Final = ("SQLITE_READONLY_ROLLBACK", "SQLITE_READONLY_RECOVERY")


class Outdated(Exception):
    """The file has to be opened by a writer first: it is of an older version, or a crash left something to undo."""


def open_to_write(files: StateFiles, schema: Schema, network: str | None) -> tuple[sqlite3.Connection, str | None]:
    """Open the file, make it or bring it up to date; the caller holds the write lock.

    Returns:
        The connection, and a warning when the disk demands the slower journal.

    Raises:
        NewerStore: the file is of a newer version.
        StoreError: it is not ours, or cannot be used.
    """
    files.check_kinds()
    with said_clearly(files.database):
        if files.database.exists():
            with closing(connect(files.database, _glancing(files))) as glance:
                version_of(glance, files.database, schema)
        connection = connect(files.database, "mode=rwc")
        try:
            connection.execute("PRAGMA trusted_schema = OFF")
            warning = _set_journal(connection, network)
            version = version_of(connection, files.database, schema)
            if version < schema.version:
                build(connection, schema, version)
        except BaseException:
            connection.close()
            raise
        return connection, warning


def _glancing(files: StateFiles) -> str:
    """How to look without changing anything: what stands in the log counts, but a journal would have to be undone."""
    return "mode=ro" if files.has_log() and not files.journal.exists() else _FROZEN


def open_to_read(files: StateFiles, schema: Schema) -> tuple[sqlite3.Connection, bool] | None:
    """Open the file read-only; None where there is nothing yet. Makes nothing in a folder without state.

    Returns:
        The connection, and whether it may be kept: one to a frozen file is good for one question.

    Raises:
        NewerStore: the file is of a newer version.
        Outdated: a writer has to open it first.
        StoreError: it is not ours, or cannot be used.
    """
    files.check_kinds()
    with said_clearly(files.database):
        if not files.database.exists():
            return None
        lasting = True
        try:
            found = _open_in(files, schema, "mode=ro")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorname in _UNDONE:
                raise Outdated from error
            if error.sqlite_errorname not in _UNWRITABLE:
                raise
            if files.has_log():
                raise _unfinished(files) from error
            lasting = False
            found = _open_in(files, schema, _FROZEN)
        return None if found is None else (found, lasting)


def _unfinished(files: StateFiles) -> StoreError:
    return StoreError(
        "whoever wrote last left an unfinished log, which cannot be read where nothing can be written",
        hint="make the folder and its files writable for this user, or let their owner run: orch status",
        file=files.log,
    )


def _open_in(files: StateFiles, schema: Schema, mode: str) -> sqlite3.Connection | None:
    connection = connect(files.database, mode)
    try:
        version = version_of(connection, files.database, schema)
    except BaseException:
        connection.close()
        raise
    if version == schema.version:
        return connection
    connection.close()
    if version == 0:
        return None
    raise Outdated


def connect(path: Path, mode: str) -> sqlite3.Connection:
    """Open a file as SQLite's parameter `mode` says.

    Raises:
        StoreError: this process was forked in the middle of something, and may not; see `inherited`.
    """
    refuse_left(path)
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?{mode}",
        uri=True,
        timeout=BUSY_SECONDS,
        isolation_level=None,  # transactions begin and end where we say
        check_same_thread=False,  # one thread at a time uses it
    )
    try:
        connection.execute(f"PRAGMA cache_size = -{PAGES_KIB}")  # looks into the file
    except BaseException:
        connection.close()
        raise
    return connection


def set_patience(connection: sqlite3.Connection, *, is_patient: bool) -> None:
    """Let the connection wait for others who hold the file, as it does when it is opened, or not at all."""
    connection.execute(f"PRAGMA busy_timeout = {round(BUSY_SECONDS * 1_000) if is_patient else 0}")


def version_of(connection: sqlite3.Connection, path: Path, schema: Schema) -> int:
    """The version of the file, 0 for an empty one.

    Raises:
        NewerStore: it is a newer one than ours.
        StoreError: the file is not ours.
    """
    ((owner,),) = connection.execute("PRAGMA application_id")
    ((version,),) = connection.execute("PRAGMA user_version")
    if owner == APPLICATION_ID:
        refuse_newer(connection, path, schema)
        return int(version)
    ((tables,),) = connection.execute("SELECT count(*) FROM sqlite_master")
    ((later,),) = connection.execute("PRAGMA application_id")
    if later == APPLICATION_ID:  # another process has made the file between two of these questions
        return version_of(connection, path, schema)
    if owner or version or tables:
        raise StoreError(
            "this SQLite database belongs to another program",
            hint="move it away; orch makes a new one",
            file=path,
        )
    return 0


def refuse_newer(connection: sqlite3.Connection, path: Path, schema: Schema) -> None:
    """Make sure that the file is not of a newer version, which it may become at any time while it is open.

    Raises:
        NewerStore: it is.
    """
    ((version,),) = connection.execute("PRAGMA user_version")
    if version > schema.version:
        raise NewerStore(
            f"the state was written by a newer version of orch (format {version}, this one knows {schema.version})",
            hint="install the newer version; the file was left as it is",
            file=path,
        )


def _set_journal(connection: sqlite3.Connection, network: str | None) -> str | None:
    """Choose the journal that the disk allows, and the most careful syncing; return a warning for the slower one."""
    connection.execute("PRAGMA fullfsync = ON")  # macOS: make the disk itself write, not only the kernel
    why = f"network file system {network}" if network else _use_log(connection)
    if why is None:
        connection.execute("PRAGMA synchronous = FULL")
        return None
    connection.execute("PRAGMA journal_mode = DELETE")
    # FULL, and the folder too: without that, a power cut undoes the last commit.
    connection.execute("PRAGMA synchronous = EXTRA")
    return (
        f"the state lies where SQLite's write-ahead log does not work ({why}): writing is slower, "
        "and only one machine may use it at a time"
    )


def _use_log(connection: sqlite3.Connection) -> str | None:
    """Switch to the write-ahead log; return why that did not work."""
    try:
        ((mode,),) = connection.execute("PRAGMA journal_mode = WAL")
    except sqlite3.OperationalError as error:
        if is_passing(error):
            raise
        return str(error)
    return None if mode == "wal" else f"the journal stays {mode}"
