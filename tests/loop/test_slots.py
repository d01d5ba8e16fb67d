"""Slots: how many are begun, whose cancellation reaches them, and that they let others have a turn."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from orchestration.events import RunStarted, TaskCancelled
from orchestration.flow import AsyncFlowExecutor, Flow, FlowStep
from orchestration.kinds import ExecutionStatus, Failure, RunStatus
from orchestration.ledger import Ledger
from orchestration.models import Backoff, RetryPolicy
from orchestration.plan import Limits, Node, Plan
from orchestration.protocols import Decision, Expansion, Reporting
from orchestration.results import Outcome
from orchestration.scheduler import Job, Recorder, Scheduler
from orchestration.store.memory import MemoryStore
from orchestration.testing import FakeDoer, Script, Step, run_in_virtual_time
from tests.loop.playing import Played, open_run, play, play_here

SUCCESS, FAILED, CANCELLED = ExecutionStatus.SUCCESS, ExecutionStatus.FAILED, ExecutionStatus.CANCELLED
CRASHED = (Failure.CRASHED, "the agent's code cancelled itself")
Deed = Callable[[], Coroutine[Any, Any, Any]]


class Doing(FakeDoer):
    """Has tasks done by coroutines, in the slot's own task; one without a deed does nothing."""

    def __init__(self, deeds: dict[str, Deed], **options: Any) -> None:  # noqa: ANN401  # its parent's
        super().__init__(**options)
        self.deeds = deeds
        self.slots: list[int] = []
        self.begun: set[int] = set()

    async def perform(
        self, task_id: str, attempt: int, slot: int, report: Reporting, agent: str | None = None
    ) -> Outcome | Expansion:
        self.slots.append(slot)
        self.begun |= {id(task) for task in asyncio.all_tasks() if task.get_name().startswith("slot ")}
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0
        deed = self.deeds.get(task_id)
        if deed is None:
            return await super().perform(task_id, attempt, slot, report, agent)
        value = await deed()
        return value if isinstance(value, Outcome) else Outcome()


def done(deeds: dict[str, Deed], *more: str, slots: int | None = 1, **options: Any) -> Played:  # noqa: ANN401
    return play([Node(name) for name in (*deeds, *more)], doer=Doing(deeds), slots=slots, **options)


def me() -> "asyncio.Task[Any]":
    task = asyncio.current_task()
    assert task is not None
    return task


# -- how many are begun ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bound", [10_000, None])
def test_no_more_slots_are_begun_than_there_is_work_for(bound: int | None) -> None:
    doer = Doing({f"t{n}": lambda: asyncio.sleep(1) for n in range(10)})
    played = play([Node(f"t{n}") for n in range(10)], doer=doer, slots=bound)
    assert played.seconds == pytest.approx(1)
    assert sorted(doer.slots) == list(range(10))
    assert len(doer.begun) <= 11


def test_a_run_of_one_task_after_the_other_needs_one_slot() -> None:
    doer = Doing({f"t{n}": lambda: asyncio.sleep(1) for n in range(10)})
    played = play([Node(f"t{n}", (f"t{n - 1}",) if n else ()) for n in range(10)], doer=doer, slots=None)
    assert played.seconds == pytest.approx(10)
    assert set(doer.slots) == {0}


def test_without_a_limit_a_few_tasks_that_become_many_run_at_once() -> None:
    items = tuple({"id": f"m[{n}]"} for n in range(500))
    script = Script({item["id"]: [Step(seconds=1)] for item in items})
    doer = FakeDoer(script, expansions={"m": Expansion("map", items)}, joins={"m": Outcome})
    played = play([Node("m", joins_at_end=True), Node("after", ("m",))], script, None, doer=doer)
    assert played.result.status is RunStatus.SUCCESS
    assert played.seconds == pytest.approx(1)
    assert script.peak == 500


def test_a_retry_that_is_due_finds_a_slot_though_all_are_busy() -> None:
    script = Script({"a": [Step(outcome=Outcome(failure=Failure.EXIT_CODE)), Step(1)], "b": [Step(seconds=100)]})
    jobs = {"a": Job(retry=RetryPolicy(max=2, backoff=Backoff(initial=10), jitter=0))}
    played = play([Node("a"), Node("b")], script, None, jobs=jobs)
    assert played.result.by_id["a"].completed_at is not None
    assert played.result.started_at is not None
    ended = played.result.by_id["a"].completed_at - played.result.started_at
    assert ended.total_seconds() == pytest.approx(11)


