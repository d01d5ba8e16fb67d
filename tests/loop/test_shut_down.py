"""Loops that are shut down, which cancels all of their tasks at once, while a run goes on or ends."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from orchestration.events import Event, RunStarted
from orchestration.kinds import Failure
from orchestration.ledger import Ledger
from orchestration.plan import Node, Plan
from orchestration.scheduler import Recorder, Scheduler
from orchestration.store.memory import MemoryStore
from tests.loop.playing import open_run
from tests.loop.test_slots import Doing


async def events_of(store: MemoryStore) -> Sequence[Event]:
    return await store.events("run")


def test_when_a_loop_is_shut_down_its_attempts_are_cancelled_and_not_crashed() -> None:
    recorders: list[Recorder] = []
    begun: list[str] = []

    async def hangs() -> None:
        begun.append("one")
        await asyncio.sleep(60)

    async def main() -> None:
        recorder = Recorder(Plan("run", [Node("a"), Node("b")]), Ledger())
        recorders.append(recorder)
        scheduler = Scheduler(recorder, Doing({"a": hangs, "b": hangs}), {})
        recorder.emit(RunStarted, tasks=("a", "b"))
        store = MemoryStore()
        await open_run(store, recorder)
        recorders[0].run = asyncio.create_task(scheduler.run(store, 2))  # type: ignore[attr-defined]  # kept alive
        while len(begun) < 2:  # noqa: ASYNC110  # in this loop and at its next turns
            await asyncio.sleep(0)

    with asyncio.Runner() as runner:  # whose end cancels whatever is left, all at once
        runner.run(main())
    assert {result.failure for result in recorders[0].ledger.run_result().results} == {Failure.CANCELLED}


def test_a_loop_that_is_shut_down_while_a_run_ends_waits_for_its_attempts_before_that_is_recorded() -> None:
    told: list[str] = []
    begun: list[str] = []
    logs: list[MemoryStore] = []

    async def cleans_up() -> None:
        begun.append("one")
        try:
            await asyncio.sleep(60)
        finally:
            for _ in range(5):
                with suppress(asyncio.CancelledError):
                    await asyncio.sleep(0)
            told.append("ended")

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context["message"]))
        recorder = Recorder(Plan("run", [Node("a"), Node("b")]), Ledger())
        scheduler = Scheduler(recorder, Doing({"a": cleans_up, "b": cleans_up}), {})
        recorder.emit(RunStarted, tasks=("a", "b"))
        logs.append(MemoryStore())
        await open_run(logs[0], recorder)
        run = asyncio.create_task(scheduler.run(logs[0], 2))
        while len(begun) < 2:  # noqa: ASYNC110  # in this loop and at its next turns
            await asyncio.sleep(0)
        run.cancel()
        for _ in range(3):
            await asyncio.sleep(0)

    with asyncio.Runner() as runner:
        runner.run(main())
    assert told == ["ended", "ended"]
    with asyncio.Runner() as runner:
        types = [event.type for event in runner.run(events_of(logs[0]))]
    assert types[-3:] == ["task_cancelled", "task_cancelled", "run_completed"]
