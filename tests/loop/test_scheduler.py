"""The loop with scripted work in virtual time."""

import asyncio
import gc
import random
from itertools import pairwise

import pytest

from orchestration.errors import StoreError
from orchestration.events import RetryScheduled, RunResumed, RunStarted, TaskCancelled, TaskChunk, TaskStarted
from orchestration.kinds import ExecutionStatus, Failure, OnCrash, RunStatus, RunWhen
from orchestration.ledger import Ledger
from orchestration.models import Backoff, RetryPolicy
from orchestration.plan import Limits, Node, Plan
from orchestration.results import Outcome
from orchestration.scheduler import Job, Recorder, Scheduler
from orchestration.store.memory import MemoryStore
from orchestration.testing import FAILS, FakeDoer, Script, Step, run_in_virtual_time
from tests.loop.playing import open_run, play, play_here

FAILED = ExecutionStatus.FAILED
SUCCESS = ExecutionStatus.SUCCESS
CANCELLED = ExecutionStatus.CANCELLED
BLOCKED = ExecutionStatus.BLOCKED
SKIPPED = ExecutionStatus.SKIPPED


def lasting(**seconds: float) -> Script:
    return Script({name: [Step(length)] for name, length in seconds.items()})


def chain(*ids: str) -> list[Node]:
    return [Node(ids[0]), *(Node(after, (before,)) for before, after in pairwise(ids))]


def statuses(played_result: object) -> dict[str, ExecutionStatus]:
    return {result.task_id: result.status for result in played_result.results}  # type: ignore[attr-defined]


def test_a_rolling_window_beats_batches() -> None:
    played = play([Node(name) for name in "abcdef"], lasting(a=4, b=1, c=1, d=4, e=1, f=1), 3)
    assert played.seconds == pytest.approx(5)
    assert played.script.peak == 3
    assert [result.task_id for result in played.result.results] == list("abcdef")
    assert played.result.wall_seconds == pytest.approx(5)
    assert played.result.step_seconds == pytest.approx(12)