def test_room_in_a_limit_finds_a_slot_though_all_are_busy() -> None:
    limits = Limits({"gpu": 1})

    async def main() -> float:
        one = play_here([Node("a", limits=("gpu",))], Script({"a": [Step(seconds=5)]}), None, limits=limits)
        nodes = [Node("long"), Node("b", limits=("gpu",))]
        other = play_here(nodes, Script({"long": [Step(seconds=100)], "b": [Step(1)]}), None, limits=limits)
        _, played = await asyncio.gather(one, other)
        result = played.result.by_id["b"]
        assert result.completed_at is not None
        assert played.result.started_at is not None
        return (result.completed_at - played.result.started_at).total_seconds()

    assert run_in_virtual_time(main()) == pytest.approx(6)


@pytest.mark.parametrize(("bound", "seconds"), [(1, 300), (3, 100), (None, 1)])
def test_a_host_whose_tasks_start_at_once_changes_nothing(bound: int | None, seconds: float) -> None:
    doer = Doing({f"t{n}": lambda: asyncio.sleep(1) for n in range(300)})

    async def main() -> Played:
        asyncio.get_running_loop().set_task_factory(getattr(asyncio, "eager_task_factory", None))  # there since 3.12
        return await play_here([Node(f"t{n}") for n in range(300)], doer=doer, slots=bound)

    played = run_in_virtual_time(main())
    assert played.result.status is RunStatus.SUCCESS
    assert played.seconds == pytest.approx(seconds)
    assert {*doer.slots} == {*range(bound or 300)}


def test_a_fault_in_any_slot_ends_the_run_at_once() -> None:
    class Faulty(FakeDoer):
        def join(self, task_id: str) -> Decision | None:
            raise RuntimeError(task_id)

    script = Script({"long": [Step(seconds=1000)], "m[0]": [Step(seconds=1)]})
    doer = Faulty(script, expansions={"m": Expansion("map", ({"id": "m[0]"},))})
    began = time.monotonic()

    async def main() -> float:
        with pytest.raises(RuntimeError, match="m"):
            await play_here([Node("long"), Node("m")], script, None, doer=doer)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return asyncio.get_running_loop().time()

    assert run_in_virtual_time(main()) == pytest.approx(1)
    assert time.monotonic() - began < 60


# -- whose cancellation ---------------------------------------------------------------------------------------------


async def cancels_itself_and_waits() -> None:
    me().cancel()
    await asyncio.sleep(1)


async def cancels_itself_and_returns() -> None:
    me().cancel()


async def cancels_itself_and_raises() -> None:
    me().cancel()
    raise ValueError


async def cancels_itself_twice() -> None:
    me().cancel()
    try:
        await asyncio.sleep(1)
    finally:
        me().cancel()


async def raises_it() -> None:
    raise asyncio.CancelledError


@pytest.mark.parametrize(
    "deed",
    [
        cancels_itself_and_waits,
        cancels_itself_and_returns,
        cancels_itself_and_raises,
        cancels_itself_twice,
        raises_it,
    ],
)
def test_code_that_cancels_itself_has_crashed_and_touches_nothing_else(deed: Deed) -> None:
    played = done({"a": deed}, "b", "c")
    assert (played.result.by_id["a"].failure, played.result.by_id["a"].error) == CRASHED
    assert [played.result.by_id[name].status for name in "bc"] == [SUCCESS, SUCCESS]
    assert played.result.status is RunStatus.FAILED


async def test_a_cancellation_that_code_gets_over_by_itself_is_its_own_affair() -> None:
    async def swallows() -> None:
        me().cancel()
        try:
            await asyncio.sleep(1)
        except asyncio.CancelledError:
            await asyncio.sleep(0)

    async def times_out() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.001):
                await asyncio.sleep(60)

    played = await play_here([Node("a"), Node("b"), Node("c")], doer=Doing({"a": swallows, "b": times_out}), slots=1)
    assert played.result.status is RunStatus.SUCCESS


