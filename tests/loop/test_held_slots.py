"""Slots that are held: what an abandoned attempt keeps, and what it never keeps a run from."""

import asyncio

import pytest

from orchestration.kinds import ExecutionStatus, Failure, RunStatus
from orchestration.models import Backoff, RetryPolicy
from orchestration.plan import Node
from orchestration.results import Outcome
from orchestration.scheduler import Job, Scheduler
from orchestration.testing import Script, Step
from tests.loop.playing import play

SUCCESS, FAILED, CANCELLED = ExecutionStatus.SUCCESS, ExecutionStatus.FAILED, ExecutionStatus.CANCELLED


def abandoned(returns_after: float, seconds: float = 1) -> Step:
    outcome = Outcome(failure=Failure.TIMEOUT, error="too long", abandoned=True)
    return Step(seconds, outcome, returns_after=returns_after)


def test_an_abandoned_attempt_keeps_its_slot_until_its_thread_returns() -> None:
    script = Script({"hangs": [abandoned(10)], **{f"t{n}": [Step(seconds=4)] for n in range(4)}})
    played = play([Node("hangs"), *(Node(f"t{n}") for n in range(4))], script, 2)
    assert played.seconds == pytest.approx(15)
    assert [call[0] for call in script.calls] == ["hangs", "t0", "t1", "t2", "t3"]
    started = {event.task_id: event.at for event in played.events if event.type == "task_started"}  # type: ignore[attr-defined]
    assert (started["t3"] - started["hangs"]).total_seconds() == pytest.approx(11)


def test_a_run_does_not_wait_for_abandoned_threads_once_all_else_is_over() -> None:
    script = Script({"hangs": [abandoned(1000)], "a": [Step(seconds=5)]})
    played = play([Node("hangs"), Node("a"), Node("b", ("hangs",))], script, 2)
    assert played.seconds == pytest.approx(5)
    assert played.result.by_id["b"].status is ExecutionStatus.BLOCKED
    assert played.result.status is RunStatus.FAILED


def test_where_all_slots_are_held_and_something_could_start_the_first_is_let_go() -> None:
    script = Script({"h1": [abandoned(1000, 1)], "h2": [abandoned(1000, 2)], "a": [Step(seconds=5)], "b": [Step(5)]})
    played = play([Node("h1"), Node("h2"), Node("a"), Node("b")], script, 2)
    assert played.seconds == pytest.approx(12)
    assert [call[0] for call in script.calls] == ["h1", "h2", "a", "b"]
    assert [call[2] for call in script.calls] == [0, 1, 0, 0]


def test_a_retry_of_an_abandoned_attempt_does_not_wait_for_ever() -> None:
    script = Script({"h": [abandoned(1000), Step(seconds=1)]})
    jobs = {"h": Job(retry=RetryPolicy.model_validate({"max": 2, "on": ["timeout"], "backoff": 3, "jitter": 0}))}
    played = play([Node("h")], script, 1, jobs=jobs)
    assert played.result.status is RunStatus.SUCCESS
    assert played.seconds == pytest.approx(5)


def test_a_cancelled_run_does_not_wait_for_abandoned_threads() -> None:
    script = Script({"h": [abandoned(1000)], "a": [Step(seconds=500)]})

    async def meddle(scheduler: Scheduler) -> None:
        await asyncio.sleep(3)
        scheduler.stop("signal 2")

    played = play([Node("h"), Node("a")], script, 2, meddle=meddle)
    assert played.seconds == pytest.approx(3)
    assert played.result.status is RunStatus.CANCELLED


@pytest.mark.parametrize("slots", [1, 2, None])
def test_a_run_whose_last_open_task_is_cancelled_does_not_wait_for_abandoned_threads(slots: int | None) -> None:
    script = Script({"h": [abandoned(1000)], "b": [Step(outcome=Outcome(failure=Failure.EXIT_CODE))]})
    jobs = {"b": Job(retry=RetryPolicy(max=2, backoff=Backoff(initial=500, max=500), jitter=0))}

    async def meddle(scheduler: Scheduler) -> None:
        await asyncio.sleep(5)
        assert scheduler.cancel("b", "enough")

    played = play([Node("b"), Node("h")], script, slots, jobs=jobs, meddle=meddle)
    assert played.seconds == pytest.approx(5)
    assert [result.status for result in played.result.results] == [CANCELLED, FAILED]


def test_a_slot_that_is_held_is_let_go_when_a_retry_is_due() -> None:
    script = Script({"h": [abandoned(1000)], "b": [Step(outcome=Outcome(failure=Failure.EXIT_CODE)), Step(seconds=1)]})
    jobs = {"b": Job(retry=RetryPolicy(max=2, backoff=Backoff(initial=50), jitter=0))}
    played = play([Node("b"), Node("h")], script, 1, jobs=jobs)
    assert played.seconds == pytest.approx(51)
    assert [result.status for result in played.result.results] == [SUCCESS, FAILED]
