"""Questions to the state file, on a thread of its own with a read-only connection.

A question sees everything that was acknowledged before it was asked. Edges survived: no state yet (the answer is empty,
and nothing is made), a file that was removed, replaced or taken over by a newer version between two questions, a folder
that cannot be written, a file that must first be brought up to date (`Outdated`: the writer does that),
a reader that one loop closes while another one asks, and a child process that is forked.
"""

import asyncio
import json
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime
from functools import cache
from typing import Any, Final, TypeVar

from orchestration.errors import StoreError
from orchestration.events import Event, from_json
from orchestration.forked import PATIENCE
from orchestration.garbage import uncollected
from orchestration.kinds import ExecutionStatus, RunStatus
from orchestration.protocols import Claim, CommandRow, Owner, RunRecord, Standing
from orchestration.store import inherited
from orchestration.store.faults import said_clearly
from orchestration.store.files import StateFiles
from orchestration.store.opening import open_to_read, refuse_newer
from orchestration.store.schema import Schema
from orchestration.store.statements import statements

T = TypeVar("T")
FEW: Final = 500
"""So many standings are looked up one by one; for more, all are read: one walk costs less than many look-ups."""


class _Shape(Mapping[str, Any]):
    """The graph of a run, read when it is asked for: of most runs it never is, and it is far larger than the rest."""

    __slots__ = ("_read", "_text")

    def __init__(self, text: str) -> None:
        self._text = text
        self._read: dict[str, Any] | None = None

    def _known(self) -> dict[str, Any]:
        if self._read is None:
            self._read = json.loads(self._text)
        return self._read

    def __getitem__(self, task_id: str) -> Any:  # noqa: ANN401  # whatever was written of the task
        return self._known()[task_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._known())

    def __len__(self) -> int:
        return len(self._known())

    def __repr__(self) -> str:
        return repr(self._known())


class Reader:
    """Asks questions, one at a time, in a thread."""

    def __init__(self, files: StateFiles, schema: Schema) -> None:
        self._files = files
        self._schema = schema
        self._connection: sqlite3.Connection | None = None
        self._inode: tuple[int, int] | None = None
        self._is_at_rest = False
        self._be_new()

    def _be_new(self) -> None:
        self._turn = threading.Lock()  # to begin or end the thread, and to queue for it
        self._asking = threading.Lock()  # a thread that ends may still be at it when the next one begins
        self._threads: ThreadPoolExecutor | None = None

    def rest(self) -> None:
        """Finish the question, and answer no more before `go_on`."""
        self._is_at_rest = self._asking.acquire(timeout=PATIENCE)

    def go_on(self) -> None:
        """Answer again what was asked."""
        if self._is_at_rest:
            self._is_at_rest = False
            self._asking.release()

    def begin_anew(self) -> None:
        """Be as one that was just made, in a child that was just forked."""
        connection, self._connection = self._connection, None
        inherited.leave(self._files.database, connection, was_at_rest=self._is_at_rest)
        self._is_at_rest = False
        self._be_new()

    async def ask(self, question: Callable[[sqlite3.Connection], T], empty: T) -> T:
        """Answer the question, `empty` where there is no state.

        Raises:
            Outdated: a writer has to open the file first.
            StoreError: the file cannot be read.
        """
        with self._turn:
            if self._threads is None:
                self._threads = ThreadPoolExecutor(1, thread_name_prefix="orch-store-reader")
            answer = asyncio.get_running_loop().run_in_executor(self._threads, self._ask, question, empty)
        return await answer

    async def close(self) -> None:
        """Close the connection and end the thread."""
        with self._turn:
            threads, self._threads = self._threads, None
            if threads is None:
                return
            dropped = asyncio.get_running_loop().run_in_executor(threads, self._drop_alone)
        await dropped
        threads.shutdown(wait=False)

    def drop(self) -> None:
        """Close the connection; only when no question is being answered."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _drop_alone(self) -> None:
        with self._asking:
            self.drop()

    def _ask(self, question: Callable[[sqlite3.Connection], T], empty: T) -> T:
        with self._asking, said_clearly(self._files.database), uncollected():
            if self._connection is not None and self._inode == self._present():
                refuse_newer(self._connection, self._files.database, self._schema)
                return question(self._connection)
            self.drop()
            self._inode = self._present()
            opened = open_to_read(self._files, self._schema)
            if opened is None:
                return empty
            self._connection, lasting = opened
            try:
                return question(self._connection)
            finally:
                if not lasting:
                    self.drop()

    def _present(self) -> tuple[int, int] | None:
        try:
            there = self._files.database.stat()
        except FileNotFoundError:
            return None
        return there.st_dev, there.st_ino


def events(connection: sqlite3.Connection, run_id: str, since: int) -> Sequence[Event]:
    """The run's events after number `since`, in order."""
    with closing(connection.execute(statements()["select_events"], (run_id, since))) as rows:
        return [_event(body) for (body,) in rows]


