"""In-process steps that do nothing: what plan, scheduler and store cost by themselves."""

import asyncio
import time
from datetime import UTC, datetime
from pathlib import Path

from bench.reporting import Row
from orchestration.events import RunStarted
from orchestration.kinds import RunStatus
from orchestration.ledger import Ledger
from orchestration.plan import Node, Plan
from orchestration.protocols import Reporting, RunRecord, RunStore
from orchestration.results import Outcome
from orchestration.scheduler import Recorder, Scheduler
from orchestration.store.memory import MemoryStore
from orchestration.store.sqlite import SqliteStore

_DONE = Outcome()


class _Nothing:
    """A doer whose every attempt succeeds at once."""

    async def perform(  # the seam's signature
        self, task_id: str, attempt: int, slot: int, report: Reporting, agent: str | None = None
    ) -> Outcome:
        del task_id, attempt, slot, report, agent
        return _DONE

    def join(self, task_id: str) -> None:
        del task_id

    def decide(self, task_id: str) -> bool:  # noqa: ARG002  # the seam's signature
        return True

    def salvage(self, task_id: str, attempt: int) -> Outcome:  # noqa: ARG002  # the seam's signature
        return _DONE

    async def wait_for_return(self, task_id: str, attempt: int) -> None:
        del task_id, attempt


async def _play(store: RunStore, count: int) -> float:
    nodes = [Node(f"t{i}") for i in range(count)]
    recorder = Recorder(Plan("run", nodes), Ledger())
    scheduler = Scheduler(recorder, _Nothing(), {})
    recorder.emit(RunStarted, tasks=tuple(node.id for node in nodes))
    now = datetime.now(UTC)
    record = RunRecord("run", RunStatus.RUNNING, now, now, recorder.ledger.tasks, kind="pipeline")
    await store.open_run(record, recorder.take())
    began = time.perf_counter()
    await scheduler.run(store, 4)
    seconds = time.perf_counter() - began
    await store.close()
    return seconds


COUNTS = (100, 1_000, 10_000)
ROUNDS = {100: 30, 1_000: 10, 10_000: 3}
"""Each figure is the least of so many: a step is too short for a machine that does other things meanwhile."""


def steps(folder: Path) -> list[Row]:
    """Rows for 100, 1,000 and 10,000 steps, in memory and on disk."""
    rows = []
    for count in COUNTS:
        memory = min(_seconds(MemoryStore(), count) for _ in range(ROUNDS[count]))
        rows.append(Row(f"step, memory store, {count:,} steps", memory / count * 1e6, "µs", goal="≤ 15"))
        stores = (SqliteStore(folder / f"steps-{count}-{n}") for n in range(ROUNDS[count]))
        disk = min(_seconds(store, count) for store in stores)
        rows.append(Row(f"step, SQLite with FULL, {count:,} steps", disk / count * 1e6, "µs", goal="≤ 100"))
    return rows


def _seconds(store: RunStore, count: int) -> float:
    return asyncio.run(_play(store, count))  # noqa: TID251  # a bench is an entry point