def test_code_that_cancels_its_slot_long_after_its_attempt_disturbs_nothing() -> None:
    async def leaves_a_bomb() -> None:
        loop, slot = asyncio.get_running_loop(), me()
        for seconds in (0.5, 1.5, 2.5, 3.5):
            loop.call_later(seconds, slot.cancel)

    async def takes_long() -> None:
        await asyncio.sleep(1)

    class Slow(MemoryStore):
        async def append(self, *args: Any) -> None:  # noqa: ANN401  # its parent's
            await asyncio.sleep(1)
            await super().append(*args)

    async def main() -> list[ExecutionStatus]:
        nodes = [Node("a"), Node("b", ("a",)), Node("c", ("b",)), Node("d", ("c",))]
        plan = Plan("run", nodes)
        recorder = Recorder(plan, Ledger())
        scheduler = Scheduler(recorder, Doing({"a": leaves_a_bomb, "b": takes_long}), {})
        recorder.emit(RunStarted, tasks=tuple("abcd"))
        store = Slow()
        await open_run(store, recorder)
        await scheduler.run(store, 1)
        events = await store.events("run")
        assert [event.seq for event in events] == list(range(1, len(events) + 1))
        return [result.status for result in recorder.ledger.run_result().results]

    ends = run_in_virtual_time(main())
    assert ends[0] is SUCCESS
    assert ends[2] in {SUCCESS, ExecutionStatus.BLOCKED}  # b may have been hit: it is in that slot
    assert FAILED not in (ends[0], ends[2], ends[3])


@pytest.mark.parametrize("orders", [1, 2, 3])
def test_an_order_counts_once_and_reaches_no_other_attempt(orders: int) -> None:
    cancellations = []

    async def stubborn() -> None:
        for _ in range(3):
            try:
                await asyncio.sleep(2)
            except asyncio.CancelledError:
                cancellations.append(me().cancelling())

    async def meddle(scheduler: Scheduler) -> None:
        await asyncio.sleep(1)
        for _ in range(orders):
            scheduler.cancel("a", "enough")
            await asyncio.sleep(0.5)

    played = done({"a": stubborn}, "b", "c", meddle=meddle)
    assert cancellations == [1]
    assert [result.status for result in played.result.results] == [SUCCESS] * 3  # it had its way, and that stands


def test_an_order_that_arrives_with_a_cancellation_of_its_own_is_obeyed() -> None:
    async def both() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            me().cancel()
            await asyncio.sleep(60)

    async def meddle(scheduler: Scheduler) -> None:
        await asyncio.sleep(1)
        scheduler.cancel("a", "enough")

    played = done({"a": both}, "b", meddle=meddle)
    assert [result.status for result in played.result.results] == [CANCELLED, SUCCESS]
    assert played.result.by_id["a"].error == "enough"


@pytest.mark.parametrize("swallows", [False, True])
def test_a_cancelled_caller_ends_the_run_whatever_code_makes_of_it(swallows: bool) -> None:
    async def deed() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            if not swallows:
                raise

    async def main() -> tuple[Recorder, list[str]]:
        recorder = Recorder(Plan("run", [Node("a"), Node("b"), Node("c")]), Ledger())
        scheduler = Scheduler(recorder, Doing({"a": deed, "b": deed, "c": deed}), {})
        recorder.emit(RunStarted, tasks=tuple("abc"))
        store = MemoryStore()
        await open_run(store, recorder)
        run = asyncio.create_task(scheduler.run(store, 2))
        await asyncio.sleep(1)
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
        assert run.cancelling() == 1
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return recorder, [event.type for event in await store.events("run")]

    recorder, types = run_in_virtual_time(main())
    ends = [result.status for result in recorder.ledger.run_result().results]
    assert ends == ([SUCCESS, SUCCESS, CANCELLED] if swallows else [CANCELLED] * 3)
    assert types[-1] == "run_completed"


# -- breathing ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("slots", [1, 4, None])
@pytest.mark.slow
async def test_steps_that_never_wait_do_not_keep_the_loop_to_themselves(slots: int | None) -> None:
    turns, over = 0, asyncio.Event()

    async def host() -> None:
        nonlocal turns
        while not over.is_set():
            await asyncio.sleep(0)
            turns += 1

    recorder = Recorder(Plan("run", [Node(f"t{n}") for n in range(2_000)]), Ledger())
    recorder.emit(RunStarted, tasks=tuple(recorder.plan.graph.ids))
    store = MemoryStore()
    await open_run(store, recorder)
    beside = asyncio.create_task(host())
    await asyncio.sleep(0)
    await Scheduler(recorder, Doing({}, script=Script()), {}).run(store, slots)
    over.set()
    await beside
    assert turns > 5  # a step takes microseconds, and a turn is to be few milliseconds of them


async def test_slots_that_are_closed_end_in_their_order() -> None:
    store = MemoryStore()

    async def hangs() -> None:
        await asyncio.sleep(3600)

    names = [f"s{n}" for n in range(40)]
    flow = Flow("f", [FlowStep(name, hangs) for name in names])
    run = asyncio.create_task(AsyncFlowExecutor(store=store).execute(flow))
    await asyncio.sleep(0.05)
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    (record,) = await store.runs()
    ends = [event.task_id for event in await store.events(record.run_id) if isinstance(event, TaskCancelled)]
    assert ends == names