def runs(connection: sqlite3.Connection) -> Sequence[RunRecord]:
    """All runs, the one that was opened last first."""
    tasks_of, shape_of = cache(_tasks), cache(_Shape)  # most runs are of the same tasks as others
    with closing(connection.execute(statements()["select_runs"])) as rows:
        return [_run(row, tasks_of, shape_of) for row in rows]


def standings(connection: sqlite3.Connection, task_ids: Sequence[str] | None) -> Mapping[str, Standing]:
    """The standings of these tasks, or of all."""
    known = statements()
    if task_ids is None or len(task_ids) > FEW:
        wanted = None if task_ids is None else frozenset(task_ids)
        rows = [row for row in connection.execute(known["select_standings"]) if wanted is None or row[0] in wanted]
    else:
        asked = sorted(set(task_ids))
        rows = [row for task_id in asked for row in connection.execute(known["select_standing"], (task_id,))]
    return {row[0]: _standing(*row) for row in rows}


def claims(connection: sqlite3.Connection) -> Mapping[str, Claim]:
    """All claims by task."""
    rows = connection.execute(statements()["select_claims"])
    return {row[0]: _claim(*row) for row in rows}


def commands(connection: sqlite3.Connection, run_id: str) -> Sequence[CommandRow]:
    """The run's commands without an answer, oldest first."""
    rows = connection.execute(statements()["select_commands"], (run_id,))
    return [CommandRow(number, run, task_id, action, json.loads(body)) for number, run, task_id, action, body in rows]


def answered(connection: sqlite3.Connection, number: int) -> Mapping[str, Any] | None:
    """What came of a command; None while nobody answered."""
    row = connection.execute(statements()["select_answer"], (number,)).fetchone()
    if row is None or row[0] is None:
        return None
    found: dict[str, Any] = json.loads(row[0])
    return found


def _tasks(text: str) -> tuple[str, ...]:
    return tuple(json.loads(text))


def _run(
    row: Sequence[Any], tasks_of: Callable[[str], tuple[str, ...]], shape_of: Callable[[str], Mapping[str, Any]]
) -> RunRecord:
    run_id, status, created_at, updated_at, tasks, shape, kind, last_seq, last_event = row
    return RunRecord(
        run_id=run_id,
        status=RunStatus(status),
        created_at=datetime.fromisoformat(created_at),
        updated_at=datetime.fromisoformat(json.loads(last_event)["at"] if last_event else updated_at),
        tasks=tasks_of(tasks),
        shape=shape_of(shape),
        kind=kind,
        last_seq=last_seq or 0,
    )


def _standing(task_id: str, run_id: str, seq: int, status: str, at: str, body: str) -> Standing:
    return Standing(task_id, run_id, seq, ExecutionStatus(status), datetime.fromisoformat(at), _event(body))


def _claim(
    task_id: str, run_id: str, pid: int | None, born: int | None, boot_id: str | None, since: str | None
) -> Claim:
    owner = None if pid is None else Owner(pid, born, boot_id or "")
    return Claim(task_id, run_id, owner, None if since is None else datetime.fromisoformat(since))


def _event(body: str) -> Event:
    try:
        return from_json(body)
    except (KeyError, ValueError, TypeError) as error:
        raise StoreError(
            f"a stored event cannot be understood ({error!r}): {body[:120]}",
            hint="a newer version of orch may have written it; use that one",
        ) from error
