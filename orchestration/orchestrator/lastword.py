"""Which run has the last word on a task: an open one that has not ended it, or none, and then its standing counts.

Several open runs may have the same task: one does it, others wait for that, some rest since their process died or a
person was asked. And a run that rests may have been overtaken: another one ended the task since. What it says then is
old, and nobody may be shown it, or answer it. Edges survived: a clock that was set back between two runs (who holds the
task now, a newer run that has begun it, and what a run has seen of others need no clock), runs of before these said
what they have seen, and parts of tasks, which stand and fall with the whole.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from orchestration.events import Event
from orchestration.kinds import ExecutionStatus, RunStatus
from orchestration.ledger import Ledger
from orchestration.orchestrator.standings import is_new
from orchestration.protocols import Claim, RunRecord, RunStore, Standing

OPEN_RUNS: Final = frozenset({RunStatus.RUNNING, RunStatus.PAUSED})


def owner_of(task_id: str) -> str:
    """The task of the backlog that an id belongs to: its own, or that of the task that it is a part of."""
    return task_id.partition("/")[0].partition("[")[0]


async def ledger_of(store: RunStore, run_id: str) -> Ledger:
    """The books of a stored run."""
    return replayed(await store.events(run_id))


def replayed(events: Iterable[Event]) -> Ledger:
    """The books in which this has happened."""
    ledger = Ledger()
    for event in events:
        ledger.apply(event)
    return ledger


class Books:
    """The books of a project's runs as they are now; each is read once, when it is asked for."""

    def __init__(self, store: RunStore, records: Sequence[RunRecord], claims: Mapping[str, Claim]) -> None:
        """Nothing is read yet; see `of`."""
        self._store = store
        self._ledgers: dict[str, Ledger] = {}
        self._age = {record.run_id: number for number, record in enumerate(records)}
        self.records = records
        self._open = [
            (record, frozenset(record.tasks), store.is_live(record.run_id))
            for record in records
            if record.status in OPEN_RUNS and record.is_of_backlog
        ]
        live = {record.run_id for record, _, is_live in self._open if is_live}
        self.holders = {task_id: claim.run_id for task_id, claim in claims.items() if claim.run_id in live}

    @classmethod
    async def of(cls, store: RunStore) -> "Books":
        """Those of a store."""
        return cls(store, await store.runs(), await store.claims())

    def continued(self, tasks: Sequence[str]) -> RunRecord | None:
        """The run that a command with just these tasks continues: the newest one that is open and rests."""
        for record, _, is_live in self._open:
            if not is_live and record.tasks == tuple(tasks):
                return record
        return None

    def have_open(self, task_id: str) -> bool:
        """Whether an open run has the task, be it in the backlog still or not."""
        return any(task_id in tasks for _, tasks, _ in self._open)

    async def of_run(self, run_id: str) -> Ledger:
        """The books of one run."""
        if run_id not in self._ledgers:
            self._ledgers[run_id] = await ledger_of(self._store, run_id)
        return self._ledgers[run_id]

    async def open_ledgers(self) -> list[Ledger]:
        """The books of the backlog's open runs, newest first."""
        return [await self.of_run(record.run_id) for record, _, _ in self._open]

    async def speaking(self, task_id: str, standing: Standing | None) -> list[RunRecord]:
        """The open runs that have not ended the task, and have said more of it than its standing tells.

        The run that has it comes first, then those that have begun it, then the newest.

        Args:
            task_id: a task of the backlog, or a part of one.
            standing: how the task of the backlog stands.
        """
        owner, found = owner_of(task_id), []
        for record, tasks, is_live in self._open:
            if owner not in tasks:
                continue
            book = await self.of_run(record.run_id)
            status = book.status_of(task_id)
            holds = self.holders.get(owner) == record.run_id
            if not status.is_final and (holds or self._is_later(record, book, task_id, standing, is_live=is_live)):
                found.append((not holds, status is ExecutionStatus.PENDING, record))
        return [record for _, _, record in sorted(found, key=lambda one: one[:2])]

    def _is_later(
        self, record: RunRecord, book: Ledger, task_id: str, standing: Standing | None, *, is_live: bool
    ) -> bool:
        if standing is None or standing.run_id == record.run_id:
            return True
        rests_or_goes_on = is_live or record.status is RunStatus.PAUSED  # else it was interrupted, and began it before
        is_newer = self._age[record.run_id] < self._age.get(standing.run_id, 0)
        if is_newer and rests_or_goes_on and book.result(task_id).started_at is not None:
            return True
        if book.seen is not None:
            return not is_new(standing, book.seen)
        said = book.said_at(task_id) or record.created_at  # and whoever resumed it took over what was new
        return max(said, book.resumed_at or said) >= standing.at
