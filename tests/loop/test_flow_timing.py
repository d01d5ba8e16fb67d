"""When steps of flows run: as soon as they can, as many as may, for as long as there is time; and what records say."""

import asyncio
from itertools import pairwise

import pytest

from orchestration.flow import AsyncFlowExecutor, Flow, FlowStep
from orchestration.kinds import ExecutionStatus, Failure, RunStatus
from orchestration.results import RunResult
from orchestration.store.memory import MemoryStore
from orchestration.testing import run_in_virtual_time
from tests.loop.flows import Diary, play, random_flow, statuses

SUCCESS = ExecutionStatus.SUCCESS
CANCELLED = ExecutionStatus.CANCELLED


@pytest.mark.parametrize("seed", range(30))
def test_a_flow_without_limit_takes_no_longer_than_its_critical_path(seed: int) -> None:
    flow, critical = random_flow(seed, Diary())
    run = play(flow)
    assert run.status is RunStatus.SUCCESS
    assert critical <= run.wall_seconds + 1e-3  # events tell microseconds
    assert run.wall_seconds <= 1.05 * critical
    assert run.critical_path_seconds == pytest.approx(critical, rel=1e-3)
    assert run.wall_seconds < run.step_seconds


def test_uneven_chains_do_not_wait_for_each_other() -> None:
    diary = Diary()
    slow = [FlowStep("a1", diary.step("a1", 1)), FlowStep("a2", diary.step("a2", 9), depends_on="a1")]
    fast = [FlowStep("b1", diary.step("b1", 9)), FlowStep("b2", diary.step("b2", 1), depends_on="b1")]
    run = play(Flow("chains", [*slow, *fast]))
    assert run.wall_seconds == pytest.approx(10)  # in waves it would be 18
    assert run.step_seconds == pytest.approx(20)
    assert run.critical_path_seconds == pytest.approx(10)


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
def test_the_limit_is_reached_and_not_passed(limit: int) -> None:
    diary = Diary()
    run = play(Flow("wide", [FlowStep(f"s{n}", diary.step(f"s{n}", 1)) for n in range(21)]), limit)
    assert diary.peak == limit
    assert run.wall_seconds == pytest.approx(-(-21 // limit))


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_runs_of_one_executor_share_its_room_with_all_their_steps(limit: int) -> None:
    diary = Diary()
    inner = Flow("inner", [FlowStep(f"x{n}", diary.step(f"x{n}", 1)) for n in range(3)])
    steps = [FlowStep(f"s{n}", diary.step(f"s{n}", 1)) for n in range(3)]
    flow = Flow("f", [*steps, FlowStep("sub", flow=inner)])

    async def both() -> list[RunResult]:
        executor = AsyncFlowExecutor(limit)
        return list(await asyncio.gather(*(executor.execute(flow) for _ in range(4))))

    async def timed() -> tuple[list[RunResult], float]:
        return await both(), asyncio.get_running_loop().time()

    runs, seconds = run_in_virtual_time(timed())
    assert diary.peak == limit
    assert seconds == pytest.approx(24 / limit)
    assert {run.status for run in runs} == {RunStatus.SUCCESS}


def test_backoff_holds_no_room() -> None:
    diary = Diary()
    retry = {"max": 2, "backoff": {"initial": 10, "max": 10}, "jitter": 0}
    steps = [FlowStep("again", diary.step("again", 1, fails=1), retry=retry), FlowStep("b", diary.step("b", 10))]
    run = play(Flow("f", steps), 1)
    assert run.wall_seconds == pytest.approx(12)
    assert run.step_seconds == pytest.approx(12)
    assert [attempt.status for attempt in run["again"].attempts] == [ExecutionStatus.FAILED, SUCCESS]


def test_records_say_when_a_step_could_begin_began_and_ended() -> None:
    diary = Diary()
    retry = {"max": 2, "backoff": {"initial": 4, "max": 4}, "jitter": 0}
    steps = [
        FlowStep("a", diary.step("a", 2)),
        FlowStep("b", diary.step("b", 3), depends_on="a"),
        FlowStep("c", diary.step("c", 5), depends_on="a"),
        FlowStep("d", diary.step("d", 1, fails=1), depends_on="c", retry=retry),
    ]
    run = play(Flow("f", steps), 1)
    assert run.started_at is not None
    seen = {}
    for one in run.results:
        times = (one.queued_at, one.started_at, one.completed_at)
        seen[one.task_id] = [round((time - run.started_at).total_seconds(), 3) for time in times if time is not None]
    assert seen == {"a": [0, 0, 2], "b": [2, 7, 10], "c": [2, 2, 7], "d": [15, 15, 16]}
    attempts = [
        [round((time - run.started_at).total_seconds(), 3) for time in (one.started_at, one.completed_at) if time]
        for one in run["d"].attempts
    ]
    assert attempts == [[10, 11], [15, 16]]
    assert [round(one.duration_seconds, 3) for one in run["d"].attempts] == [1, 1]
    assert run["b"].duration_seconds == pytest.approx(3)
    assert run.step_seconds == pytest.approx(12)


def test_the_heaviest_path_goes_through_flows_inside_of_others() -> None:
    diary = Diary()
    inner = Flow(
        "inner",
        [
            FlowStep("last", diary.step("last", 1), depends_on=["y"]),
            FlowStep("y", diary.step("y", 5), depends_on=["x"]),
            FlowStep("x", diary.step("x", 1)),
        ],
    )
    steps = [FlowStep("b", diary.step("b", 2), depends_on=["sub"]), FlowStep("a", diary.step("a", 3))]
    run = play(Flow("f", [*steps, FlowStep("sub", flow=inner)]))
    assert run.wall_seconds == run.critical_path_seconds == pytest.approx(9)
    assert run.step_seconds == pytest.approx(12)
    assert [one.task_id for one in run.results] == ["b", "a", "sub", "sub/last", "sub/y", "sub/x"]


def test_a_timeout_is_that_of_each_attempt_and_does_not_count_waiting() -> None:
    diary = Diary()
    steps = [FlowStep(f"s{n}", diary.step(f"s{n}", 1), timeout=1.5) for n in range(5)]
    assert play(Flow("f", steps), 1).status is RunStatus.SUCCESS
    late = FlowStep("late", diary.step("late", 2), timeout="1500ms", retry={"max": 2, "backoff": {"initial": 0}})
    run = play(Flow("f", [late]))
    assert run["late"].failure is Failure.TIMEOUT
    assert [one.outcome.failure for one in run["late"].attempts] == [Failure.TIMEOUT] * 2
    assert run.wall_seconds == pytest.approx(3)


def test_a_deadline_ends_what_runs_what_waits_for_its_turn_and_what_waits_for_another_attempt() -> None:
    diary = Diary()
    retry = {"max": 9, "backoff": {"initial": 50, "max": 50}}
    steps = [
        FlowStep("again", diary.step("again", 1, fails=9), retry=retry),
        FlowStep("running", diary.step("running", 100)),
        FlowStep("queued", diary.step("queued", 1)),
        FlowStep("below", diary.step("below", 1), depends_on="again"),
    ]
    run = play(Flow("f", steps, on_error="continue"), 1, deadline=10)
    assert run.status is RunStatus.CANCELLED
    assert run.wall_seconds == pytest.approx(10)
    assert set(statuses(run).values()) == {CANCELLED}
    assert diary.entries == [
        ("began", "again"),
        ("began", "running"),
        ("cancelled", "running"),
    ]
    assert {one.task_id for one in run.results if one.reason == "not_started"} == {"queued", "below"}
    assert len(run["again"].attempts) == 1


def test_a_deadline_that_is_not_met_changes_nothing() -> None:
    assert play(Flow("f", [FlowStep("a", Diary().step("a", 9))]), deadline="10s").status is RunStatus.SUCCESS


def test_cancelling_whoever_waits_ends_all_and_is_recorded() -> None:
    diary = Diary()
    flow = Flow("f", [FlowStep("a", diary.step("a", 9)), FlowStep("b", diary.step("b"), depends_on="a")])
    store = MemoryStore()

    async def main() -> None:
        executor = AsyncFlowExecutor(1, store=store)
        async with executor.stream(flow, run_id="left") as stream:
            async for event in stream:
                if event["type"] == "task_started":
                    break
        run = await executor.execute(flow, run_id="left")  # it is over; this is how it ended
        assert statuses(run) == {"a": CANCELLED, "b": CANCELLED}
        assert run["b"].reason == "not_started"
        waiting = asyncio.create_task(executor.execute(flow))
        await asyncio.sleep(1)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        after = await executor.execute(Flow("g", [FlowStep("c", diary.step("c"))]))
        assert after.status is RunStatus.SUCCESS  # the room was given back

    run_in_virtual_time(main())
    assert diary.of("cancelled") == ["a"]  # the first run was left before the step itself had begun
    assert diary.of("began") == ["a", "c"]


def test_among_steps_that_could_start_the_longest_way_and_then_the_declaration_decides() -> None:
    diary = Diary()
    chain = [FlowStep(f"c{n}", diary.step(f"c{n}", 1), depends_on=[f"c{n - 1}"] if n else []) for n in range(4)]
    leaves = [FlowStep(f"l{n}", diary.step(f"l{n}", 1)) for n in range(3)]
    run = play(Flow("f", [*leaves, *chain]), 2)
    assert diary.of("began")[:4] == ["c0", "l0", "c1", "l1"]
    assert run.wall_seconds == pytest.approx(4)
    assert [one.task_id for one in run.results] == ["l0", "l1", "l2", "c0", "c1", "c2", "c3"]
    moments = [one.started_at for one in run.results[3:]]
    assert all(before < after for before, after in pairwise(moments) if before and after)


def test_a_step_that_was_given_another_dependency_after_the_flow_was_made_waits_for_it() -> None:
    diary = Diary()
    steps = [FlowStep("a", diary.step("a", 1)), FlowStep("b", diary.step("b", 1)), FlowStep("c", diary.step("c", 1))]
    flow = Flow("f", steps)
    assert play(flow).wall_seconds == pytest.approx(1)
    steps[2].depends_on = ("b",)
    assert play(flow).wall_seconds == pytest.approx(2)
    assert diary.of("began")[3:] == ["b", "a", "c"]
