"""The two stores, driven by the same random calls, give the same answer to every one of them."""

import asyncio
import shutil
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from orchestration.errors import OrchError
from orchestration.events import (
    AttemptInterrupted,
    Event,
    RunCompleted,
    RunPaused,
    RunResumed,
    TaskAdopted,
    TaskBlocked,
    TaskCancelled,
    TaskInputGiven,
    TaskNeedsInput,
    TaskSkipped,
)
from orchestration.kinds import OnCrash, RunStatus
from orchestration.protocols import RunStore
from orchestration.store.memory import MemoryStore
from orchestration.store.sqlite import SqliteStore
from tests.world.store_samples import at, completed, failed, record, run_started, started

RUNS = st.sampled_from(["r1", "r2", "r3"])
TASKS = st.sampled_from(["A", "B", "C"])
ATTEMPTS = st.integers(1, 3)
MAKERS: list[Callable[[str, int, str, int], Event]] = [
    started,
    completed,
    failed,
    lambda run, seq, task, _: completed(run, seq, task, None),
    lambda run, seq, task, attempt: failed(run, seq, task, attempt, final=False),
    lambda run, seq, task, attempt: TaskCancelled(run, seq, at(seq), task, attempt, reason="cancelled"),
    lambda run, seq, task, _: TaskCancelled(run, seq, at(seq), task, reason="not_started"),
    lambda run, seq, task, attempt: AttemptInterrupted(run, seq, at(seq), task, attempt, then=OnCrash.FAIL),
    lambda run, seq, task, attempt: AttemptInterrupted(run, seq, at(seq), task, attempt),
    lambda run, seq, task, _: TaskSkipped(run, seq, at(seq), task, reason="when"),
    lambda run, seq, task, _: TaskBlocked(run, seq, at(seq), task, by=("Z",)),
    lambda run, seq, task, _: TaskAdopted(run, seq, at(seq), task, from_run="r0", outputs={"n": 1}),
    lambda run, seq, task, attempt: TaskNeedsInput(run, seq, at(seq), task, attempt, prompt="?"),
    lambda run, seq, task, _: TaskInputGiven(run, seq, at(seq), task, action="retry"),
    lambda run, seq, task, _: TaskInputGiven(run, seq, at(seq), task, action="complete"),
    lambda run, seq, *_: RunPaused(run, seq, at(seq), "waits"),
    lambda run, seq, *_: RunResumed(run, seq, at(seq)),
    lambda run, seq, *_: RunCompleted(run, seq, at(seq), RunStatus.FAILED),
]
HAPPENING = st.tuples(st.sampled_from(MAKERS), TASKS, ATTEMPTS)
SLIP = st.sampled_from([0, 0, 0, 0, 0, 0, -1, 1])
"""By how much a number is wrong: mostly by nothing."""


class Twins(RuleBasedStateMachine):
    """Asks both, compares, and keeps of the answers only what a next question needs."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = Path(tempfile.mkdtemp())
        self.disk = SqliteStore(self.folder / ".orchestration")
        self.stores: tuple[RunStore, RunStore] = (self.disk, MemoryStore())
        self.owned: dict[str, ExitStack] = {}
        self.commands = 0

    def teardown(self) -> None:
        for stack in self.owned.values():
            stack.close()
        self.runner.run(self.disk.close())
        self.runner.close()
        shutil.rmtree(self.folder)

    def same(self, ask: Callable[[RunStore], Awaitable[object]]) -> object:
        async def told(store: RunStore) -> object:
            try:
                return await ask(store)
            except (OrchError, ValueError) as error:
                return type(error)

        disk, memory = (self.runner.run(told(store)) for store in self.stores)
        assert disk == memory
        return disk

    def last_seq(self, run: str) -> int:
        return len(self.runner.run(_events(self.stores[1], run)))

    @rule(run=RUNS, first=st.booleans(), slip=SLIP)
    def open_a_run(self, run: str, first: bool, slip: int) -> None:
        events: list[Event] = [run_started(run)] if first else []
        if slip:
            events.append(started(run, len(events) + 1 + slip))
        self.same(lambda store: store.open_run(record(run), events))

    @rule(run=RUNS, happenings=st.lists(HAPPENING, min_size=1, max_size=4), slip=SLIP)
    def append(
        self,
        run: str,
        happenings: list[tuple[Callable[[str, int, str, int], Event], str, int]],
        slip: int,
    ) -> None:
        first = self.last_seq(run) + 1 + slip
        events = [make(run, seq, task, attempt) for seq, (make, task, attempt) in enumerate(happenings, first)]
        self.same(lambda store: store.append(run, events))

    @rule(run=RUNS, tasks=st.lists(TASKS, max_size=4))
    def claim(self, run: str, tasks: list[str]) -> None:
        self.same(lambda store: store.claim(run, tasks))

    @rule(run=RUNS)
    def release(self, run: str) -> None:
        self.same(lambda store: store.release(run))

    @rule(run=RUNS)
    def own(self, run: str) -> None:
        stack = ExitStack()
        if run in self.owned:
            for store in self.stores:
                with pytest.raises(OrchError), store.own(run):
                    pytest.fail("owned twice")
            return
        for store in self.stores:
            stack.enter_context(store.own(run))
        self.owned[run] = stack

    @precondition(lambda self: self.owned)
    @rule(data=st.data())
    def disown(self, data: st.DataObject) -> None:
        self.owned.pop(data.draw(st.sampled_from(sorted(self.owned)))).close()

    @rule(run=RUNS, task=st.none() | TASKS, action=st.sampled_from(["cancel", "retry"]))
    def submit(self, run: str, task: str | None, action: str) -> None:
        number = self.same(lambda store: store.submit(run, task, action, {"note": action}))
        self.commands = max(self.commands, number) if isinstance(number, int) else self.commands

    @rule(data=st.data())
    def answer(self, data: st.DataObject) -> None:
        number = data.draw(st.integers(0, self.commands + 1))
        self.same(lambda store: store.answer(number, {"ok": True}))
        self.same(lambda store: store.answered(number))

    @rule(run=RUNS, since=st.integers(-1, 8))
    def ask_for_the_last_events(self, run: str, since: int) -> None:
        self.same(lambda store: _events(store, run, since))

    @rule(tasks=st.lists(TASKS))
    def ask_for_some_standings(self, tasks: list[str]) -> None:
        self.same(lambda store: store.standings(tasks))

    @rule()
    def close(self) -> None:
        self.same(lambda store: store.close())

    @invariant()
    def all_that_can_be_asked_is_the_same(self) -> None:
        async def everything(store: RunStore) -> object:
            runs = list(await store.runs())
            events = [await _events(store, run.run_id) for run in runs]
            commands = [list(await store.commands(run.run_id)) for run in runs]
            claims = {task_id: (claim.run_id, claim.owner) for task_id, claim in (await store.claims()).items()}
            return runs, events, commands, list((await store.standings()).items()), [store.is_live("r1")], claims

        self.same(everything)


async def _events(store: RunStore, run: str, since: int = 0) -> list[Event]:
    return list(await store.events(run, since))


TestTwins = pytest.mark.slow(Twins.TestCase)
TestTwins.settings = settings(
    max_examples=20,
    stateful_step_count=20,
    suppress_health_check=[HealthCheck.too_slow],
)