@pytest.mark.parametrize("seed", range(30))
def test_without_a_limit_a_random_graph_takes_its_critical_path(seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311  # a repeatable graph
    nodes = [
        Node(f"t{i}", tuple(f"t{j}" for j in dice.sample(range(i), min(i, dice.randint(0, 3))))) for i in range(60)
    ]
    script = Script({node.id: [Step(dice.uniform(0.1, 5))] for node in nodes})
    played = play(nodes, script, None)
    assert played.seconds / played.result.critical_path_seconds <= 1.05
    assert played.result.status is RunStatus.SUCCESS


def test_events_are_gap_free_told_in_order_and_only_once() -> None:
    nodes = [*chain("a", "b", "c"), Node("d"), Node("e", ("a", "d"))]
    played = play(nodes, lasting(a=1, b=2, c=1, d=3, e=1), 2)
    assert [event.seq for event in played.events] == list(range(1, len(played.events) + 1))
    assert list(played.told) == list(played.events)
    assert played.types()[0] == "run_started"
    assert played.types()[-1] == "run_completed"


def test_a_failure_blocks_its_descendants_and_nothing_else() -> None:
    nodes = [*chain("a", "b", "c"), Node("d"), Node("e", ("d",))]
    played = play(nodes, Script({"a": [FAILS], "d": [Step(1)]}), 2)
    assert statuses(played.result) == {"a": FAILED, "b": BLOCKED, "c": BLOCKED, "d": SUCCESS, "e": SUCCESS}
    assert played.result.by_id["b"].reason == "depends on a, which is failed"
    assert played.result.by_id["c"].metadata["blocked_by"] == ["b"]
    assert played.result.status is RunStatus.FAILED


def test_fail_fast_cancels_running_siblings_and_starts_nothing_new() -> None:
    nodes = [Node("a"), Node("b"), Node("c"), Node("d", ("a",)), Node("clean", ("a", "b"), RunWhen.ALWAYS)]
    played = play(nodes, Script({"a": [Step(1, FAILS.outcome)], "b": [Step(9)]}), 2, fail_fast=True)
    got = statuses(played.result)
    assert got == {"a": FAILED, "b": CANCELLED, "c": CANCELLED, "d": BLOCKED, "clean": SUCCESS}
    assert played.result.by_id["c"].reason == "not_started"
    assert played.result.by_id["b"].failure is Failure.CANCELLED
    assert played.seconds == pytest.approx(1)
    assert [call[0] for call in played.script.calls] == ["a", "b", "clean"]


def test_a_retry_waits_for_its_backoff_and_holds_no_slot() -> None:
    policy = RetryPolicy(max=3, backoff=Backoff(initial=10, factor=2, max=60), jitter=0)
    script = Script({"a": [FAILS, FAILS, Step(1)], "b": [Step(5)], "c": [Step(5)]})
    played = play([Node("a"), Node("b"), Node("c")], script, 1, jobs={"a": Job(retry=policy)})
    assert played.result.by_id["a"].status is SUCCESS
    assert [attempt.status for attempt in played.result.by_id["a"].attempts] == [FAILED, FAILED, SUCCESS]
    assert played.seconds == pytest.approx(31)
    assert [call[0] for call in script.calls] == ["a", "b", "c", "a", "a"]
    waits = [event for event in played.events if isinstance(event, RetryScheduled)]
    assert [round((wait.due_at - wait.at).total_seconds()) for wait in waits if wait.due_at] == [10, 20]


def test_jitter_spreads_the_backoff_within_its_fraction() -> None:
    policy = RetryPolicy(max=50, backoff=Backoff(initial=10, factor=1), jitter=0.2)
    played = play([Node("a")], Script({"a": [FAILS]}), 1, jobs={"a": Job(retry=policy)})
    scheduled = [event for event in played.events if isinstance(event, RetryScheduled)]
    waits = [(event.due_at - event.at).total_seconds() for event in scheduled if event.due_at]
    assert len(waits) == 49
    assert all(7.99 <= wait <= 12.01 for wait in waits)
    assert max(waits) - min(waits) > 1


@pytest.mark.parametrize("error", [ZeroDivisionError("oh"), SystemExit(4), GeneratorExit("oh")])
def test_a_task_that_raises_is_its_own_failure(error: BaseException) -> None:
    script = Script({"a": [Step(error=error)], "b": [Step(1)]})
    played = play([Node("a"), Node("b")], script, 2)
    assert statuses(played.result) == {"a": FAILED, "b": SUCCESS}
    assert played.result.by_id["a"].failure is Failure.INTERNAL
    assert played.result.by_id["a"].error == f"{type(error).__name__}: {error}"


def test_an_agent_that_cancels_itself_has_crashed_and_its_slot_goes_on() -> None:
    script = Script({"a": [Step(error=asyncio.CancelledError())]})
    played = play([Node("a"), Node("b")], script, 1)
    assert played.result.by_id["a"].failure is Failure.CRASHED
    assert played.result.by_id["b"].status is SUCCESS


def test_limits_of_agents_and_pools_are_never_exceeded_and_hold_no_slot() -> None:
    limits = Limits({"pool gpu": 1})
    nodes = [Node("a", limits=("pool gpu",)), Node("b", limits=("pool gpu",)), Node("c"), Node("d")]
    played = play(nodes, lasting(a=2, b=2, c=1, d=1), 2, limits=limits)
    assert played.seconds == pytest.approx(4)
    started = {event.task_id: event.at for event in played.events if isinstance(event, TaskStarted)}
    assert started["b"] > started["d"]


def test_a_limit_that_another_run_uses_up_is_waited_for() -> None:
    limits = Limits({"pool gpu": 1})

    async def two() -> float:
        node = [Node("a", limits=("pool gpu",))]
        one, other = await asyncio.gather(
            play_here(node, lasting(a=2), limits=limits),
            play_here(node, lasting(a=2), limits=limits),
        )
        assert one.result.status is other.result.status is RunStatus.SUCCESS
        return asyncio.get_running_loop().time()

    assert run_in_virtual_time(two()) == pytest.approx(4)


def test_a_person_is_waited_for_while_others_go_on() -> None:
    ask = Step(outcome=Outcome(needs_input=True, prompt="please"))
    played = play([Node("a"), Node("b", ("a",)), Node("c")], Script({"a": [ask], "c": [Step(1)]}), 1)
    got = statuses(played.result)
    assert got == {"a": ExecutionStatus.NEEDS_INPUT, "b": ExecutionStatus.PENDING, "c": SUCCESS}
    assert played.types()[-1] == "run_paused"
    assert played.result.status is RunStatus.PAUSED
    assert played.result.by_id["a"].metadata["prompt"] == "please"


def test_cancelling_one_task_ends_only_that_task() -> None:
    async def meddle(scheduler: Scheduler) -> None:
        await asyncio.sleep(1)
        assert scheduler.cancel("a", "enough")
        assert scheduler.cancel("c", "enough")
        assert not scheduler.cancel("quick", "enough")

    nodes = [Node("quick"), Node("a"), Node("b", ("a",)), Node("d"), Node("c")]
    played = play(nodes, lasting(quick=0.5, a=9, d=3), 2, meddle=meddle)
    got = statuses(played.result)
    assert got == {"quick": SUCCESS, "a": CANCELLED, "b": BLOCKED, "c": CANCELLED, "d": SUCCESS}
    ended = next(event for event in played.events if isinstance(event, TaskCancelled) and event.task_id == "a")
    assert (ended.attempt, ended.reason, ended.cause) == (1, "cancelled", "enough")
    assert played.seconds < 9


def test_a_cancelled_task_is_recorded_only_when_it_has_really_ended() -> None:
    async def meddle(scheduler: Scheduler) -> None:
        await asyncio.sleep(1)
        scheduler.cancel("a", "enough")

    played = play([Node("a")], Script({"a": [Step(9, stubborn=2)]}), 1, meddle=meddle)
    assert played.seconds == pytest.approx(3)
    assert played.result.by_id["a"].status is CANCELLED


def test_stopping_a_run_leaves_no_task_without_an_end() -> None:
    async def meddle(scheduler: Scheduler) -> None:
        await asyncio.sleep(1)
        scheduler.stop("signal 2")

    nodes = [Node("a"), *chain("b", "c"), Node("clean", ("c",), RunWhen.ALWAYS)]
    played = play(nodes, lasting(a=0.5, b=9), 2, meddle=meddle)
    assert statuses(played.result) == {"a": SUCCESS, "b": CANCELLED, "c": CANCELLED, "clean": SUCCESS}
    assert played.result.by_id["b"].reason == "stopped"
    assert played.result.status is RunStatus.CANCELLED
    assert played.result.reason == "signal 2"


def test_a_cancelled_caller_leaves_a_recorded_run_behind() -> None:
    async def main() -> list[str]:
        plan = Plan("run", [Node("a"), Node("b", ("a",)), Node("c")])
        recorder = Recorder(plan, Ledger())
        scheduler = Scheduler(recorder, FakeDoer(Script({"a": [Step(9, stubborn=1)], "c": [Step(9)]})), {})
        store = MemoryStore()
        recorder.emit(RunStarted, tasks=("a", "b", "c"))
        await open_run(store, recorder)
        run = asyncio.create_task(scheduler.run(store, 2))
        await asyncio.sleep(1)
        run.cancel()
        await asyncio.sleep(0.5)
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
        assert asyncio.all_tasks() == {asyncio.current_task()}
        result = recorder.ledger.run_result()
        assert statuses(result) == {"a": CANCELLED, "b": CANCELLED, "c": CANCELLED}
        assert [one.reason for one in result.results] == ["stopped", "not_started", "stopped"]
        return [event.type for event in await store.events("run")]

    types = run_in_virtual_time(main())
    assert types.count("task_cancelled") == 3
    assert types[-1] == "run_completed"


class _FullSoon:
    """A log with room for one commit."""

    def __init__(self) -> None:
        self.appended = 0

    async def append(self, *_: object) -> None:
        self.appended += 1
        if self.appended > 1:
            raise StoreError("the disk is full")


def test_a_store_that_fails_ends_the_run_with_its_error_and_leaves_nothing_running() -> None:
    async def main() -> None:
        plan = Plan("run", [Node(f"t{i}") for i in range(9)])
        script = Script({f"t{i}": [Step(1 + i)] for i in range(9)})
        scheduler = Scheduler(Recorder(plan, Ledger()), FakeDoer(script), {})
        scheduler.recorder.emit(RunStarted, tasks=tuple(plan.graph.ids))
        with pytest.raises(StoreError, match="disk is full"):
            await scheduler.run(_FullSoon(), 3)  # type: ignore[arg-type]
        assert script.running == 0
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run_in_virtual_time(main())


def test_a_store_that_fails_beside_the_slots_ends_the_run_at_once(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        plan = Plan("run", [Node("long"), Node("waits")])
        scheduler = Scheduler(Recorder(plan, Ledger()), FakeDoer(Script({"long": [Step(100)], "waits": [Step(1)]})), {})
        scheduler.recorder.emit(RunStarted, tasks=tuple(plan.graph.ids))
        loop.call_later(5, scheduler.cancel, "waits", "nobody wants it")
        with pytest.raises(StoreError, match="disk is full"):
            await scheduler.run(_FullSoon(), 1)  # type: ignore[arg-type]
        assert loop.time() - began < 6

    run_in_virtual_time(main())
    gc.collect()
    assert not caplog.records


def test_chunks_are_counted_per_attempt_and_never_stored() -> None:
    script = Script({"a": [Step(outcome=FAILS.outcome, chunks=["x", {"type": "run_completed"}]), Step(chunks=[1])]})
    jobs = {"a": Job(retry=RetryPolicy(max=2, backoff=Backoff(initial=0)))}
    played = play([Node("a")], script, 1, jobs=jobs)
    chunks = [event for event in played.told if isinstance(event, TaskChunk)]
    assert [(chunk.attempt, chunk.n, chunk.chunk) for chunk in chunks] == [
        (1, 1, "x"),
        (1, 2, {"type": "run_completed"}),
        (2, 1, 1),
    ]
    assert "task_chunk" not in played.types()


def test_conditions_are_recorded_and_a_false_one_skips() -> None:
    doer = FakeDoer(conditions={"b": lambda: False})
    nodes = [Node("a"), Node("b", ("a",), conditional=True), Node("c", ("b",)), Node("d", ("a", "b"))]
    played = play(nodes, doer=doer)
    skipped = ExecutionStatus.SKIPPED
    assert statuses(played.result) == {"a": SUCCESS, "b": skipped, "c": skipped, "d": SUCCESS}
    assert "condition_decided" in played.types("b")
    assert played.result.status is RunStatus.SUCCESS


def test_an_empty_run_is_over_at_once() -> None:
    played = play([])
    assert played.result.status is RunStatus.SUCCESS
    assert played.types() == ["run_started", "run_completed"]


def test_one_slot_starts_by_priority_then_longest_path_then_declaration() -> None:
    nodes = [
        Node("plain"),
        Node("long"),
        Node("tail", ("long",)),
        Node("urgent", rank=0),
        Node("plain2"),
    ]
    played = play(nodes, slots=1)
    assert [call[0] for call in played.script.calls] == ["urgent", "long", "plain", "tail", "plain2"]


def test_a_task_whose_failure_does_not_count_is_skipped_after_its_last_attempt() -> None:
    nodes = [Node("A"), Node("B", ("A",)), Node("C", ("A", "D")), Node("D")]
    jobs = {"A": Job(retry=RetryPolicy(max=2), skips_when_failed=True)}
    played = play(nodes, Script({"A": [FAILS], "D": [Step(5)]}), jobs=jobs, fail_fast=True)
    assert played.result.status is RunStatus.SUCCESS
    assert statuses(played.result) == {"A": SKIPPED, "B": SKIPPED, "C": SUCCESS, "D": SUCCESS}
    one = played.result["A"]
    assert one.failure is Failure.EXIT_CODE
    assert one.error == "it failed"
    assert one.reason == "it failed (exit_code), which does not count"
    assert [attempt.status for attempt in one.attempts] == [FAILED, FAILED]
    again = ["task_started", "task_error", "retry_scheduled", "task_started", "task_error", "task_skipped"]
    assert played.types("A") == again


def test_a_task_whose_failure_does_not_count_is_skipped_after_a_crash_that_fails_it_too() -> None:
    async def main() -> Ledger:
        plan = Plan("run", [Node("A"), Node("B", ("A", "C")), Node("C")])
        recorder = Recorder(plan, Ledger())
        jobs = {"A": Job(on_crash=OnCrash.FAIL, skips_when_failed=True)}
        scheduler = Scheduler(recorder, FakeDoer(Script()), jobs)
        recorder.emit(RunStarted, tasks=("A", "B", "C"), fail_fast=True)
        recorder.emit(TaskStarted, task_id="A", attempt=1)
        recorder.emit(RunResumed, fail_fast=True)
        scheduler.take_up()
        store = MemoryStore()
        await open_run(store, recorder)
        await scheduler.run(store, 2)
        return recorder.ledger

    result = run_in_virtual_time(main()).run_result()
    assert result.status is RunStatus.SUCCESS
    assert statuses(result) == {"A": SKIPPED, "B": SUCCESS, "C": SUCCESS}
    assert result["A"].failure is Failure.INTERRUPTED
