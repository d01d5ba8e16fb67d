"""A log that ends with the process: what happens in a turn of the loop is stored together, and not later than that."""

import asyncio
from collections.abc import Awaitable, Sequence

import pytest

from orchestration.errors import OutcomeTaken
from orchestration.events import Event, RunStarted, TaskChunk
from orchestration.kinds import RunStatus
from orchestration.ledger import Ledger
from orchestration.plan import Node, Plan
from orchestration.protocols import DONE, Ready, Reporting
from orchestration.results import Outcome
from orchestration.scheduler import Recorder, Scheduler
from orchestration.testing import FakeDoer


class Ephemeral:
    """Keeps what it gets in memory, in the pieces in which it comes; refuses one of them."""

    is_ephemeral = True

    def __init__(self, refuses: int | None = None) -> None:
        self.batches: list[list[str]] = []
        self._refuses = refuses

    def append(self, _: str, events: Sequence[Event]) -> Awaitable[None]:
        self.batches.append([event.type for event in events])
        return Ready(OutcomeTaken("refused")) if len(self.batches) == self._refuses else DONE

    async def events(self, *_: object) -> Sequence[Event]:
        return ()

    @property
    def kinds(self) -> list[str]:
        return [kind for batch in self.batches for kind in batch]


class Lasting(Ephemeral):
    """Answers at once too, and is to know what happens before it does."""

    is_ephemeral = False


class AtOnce(FakeDoer):
    """Never waits, but for one task, and notes at each call what the log has."""

    def __init__(self, log: Ephemeral, waits: str = "") -> None:
        super().__init__()
        self.seen: list[list[str]] = []
        self._log, self._waits = log, waits

    def perform(  # type: ignore[override]  # the one that it stands for always waits
        self, task_id: str, attempt: int, slot: int, report: Reporting, agent: str | None = None
    ) -> Outcome | Awaitable[Outcome]:
        del attempt, slot, report, agent
        self.seen.append(self._log.kinds)
        return self._waited() if task_id == self._waits else Outcome()

    async def _waited(self) -> Outcome:
        await asyncio.sleep(0)  # its turn is over
        self.seen.append(self._log.kinds)
        return Outcome()


class Heard:
    """A listener that remembers."""

    def __init__(self) -> None:
        self.kinds: list[str] = []

    def __call__(self, event: Event | TaskChunk) -> None:
        self.kinds.append(event.type)


async def run(doer: AtOnce, log: Ephemeral, listener: Heard | None = None) -> None:
    plan = Plan("run", [Node(f"t{n}") for n in range(3)])
    recorder = Recorder(plan, Ledger(), listener)
    recorder.emit(RunStarted, tasks=tuple(plan.graph.ids))
    await Scheduler(recorder, doer, {}).run(log, 1)
    assert recorder.ledger.status is RunStatus.SUCCESS


ALL = ["run_started", *["task_started", "task_completed"] * 3, "run_completed"]


async def test_steps_that_never_wait_are_stored_together() -> None:
    log = Ephemeral()
    doer = AtOnce(log)
    await run(doer, log)
    assert log.kinds == ALL
    assert doer.seen == [[], [], []]
    assert len(log.batches) < 4


async def test_who_has_the_next_turn_finds_all_that_has_happened() -> None:
    log = Ephemeral()
    doer = AtOnce(log, waits="t1")
    await run(doer, log)
    assert log.kinds == ALL
    assert doer.seen[2] == ALL[:4]


async def test_a_log_that_stays_has_each_start_before_the_step_begins() -> None:
    log = Lasting()
    doer = AtOnce(log)
    await run(doer, log)
    assert log.kinds == ALL
    assert doer.seen == [ALL[:2], ALL[:4], ALL[:6]]


async def test_a_listener_hears_of_each_start_before_the_step_begins() -> None:
    log, heard = Ephemeral(), Heard()
    doer = AtOnce(log)
    await run(doer, log, heard)
    assert doer.seen == [ALL[:2], ALL[:4], ALL[:6]]
    assert heard.kinds == ALL


@pytest.mark.parametrize("waits", ["", "t1"])
async def test_a_refusal_ends_the_run(waits: str) -> None:
    log = Ephemeral(refuses=1)
    with pytest.raises(OutcomeTaken):
        await run(AtOnce(log, waits), log)
    assert len(log.batches) == 1
