"""What a transaction does: the deeds of the writer, as functions of its connection.

Each is called inside a transaction that somebody else begins and ends. A deed that is refused raises; then the whole
transaction is undone, so a deed need not tidy up after itself.
"""

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from operator import itemgetter
from typing import Any, Final, TypeAlias

from orchestration.errors import OutcomeTaken, UnknownRun, UsageError
from orchestration.events import Event, TaskEvent
from orchestration.protocols import RunRecord
from orchestration.records import dataclass
from orchestration.store import following
from orchestration.store.owners import this_process
from orchestration.store.statements import statements
from orchestration.store.texts import event_text, json_text

Row: TypeAlias = tuple[str, int, str, str | None, int | None, str]
Deed: TypeAlias = "Addition | Callable[[sqlite3.Connection], object]"
"""What a transaction may be asked to do; additions that follow each other are done as one."""

SMALL_ROWS: Final = 64
SMALL_TEXT: Final = 64 * 1_024
"""Events, and characters of all their bodies, in an addition that is small."""


@dataclass(frozen=True, slots=True)
class Addition:
    """Events of one run that are to be added, with the rows that they become."""

    run_id: str
    events: Sequence[Event]
    rows: Sequence[Row]

    @property
    def is_small(self) -> bool:
        """Whether it takes a disk that is quick no longer than a few hundred microseconds."""
        return len(self.rows) <= SMALL_ROWS and sum(len(row[-1]) for row in self.rows) <= SMALL_TEXT

    @classmethod
    def of(cls, run_id: str, events: Sequence[Event]) -> "Addition":
        """Write the events down now: what is stored is what they say at this moment.

        Raises:
            ValueError: an event belongs to another run.
        """
        return cls(run_id, tuple(events), [_row(run_id, event) for event in events])


def perform(connection: sqlite3.Connection, deeds: Sequence[Deed], of_backlog: dict[str, bool]) -> list[object]:
    """Do all deeds in order and return what each answers.

    Args:
        connection: in a transaction.
        deeds: what to do.
        of_backlog: what is known of runs from earlier transactions, and from now on: whether their tasks are those of
            the backlog. That is at the end of a run's row, behind all that is said of its tasks, so looking it up
            takes the longer the more tasks there are.
    """
    answers: list[object] = []
    additions: list[Addition] = []
    for deed in deeds:
        if isinstance(deed, Addition):
            additions.append(deed)
            answers.append(None)
            continue
        add(connection, additions, of_backlog)
        additions = []
        answers.append(deed(connection))
    add(connection, additions, of_backlog)
    return answers


def add(connection: sqlite3.Connection, additions: Sequence[Addition], of_backlog: dict[str, bool]) -> None:
    """Add events, and change what follows from them; `of_backlog` as in `perform`.

    Raises:
        OutcomeTaken: an event is not the next one of its run, or ends an attempt that has ended.
        UnknownRun: there is no such run.
    """
    rows = [row for addition in additions for row in addition.rows]
    if not rows:
        return
    try:
        connection.executemany(statements()["insert_event"], rows)
    except sqlite3.IntegrityError as error:
        raise _refusal(connection, additions, error) from error
    _follow(connection, (event for addition in additions for event in addition.events), of_backlog)


@dataclass(frozen=True, slots=True)
class Opening:
    """A run that is to be added, with the row that it becomes and its first events."""

    row: tuple[str | None, ...]
    first: Addition

    @classmethod
    def of(cls, record: RunRecord, events: Sequence[Event]) -> "Opening":
        """Write the run down now, and not on the thread that writes: memory for long texts is never shared by threads.

        Raises:
            ValueError: an event belongs to another run.
        """
        times = record.created_at.isoformat(), record.updated_at.isoformat()
        row = (record.run_id, record.status, *times, json_text(record.tasks), json_text(record.shape), record.kind)
        return cls(row, Addition.of(record.run_id, events))


def open_run(connection: sqlite3.Connection, opening: Opening) -> None:
    """Add a run with its first events.

    Raises:
        OutcomeTaken: the run exists, or its first events are not numbered 1, 2, 3 …
    """
    try:
        connection.execute(statements()["insert_run"], opening.row)
    except sqlite3.IntegrityError as error:
        raise OutcomeTaken(f"run {opening.first.run_id} exists already") from error
    add(connection, [opening.first], {})


def claim(
    connection: sqlite3.Connection,
    run_id: str,
    task_ids: Sequence[str],
    is_live: Callable[[str], bool],
) -> Mapping[str, str]:
    """Take each task unless a live run has it; return task → run for those."""
    refused: dict[str, str] = {}
    live: dict[str, bool] = {run_id: False}  # nobody stands in their own way
    for task_id in task_ids:
        for (other,) in connection.execute(statements()["select_claim"], (task_id,)).fetchall():
            if other not in live:
                live[other] = is_live(other)
            if live[other]:
                refused[task_id] = other
    owner, since = this_process(), datetime.now(UTC).isoformat()
    who = owner.pid, owner.born, owner.boot_id, since
    taken = [(task_id, run_id, *who) for task_id in task_ids if task_id not in refused]
    connection.executemany(statements()["set_claim"], taken)
    return refused


