"""The state file as its writer has it open: deeds go in, a transaction under the write lock comes of them.

Several deeds are committed together. If one of them is refused, all are undone and done again one by one, so that each
gets its own answer; refusals are rare, and groups are not. After a fault of the file nothing is written any more until
it is opened anew (it is *poisoned*): after a failed sync nobody knows what is on the disk, and to go on as if nothing
had happened would be to guess.

Edges survived: a state file that is removed or replaced while it is open (commits to it would be acknowledged and
lost), one that a newer version takes over meanwhile, and a lock that nobody gives back (an error, but no poison, as
nothing was written).
"""

import logging
import os
import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from orchestration.errors import NewerStore, StoreError
from orchestration.records import dataclass
from orchestration.store import inherited
from orchestration.store.faults import again, is_fault, is_passing, said_clearly, store_error
from orchestration.store.files import MOUNTS, StateFiles, network_type
from orchestration.store.locks import WRITE_PATIENCE, WriteLock
from orchestration.store.opening import open_to_write, refuse_newer, set_patience
from orchestration.store.recording import Deed, perform
from orchestration.store.schema import Schema

_LOG: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one deed: a value, or the error that whoever asked for it gets."""

    value: object = None
    error: BaseException | None = None


class _Fault(Exception):
    """The file could not be written, which concerns every deed; `told` is what each of them is told."""

    def __init__(self, told: StoreError, *, is_passing: bool = False) -> None:
        super().__init__(told)
        self.told = told
        self.is_passing = is_passing


class _Taken(Exception):
    """Somebody else holds the write lock, and was not to be waited for."""


class WritableState:
    """The state file, opened by its first deed; for one thread at a time.

    Attributes:
        warning: that the disk demands a slower way of writing, as soon as that is known.
    """

    def __init__(
        self,
        files: StateFiles,
        schema: Schema,
        mounts: Path = MOUNTS,
        write_patience: float = WRITE_PATIENCE,
    ) -> None:
        self._files = files
        self._database = files.database
        self._schema = schema
        self._mounts = mounts
        self._lock = WriteLock(files.write_lock, write_patience)
        self._connection: sqlite3.Connection | None = None
        self._opened: os.stat_result | None = None
        self._poison: StoreError | None = None
        self._is_patient = True
        self._of_backlog: dict[str, bool] = {}
        self.warning: str | None = None

    def commit(self, deeds: Sequence[Deed]) -> list[Answer]:
        """Do the deeds durably, together if possible; each error is the answer to the deed that it belongs to."""
        try:
            return [Answer(value) for value in self._transact(deeds)]
        except _Fault as fault:
            return [Answer(error=again(fault.told)) for _ in deeds]
        except Exception as refusal:  # noqa: BLE001  # whatever it is, it belongs to whoever asked for the deed
            if len(deeds) == 1:
                return [Answer(error=self._in_our_words(refusal))]
        return [answer for deed in deeds for answer in self.commit([deed])]

    def commit_at_once(self, deed: Deed) -> Answer | None:
        """Do one deed durably, if the file is open and nobody else is at it; None where it is not done for that."""
        if self._connection is None or self.warning is not None:
            return None
        try:
            return Answer(self._transact([deed], is_patient=False)[0])
        except _Taken:
            return None
        except _Fault as fault:
            return None if fault.is_passing else Answer(error=again(fault.told))
        except Exception as refusal:  # noqa: BLE001  # as above
            return Answer(error=self._in_our_words(refusal))
        except BaseException:  # Ctrl-C may come just when the lock was taken, or is about to be given back
            self._lock.release()
            raise

    def close(self) -> None:
        """Move the log into the file and close both; whatever comes of this, what was acknowledged is durable."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(StoreError, sqlite3.Error):
                self._settle(connection)
            connection.close()
        self._poison = None
        self._lock.close()

    def begin_anew(self, *, was_at_rest: bool) -> None:
        """Have nothing open, in a child that was just forked; `was_at_rest` as `inherited.leave` has it."""
        connection, self._connection = self._connection, None
        inherited.leave(self._database, connection, was_at_rest=was_at_rest)
        self._poison = None
        self._lock.close()

    def _settle(self, connection: sqlite3.Connection) -> None:
        self._lock.acquire()
        try:
            if self._poison is None and self._is_in_place():
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.close()
        finally:
            self._lock.release()

    def _transact(self, deeds: Sequence[Deed], *, is_patient: bool = True) -> list[object]:
        connection = self._lock_and_open(is_patient=is_patient)
        try:
            if is_patient is not self._is_patient:
                set_patience(connection, is_patient=is_patient)
                self._is_patient = is_patient
            connection.execute("BEGIN IMMEDIATE")
            self._refuse_newer(connection)
            answers = perform(connection, deeds, self._of_backlog)
            connection.execute("COMMIT")
        except BaseException as error:
            self._of_backlog.clear()
            _undo(connection)
            if isinstance(error, Exception) and is_fault(error):
                raise self._fault(error) from error
            raise
        finally:
            self._lock.release()
        return answers

    def _lock_and_open(self, *, is_patient: bool) -> sqlite3.Connection:
        """Take the lock and have the file open; where this fails, the lock is free."""
        if self._poison is not None:
            raise _Fault(self._poison)
        try:
            if self._connection is None:
                inherited.refuse_left(self._database)
                self._files.make_folder()
            if is_patient:
                self._lock.acquire()
            elif not self._lock.acquire_at_once():
                raise _Taken
        except StoreError as error:
            raise _Fault(error) from error
        try:
            return self._open()
        except BaseException:
            self._lock.release()
            raise

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            try:
                with said_clearly(self._database):
                    network = network_type(self._files.folder, self._mounts)
                    self._connection, self.warning = open_to_write(self._files, self._schema, network)
                    self._opened = self._database.stat()
                    self._is_patient = True
                    self._of_backlog.clear()
            except StoreError as error:
                raise _Fault(error) from error
            if self.warning is not None:
                _LOG.warning("%s", self.warning)
        if not self._is_in_place():
            self._poison = StoreError(
                "the state file was removed or replaced while it was in use",
                hint="run the same command again; what was recorded in the removed file is gone with it",
                file=self._database,
            )
            raise _Fault(self._poison)
        return self._connection

    def _refuse_newer(self, connection: sqlite3.Connection) -> None:
        try:
            refuse_newer(connection, self._database, self._schema)
        except NewerStore as error:
            self._poison = error
            raise _Fault(error) from error

    def _is_in_place(self) -> bool:
        try:
            there = self._database.stat()
        except OSError:
            return False
        return self._opened is not None and os.path.samestat(there, self._opened)

    def _fault(self, error: Exception) -> _Fault:
        told = store_error(error, self._database)
        told.__cause__ = error
        if is_passing(error):
            return _Fault(told, is_passing=True)
        self._poison = told
        return _Fault(told)

    def _in_our_words(self, error: Exception) -> Exception:
        if not isinstance(error, sqlite3.Error):
            return error
        told = store_error(error, self._database)
        told.__cause__ = error
        return told


def _undo(connection: sqlite3.Connection) -> None:
    with suppress(sqlite3.Error):  # after some faults SQLite has undone it already
        if connection.in_transaction:
            connection.execute("ROLLBACK")
