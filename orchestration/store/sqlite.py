"""The store on disk: one SQLite file in the project's state folder, shared by any number of processes.

Nothing is made until the first write, and asking makes nothing at all. Writing goes through `writer` (one thread, group
commit) and `committing` (the transaction, the write lock, poison) to `recording` (what is written); questions go
through `reading`. A closed store opens again at its next use; so does one in a child process that was forked.
"""

import sqlite3
import weakref
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from orchestration.events import Event
from orchestration.forked import rest_while_forking
from orchestration.protocols import DONE, Claim, CommandRow, Ready, RunRecord, Standing
from orchestration.store import locks, reading, recording
from orchestration.store.committing import WritableState
from orchestration.store.files import MOUNTS, StateFiles
from orchestration.store.locks import WRITE_PATIENCE
from orchestration.store.opening import Outdated
from orchestration.store.reading import Reader
from orchestration.store.schema import Schema, load_schema
from orchestration.store.writer import Writer

T = TypeVar("T")


class SqliteStore:
    """`protocols.RunStore` in a state folder.

    It serves any number of threads and event loops, at once or one after the other, and any of them may close it. A
    process that is forked begins anew with it.

    Args:
        folder: the state folder (`.orchestration`), which need not exist.
        mounts: where the system lists its mounts.
        schema: the tables that the file is to have.
        write_patience: seconds to wait for other writers before giving up.

    Attributes:
        is_dear: that a transaction takes longer than a turn of the event loop; see `protocols.EventLog`.
    """

    is_dear = True

    def __init__(
        self,
        folder: Path,
        *,
        mounts: Path = MOUNTS,
        schema: Schema | None = None,
        write_patience: float = WRITE_PATIENCE,
    ) -> None:
        self._files = StateFiles(folder)
        schema = schema or load_schema()
        self._state = WritableState(self._files, schema, mounts, write_patience)
        self._writer = Writer(self._state.commit, self._state.close, self._state.commit_at_once)
        self._reader = Reader(self._files, schema)
        weakref.finalize(self, _abandon, self._writer, self._reader).atexit = False
        rest_while_forking(self)

    @property
    def folder(self) -> Path:
        """The state folder; the logs of runs lie beside the file."""
        return self._files.folder

    @property
    def warning(self) -> str | None:
        """That the disk makes writing slow, in a sentence for people; known after the first write."""
        return self._state.warning

    def append(self, run_id: str, events: Sequence[Event]) -> Awaitable[None]:
        """Queue the events of one run, or store them here if that is quick; see `protocols.EventLog`.

        Raises:
            ValueError: at once, when an event belongs to another run.
        """
        addition = recording.Addition.of(run_id, events)
        answer = self._writer.do_at_once(addition) if addition.is_small else None
        if answer is None:
            return self._writer.put(addition)
        return DONE if answer.error is None else Ready(answer.error)

    async def events(self, run_id: str, since: int = 0) -> Sequence[Event]:
        """The run's events with `seq > since`, in order."""
        return await self._ask(lambda file: reading.events(file, run_id, since), ())

    async def open_run(self, record: RunRecord, events: Sequence[Event]) -> None:
        """Add a run with its first events in one transaction.

        Raises:
            OutcomeTaken: there is such a run already.
        """
        locks.check_run_id(record.run_id)
        await self._writer.put(partial(recording.open_run, opening=recording.Opening.of(record, events)))

    async def runs(self) -> Sequence[RunRecord]:
        """All runs, the one that was opened last first."""
        return await self._ask(reading.runs, ())

    async def standings(self, task_ids: Sequence[str] | None = None) -> Mapping[str, Standing]:
        """The latest end of each task that ever ended, by id."""
        return await self._ask(lambda file: reading.standings(file, task_ids), {})

    async def claim(self, run_id: str, task_ids: Sequence[str]) -> Mapping[str, str]:
        """Take each task unless a live run has it; returns task → run for those that another live run has."""
        locks.check_run_id(run_id)
        deed = partial(recording.claim, run_id=run_id, task_ids=tuple(task_ids), is_live=self.is_live)
        refused: Mapping[str, str] = await self._writer.put(deed)
        return refused

    async def claims(self) -> Mapping[str, Claim]:
        """All claims by task, those of dead runs too."""
        return await self._ask(reading.claims, {})

    async def release(self, run_id: str) -> None:
        """Give back whatever the run still claims."""
        await self._writer.put(partial(recording.release, run_id=run_id))

    def own(self, run_id: str) -> AbstractContextManager[None]:
        """Hold the run's owner lock; makes the run's folder.

        Raises:
            RunOwned: somebody holds it, be it in this process.
        """
        return self._own(run_id)

    def is_live(self, run_id: str) -> bool:
        """Whether anybody owns the run."""
        return locks.is_owned(self._files.folder, run_id)

    async def submit(self, run_id: str, task_id: str | None, action: str, body: Mapping[str, Any]) -> int:
        """Leave a command; returns its number.

        Raises:
            UnknownRun: there is no such run.
        """
        deed = partial(recording.submit, run_id=run_id, task_id=task_id, action=action, body=dict(body))
        number: int = await self._writer.put(deed)
        return number

    async def commands(self, run_id: str) -> Sequence[CommandRow]:
        """The run's commands that nobody answered yet, oldest first."""
        return await self._ask(lambda file: reading.commands(file, run_id), ())

    async def answer(self, number: int, answer: Mapping[str, Any]) -> None:
        """Say what came of a command.

        Raises:
            OutcomeTaken: it was answered before.
            UsageError: there is no such command.
        """
        await self._writer.put(partial(recording.answer, number=number, said=dict(answer)))

    async def answered(self, number: int) -> Mapping[str, Any] | None:
        """What came of a command, None while nobody answered."""
        return await self._ask(lambda file: reading.answered(file, number), None)

    async def close(self) -> None:
        """End the threads and close the file; what was acknowledged is durable."""
        await self._reader.close()
        await self._writer.close()

    def rest(self) -> None:
        """Be in the middle of nothing while this process is forked; see `forked.Rests`."""
        self._reader.rest()
        self._writer.rest()

    def go_on(self) -> None:
        """The fork is over."""
        self._writer.go_on()
        self._reader.go_on()

    def begin_anew(self) -> None:
        """Be closed, in a child process that was just forked."""
        self._reader.begin_anew()
        self._state.begin_anew(was_at_rest=self._writer.begin_anew())

    async def _ask(self, question: Callable[[sqlite3.Connection], T], empty: T) -> T:
        try:
            return await self._reader.ask(question, empty)
        except Outdated:
            await self._writer.put(_nothing)  # opening the file is what is needed
            return await self._reader.ask(question, empty)

    @contextmanager
    def _own(self, run_id: str) -> Iterator[None]:
        locks.check_run_id(run_id)
        self._files.make_folder()
        with locks.owned(self._files.folder, run_id):
            yield


def _nothing(_: sqlite3.Connection) -> None:
    """The deed that only needs the file to be open."""


def _abandon(writer: Writer, reader: Reader) -> None:
    writer.abandon()
    reader.drop()