def release(connection: sqlite3.Connection, run_id: str) -> None:
    """Give back whatever the run claims."""
    connection.execute(statements()["end_claims_of_run"], (run_id,))


def submit(
    connection: sqlite3.Connection,
    run_id: str,
    task_id: str | None,
    action: str,
    body: Mapping[str, Any],
) -> int:
    """Leave a command for the run's owner; return its number.

    Raises:
        UnknownRun: there is no such run.
    """
    cursor = connection.execute(statements()["insert_command"], (task_id, action, json_text(body), run_id))
    if cursor.rowcount != 1 or cursor.lastrowid is None:
        raise UnknownRun(f"there is no run {run_id}")
    return cursor.lastrowid


def answer(connection: sqlite3.Connection, number: int, said: Mapping[str, Any]) -> None:
    """Say what came of a command.

    Raises:
        OutcomeTaken: it was answered before.
        UsageError: there is no such command.
    """
    if connection.execute(statements()["set_answer"], (json_text(said), number)).rowcount:
        return
    if connection.execute(statements()["select_answer"], (number,)).fetchone():
        raise OutcomeTaken(f"command {number} was answered before")
    raise UsageError(f"there is no command {number}")


def _row(run_id: str, event: Event) -> Row:
    if event.run_id != run_id:
        raise ValueError(f"an event of run {event.run_id} was offered to run {run_id}")
    task_id: str | None = getattr(event, "task_id", None)
    attempt: int | None = getattr(event, "attempt", None)
    return run_id, event.seq, event.type, task_id, attempt, event_text(event)


def _follow(connection: sqlite3.Connection, events: Iterable[Event], of_backlog: dict[str, bool]) -> None:
    """Write what follows from the events; of runs only the last word."""
    standings: list[tuple[str, tuple[object, ...]]] = []
    ended: list[tuple[str, str]] = []
    statuses: dict[str, str] = {}
    left: set[str] = set()
    for event in events:
        if type(event) not in following.CHANGING:
            continue
        if isinstance(event, TaskEvent) and not _is_of_backlog(connection, event.run_id, of_backlog):
            continue
        if (status := following.end_status(event)) is not None and isinstance(event, TaskEvent):
            row = event.task_id, event.run_id, event.seq, status.value, event.at.isoformat()
            standings.append(("set_standing_untried" if following.is_untried(event) else "set_standing", row))
            ended.append((event.task_id, event.run_id))
        elif following.leaves_task(event):
            ended.append((event.task_id, event.run_id))
        elif following.reopens_task(event):
            standings.append(("delete_standing", (event.task_id, event.run_id)))
        elif (run_status := following.run_status(event)) is not None:
            statuses[event.run_id] = run_status
            if following.leaves_tasks(event):
                left.add(event.run_id)
    known = statements()
    for name, same in groupby(standings, itemgetter(0)):
        _each(connection, known[name], [row for _, row in same])
    _each(connection, known["end_claim"], ended)
    _each(connection, known["end_claims_of_run"], [(run_id,) for run_id in left])
    _each(connection, known["set_run_status"], [(word, run_id) for run_id, word in statuses.items()])


def _is_of_backlog(connection: sqlite3.Connection, run_id: str, known: dict[str, bool]) -> bool:
    """Whether a run's tasks are those of the backlog, which stand as they ended; steps are known in their run only."""
    found = known.get(run_id)
    if found is None:
        row = connection.execute(statements()["select_kind"], (run_id,)).fetchone()
        if row is None:
            return True
        found = known[run_id] = following.of_backlog(row[0])
    return found


def _each(connection: sqlite3.Connection, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
    if rows:
        connection.executemany(statement, rows)


def _refusal(
    connection: sqlite3.Connection,
    additions: Sequence[Addition],
    error: sqlite3.IntegrityError,
) -> OutcomeTaken | UnknownRun:
    """What to tell the writer; exact only for one addition, and several are tried again one by one."""
    run_id = additions[0].run_id
    if connection.execute(statements()["last_seq"], (run_id,)).fetchone() is None:
        return UnknownRun(f"there is no run {run_id}")
    if error.sqlite_errorname == "SQLITE_CONSTRAINT_UNIQUE":
        return OutcomeTaken(f"run {run_id}: an attempt has an outcome already; nothing was written")
    numbers = f"{additions[0].rows[0][1]} to {additions[0].rows[-1][1]}"
    return OutcomeTaken(f"run {run_id}: events {numbers} do not follow the last one; nothing was written")
