"""A log into which nobody can look gets events together; all others get each start before the step begins."""

import asyncio
from collections.abc import Awaitable, Sequence

import pytest

from orchestration.errors import OutcomeTaken
from orchestration.events import Event, RunStarted, TaskChunk
from orchestration.flow import AsyncFlowExecutor, Flow, FlowStep
from orchestration.kinds import RunStatus
from orchestration.ledger import Ledger
from orchestration.plan import Node, Plan
from orchestration.protocols import DONE, Ready, Reporting
from orchestration.results import Outcome
from orchestration.scheduler import Recorder, Scheduler
from orchestration.steps.current import current_step
from orchestration.store.memory import MemoryStore
from orchestration.testing import FakeDoer


class Log:
    """Keeps what it gets in the pieces in which it comes; answers at once, and refuses one of them."""

    def __init__(self, *, is_private: bool = True, refuses: int | None = None) -> None:
        self.is_private = is_private
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


class AtOnce(FakeDoer):
    """Never waits, but for one task; notes at each call what the log has."""

    def __init__(self, log: Log, waits: str = "") -> None:
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
        await asyncio.sleep(0)
        return Outcome()


class Heard:
    """A listener that remembers."""

    def __init__(self) -> None:
        self.kinds: list[str] = []

    def __call__(self, event: Event | TaskChunk) -> None:
        self.kinds.append(event.type)


async def run(doer: AtOnce, log: Log, listener: Heard | None = None) -> None:
    plan = Plan("run", [Node(f"t{n}") for n in range(3)])
    recorder = Recorder(plan, Ledger(), listener)
    recorder.emit(RunStarted, tasks=tuple(plan.graph.ids))
    await Scheduler(recorder, doer, {}).run(log, 1)
    assert recorder.ledger.status is RunStatus.SUCCESS
    assert log.kinds == ALL


ALL = ["run_started", *["task_started", "task_completed"] * 3, "run_completed"]
IN_TIME = [ALL[:2], ALL[:4], ALL[:6]]


@pytest.mark.parametrize("waits", ["", "t0", "t1", "t2"])
async def test_a_private_log_gets_all_together(waits: str) -> None:
    log = Log()
    await run(AtOnce(log, waits), log)
    assert len(log.batches) < 4


async def test_a_log_of_others_has_each_start_before_the_step_begins() -> None:
    log = Log(is_private=False)
    doer = AtOnce(log)
    await run(doer, log)
    assert doer.seen == IN_TIME


async def test_a_listener_hears_of_each_start_before_the_step_begins() -> None:
    log, heard = Log(), Heard()
    doer = AtOnce(log)
    await run(doer, log, heard)
    assert doer.seen == IN_TIME
    assert heard.kinds == ALL


@pytest.mark.parametrize("is_private", [False, True])
async def test_a_refusal_ends_the_run(is_private: bool) -> None:
    log = Log(is_private=is_private, refuses=1)
    with pytest.raises(OutcomeTaken):
        await run(AtOnce(log), log)
    assert len(log.batches) == 1


async def test_a_step_that_looks_into_the_store_of_its_run_finds_its_own_start() -> None:
    store, found = MemoryStore(), list[str]()

    async def looks() -> None:
        step = current_step()
        assert step is not None
        found.extend(event.type for event in await store.events(step.run_id))

    flow = Flow("f", [FlowStep("a", looks), FlowStep("b", looks, depends_on=["a"])])
    done = await AsyncFlowExecutor(store=store).execute(flow)
    assert done.succeeded
    assert found == [*ALL[:2], *ALL[:4]]
    assert [event.type for event in await store.events(done.run_id)] == ["run_started", *ALL[1:5], "run_completed"]
