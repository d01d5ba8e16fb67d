"""A clock on the wall that is set in the middle of a run, or between two lives of one: the run's own time goes on."""

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from orchestration.events import Event, RetryScheduled, RunStarted, TaskError, TaskStarted
from orchestration.kinds import Failure, RunStatus
from orchestration.ledger import Ledger
from orchestration.models import Account, Backoff, Budget, RetryPolicy
from orchestration.plan import Node, Plan
from orchestration.results import Outcome
from orchestration.scheduler import Job, Recorder, Scheduler
from orchestration.testing import Script, Step, run_in_virtual_time
from tests.loop.playing import Played, play

HOUR = 3600.0
NOON = datetime(2025, 1, 2, 12, tzinfo=UTC).timestamp()
POLICY = RetryPolicy(max=3, backoff=Backoff(initial=10, factor=2, max=60), jitter=0)
FAILS = Step(seconds=5, outcome=Outcome(failure=Failure.EXIT_CODE, error="no"))


class WallClock:
    """Shows noon at its first look, goes on with the loop, and is set when the test says so."""

    def __init__(self) -> None:
        self.set_by = 0.0
        self._began: float | None = None

    def __call__(self) -> float:
        now = asyncio.get_running_loop().time()
        self._began = now if self._began is None else self._began
        return NOON + now - self._began + self.set_by


def offsets(played: Played) -> list[float]:
    return [event.at.timestamp() - NOON for event in played.events]


@pytest.mark.parametrize("hours", [-10, -1, 1, 10])
def test_a_step_in_mid_run_moves_no_retry_no_duration_and_no_event(hours: int) -> None:
    clock = WallClock()

    async def set_it(_: Scheduler) -> None:
        for _again in range(8):
            await asyncio.sleep(4)
            clock.set_by += hours * HOUR

    script = Script({"a": [FAILS, FAILS, Step(seconds=5)], "b": [Step(seconds=20)]})
    jobs = {"a": Job(retry=POLICY)}
    played = play([Node("a"), Node("b"), Node("c", needs=("a",))], script, 2, jobs=jobs, meddle=set_it, clock=clock)
    assert played.result.status is RunStatus.SUCCESS
    begun = [event.at.timestamp() - NOON for event in played.events if isinstance(event, TaskStarted)]
    assert begun == pytest.approx([0, 0, 15, 40, 45])  # 5 of work and 10 of waiting, 5 and 20, 5
    assert offsets(played) == sorted(offsets(played))
    assert played.seconds == pytest.approx(45)
    assert played.result.wall_seconds == pytest.approx(45)
    assert [attempt.duration_seconds for attempt in played.result.by_id["a"].attempts] == pytest.approx([5, 5, 5])
    assert played.result.by_id["b"].duration_seconds == pytest.approx(20)


@pytest.mark.parametrize("hours", [-10, 10])
def test_a_budget_of_time_is_spent_by_time_that_really_passed(hours: int) -> None:
    clock = WallClock()

    async def set_it(_: Scheduler) -> None:
        await asyncio.sleep(1)
        clock.set_by = hours * HOUR

    played = play([Node("a")], Script({"a": [Step(seconds=90)]}), budget=Budget(wall=30), meddle=set_it, clock=clock)
    assert played.seconds == pytest.approx(30)
    assert played.result.status is not RunStatus.SUCCESS


@pytest.mark.parametrize("hours", [-10, 0, 10])
def test_a_reset_that_an_agent_names_by_the_clock_is_as_far_ahead_as_the_clock_says(hours: int) -> None:
    clock = WallClock()
    reset = datetime.fromtimestamp(NOON + hours * HOUR + 120, UTC)

    async def set_it(_: Scheduler) -> None:
        clock.set_by = hours * HOUR

    refused = Outcome(failure=Failure.RATE_LIMITED, error="wait", metadata={"resets_at": reset.isoformat()})
    script = Script({"a": [Step(seconds=5, outcome=refused), Step(seconds=5)]})
    jobs = {"a": Job(agent="coder", account="team")}
    nodes = [Node("a", limits=("account team",))]
    played = play(nodes, script, jobs=jobs, accounts={"team": Account()}, meddle=set_it, clock=clock)
    assert played.result.status is RunStatus.SUCCESS
    assert played.seconds == pytest.approx(125, abs=1)


@pytest.mark.parametrize("hours", [-10, -1, 0])
def test_a_run_whose_clock_was_set_back_between_two_lives_waits_no_longer_than_its_backoff(hours: int) -> None:
    async def resume() -> tuple[float | None, datetime, datetime]:
        clock = WallClock()
        first = Recorder(Plan("run", [Node("a")]), Ledger(), clock=clock)
        stored = _until_a_retry_waits(first)
        clock.set_by = hours * HOUR
        second = Recorder(Plan("run", [Node("a")]), Ledger(), clock=clock)
        for event in stored:
            second.plan.apply(event)
        second.go_on_after(stored[-1].at)
        due = second.plan.wake_at(second.now())
        return None if due is None else due - second.now(), second.at(), stored[-1].at

    left, now, last = run_in_virtual_time(resume())
    assert left == pytest.approx(10, abs=0.01)
    assert now >= last


def test_a_clock_that_was_set_forward_ends_the_waiting_and_goes_on_from_there() -> None:
    async def resume() -> float:
        clock = WallClock()
        first = Recorder(Plan("run", [Node("a")]), Ledger(), clock=clock)
        stored = _until_a_retry_waits(first)
        clock.set_by = HOUR
        second = Recorder(Plan("run", [Node("a")]), Ledger(), clock=clock)
        second.go_on_after(stored[-1].at)
        return second.now() - NOON

    assert run_in_virtual_time(resume()) == pytest.approx(HOUR)


def _until_a_retry_waits(recorder: Recorder) -> list[Event]:
    outcome = Outcome(failure=Failure.EXIT_CODE, error="no")
    recorder.emit(RunStarted, tasks=("a",))
    recorder.emit(TaskStarted, task_id="a", attempt=1, agent="x", slot=0, queued_at=recorder.at())
    recorder.emit(TaskError, task_id="a", attempt=1, agent="x", outcome=outcome, final=False)
    recorder.emit(RetryScheduled, task_id="a", attempt=2, due_at=recorder.at() + timedelta(seconds=10), reason="again")
    times = [event.at for event in recorder.pending]
    assert all(one <= other for one, other in pairwise(times))
    return recorder.take()
