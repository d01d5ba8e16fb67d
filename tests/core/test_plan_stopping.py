"""Ending a run early, or a task of it: fail-fast, stops, cancels, faults."""

import pytest

from orchestration.events import (
    AttemptInterrupted,
    RetryScheduled,
    RunError,
    RunPaused,
    RunResumed,
    TaskNeedsInput,
    TaskStarted,
)
from orchestration.kinds import OnCrash, RunStatus, RunWhen
from orchestration.plan import Block, Cancel, Node, State, Stop
from tests.core.plans import LATER, Player, ended, moment

CAUSE = "fail-fast: A failed"


def failing_fast(*more: Node, conditions: dict[str, bool | None] | None = None) -> Player:
    """A run in which A failed while B was running; C depends on A, D on B, and E on nothing."""
    nodes = [Node("A"), Node("B"), Node("C", ("A",)), Node("D", ("B",)), Node("E"), *more]
    player = Player(nodes, fail_fast=True, conditions=conditions)
    assert {player.start(), player.start()} == {"A", "B"}
    player.fail("A")
    return player


def test_the_first_failure_stops_a_run_that_fails_fast() -> None:
    player = failing_fast()
    answered = player.settle()
    assert answered[0] == Block("C", "depends on A, which is failed", ("A",))
    assert set(answered[1:]) == {Stop("B", CAUSE), Cancel("D", CAUSE), Cancel("E", CAUSE)}
    assert player.plan.next_startable(LATER) is None
    assert not player.plan.has_ready
    player.cancelled("B")
    assert player.settle() == []
    assert player.plan.is_over
    assert player.plan.final_status() is RunStatus.FAILED


def test_an_attempt_that_wins_against_its_stop_keeps_its_outcome() -> None:
    player = failing_fast()
    player.settle()
    player.complete("B")
    player.settle()
    assert player.states["B"] is State.SUCCEEDED
    assert player.plan.is_over


def test_nothing_new_starts_after_the_failure_not_even_what_was_handed_out() -> None:
    player = Player([Node("A"), Node("B")], fail_fast=True)
    assert player.start() == "A"
    assert player.plan.next_startable(0) is not None
    player.fail("A")
    assert not player.offer(player.make(TaskStarted, task_id="B", attempt=1))
    assert player.settle() == [Cancel("B", CAUSE)]


def test_a_failure_that_is_tried_again_does_not_stop_the_run() -> None:
    player = Player([Node("A"), Node("B")], fail_fast=True)
    player.start()
    player.fail("A", final=False)
    player.happen(RetryScheduled, task_id="A", due_at=moment(50))
    assert player.plan.stopping is None
    assert player.play() == {"A": State.SUCCEEDED, "B": State.SUCCEEDED}


def test_an_interrupted_attempt_that_is_not_tried_again_is_a_failure() -> None:
    player = Player([Node("A"), Node("B")], fail_fast=True)
    player.start()
    player.happen(AttemptInterrupted, task_id="A", attempt=1, then=OnCrash.FAIL)
    assert player.settle() == [Cancel("B", CAUSE)]


def test_tasks_that_always_run_begin_when_what_they_wait_for_ended() -> None:
    always = RunWhen.ALWAYS
    player = failing_fast(
        Node("clean", ("B", "D"), run_when=always),
        Node("close", ("clean",), run_when=always),
        Node("tell", ("close",)),
    )
    player.settle()
    assert player.start() is None
    player.cancelled("B")
    assert player.start() == "clean"
    player.fail("clean")
    assert player.start() == "close"
    player.complete("close")
    player.settle()
    assert player.plan.is_over
    assert player.states["tell"] is State.CANCELLED


def test_a_task_that_always_runs_and_is_running_is_not_stopped() -> None:
    player = Player([Node("A"), Node("B", run_when=RunWhen.ALWAYS)], fail_fast=True)
    player.start_all()
    player.fail("A")
    assert player.settle() == []
    player.complete("B")
    assert player.plan.is_over


def test_a_task_that_always_runs_is_retried_and_decided_also_while_the_run_is_stopped() -> None:
    nodes = [Node("A"), Node("B", ("A",), run_when=RunWhen.ALWAYS, conditional=True)]
    player = Player(nodes)
    player.start()
    player.plan.stop("Ctrl-C")
    player.settle()
    player.cancelled("A")
    assert player.start() == "B"
    player.fail("B", final=False)
    player.happen(RetryScheduled, task_id="B", due_at=moment(50))
    assert player.start() == "B"
    player.complete("B")
    assert player.plan.is_over


@pytest.mark.parametrize("policy", [policy for policy in RunWhen if policy is not RunWhen.ALWAYS])
def test_no_other_policy_survives_a_stop(policy: RunWhen) -> None:
    player = Player([Node("A"), Node("T", ("A",), run_when=policy)])
    player.start()
    player.plan.stop("Ctrl-C")
    player.settle()
    player.cancelled("A")
    player.settle()
    assert player.states == {"A": State.CANCELLED, "T": State.CANCELLED}


def test_a_stop_in_the_middle_of_everything_leaves_each_task_with_its_own_reason() -> None:
    nodes = [
        Node("failed"),
        Node("waits for the failed", ("failed",)),
        Node("runs"),
        Node("waits for what runs", ("runs",)),
        Node("retries"),
        Node("needs a person"),
        Node("asks a person"),
        Node("ready"),
    ]
    player = Player(nodes)
    for _ in range(5):
        player.start()
    player.fail("failed")
    player.fail("retries", final=False)
    player.happen(RetryScheduled, task_id="retries", due_at=moment(500))
    player.happen(TaskNeedsInput, task_id="needs a person", attempt=1)
    player.happen(TaskNeedsInput, task_id="asks a person", attempt=1)
    player.plan.stop("Ctrl-C")
    player.plan.stop("a second cause changes nothing")
    player.settle()
    assert player.stops == {"runs": "Ctrl-C"}
    player.cancelled("runs")
    player.settle()
    assert player.plan.is_over
    assert player.plan.wake_at() is None
    states = player.states
    assert states.pop("failed") is State.FAILED
    assert states.pop("waits for the failed") is State.BLOCKED
    assert set(states.values()) == {State.CANCELLED}
    assert player.plan.final_status() is RunStatus.CANCELLED


@pytest.mark.parametrize("final", [True, False])
def test_an_attempt_that_fails_while_it_is_stopped_does_not_come_back(final: bool) -> None:
    player = Player([Node("A"), Node("B", ("A",))])
    player.start()
    player.plan.stop("Ctrl-C")
    player.settle()
    player.fail("A", final=final)
    player.settle()
    assert ended(player.states)
    assert player.plan.next_startable(LATER) is None


def test_an_attempt_that_asks_a_person_while_it_is_stopped_is_cancelled() -> None:
    player = Player([Node("A")])
    player.start()
    player.plan.stop("Ctrl-C")
    player.settle()
    player.happen(TaskNeedsInput, task_id="A", attempt=1)
    assert player.settle() == [Cancel("A", "Ctrl-C")]


def test_what_is_opened_again_while_the_run_is_stopped_is_cancelled_too() -> None:
    player = failing_fast()
    player.settle()
    player.say("A", "retry")
    player.say("C", "retry")
    assert set(player.settle()) == {Cancel("A", CAUSE), Cancel("C", CAUSE)}
    player.cancelled("B")
    assert player.plan.is_over


def test_a_stop_finds_also_what_was_opened_again_since_the_run_was_resumed() -> None:
    player = Player([Node("A"), Node("B", ("A",))])
    player.start()
    player.fail("A")
    player.settle()
    player.happen(RunResumed)
    player.plan.stop("Ctrl-C")
    player.say("B", "retry")
    player.say("A", "retry")
    assert player.settle() == [Cancel("A", "Ctrl-C"), Cancel("B", "Ctrl-C")]


def test_a_stop_before_anything_began_cancels_all_but_what_always_runs() -> None:
    nodes = [Node("A"), Node("B", ("A",)), Node("C", ("B",), run_when=RunWhen.ALWAYS)]
    player = Player(nodes)
    player.plan.stop("timeout")
    assert player.settle() == [Cancel("A", "timeout"), Cancel("B", "timeout")]
    assert player.play() == {"A": State.CANCELLED, "B": State.CANCELLED, "C": State.SUCCEEDED}


# -- going on after a stop ------------------------------------------------------------------------------------------


def test_what_a_stop_had_not_recorded_when_the_process_died_is_done_after_all() -> None:
    player = Player([Node("A"), Node("B"), Node("C", ("B",))])
    player.start_all()
    player.plan.stop("Ctrl-C")
    assert len(player.plan.consequences()) == 3
    again = player.replayed()
    for task_id in "AB":
        again.happen(AttemptInterrupted, task_id=task_id, attempt=1, then=OnCrash.RERUN)
    again.happen(RunResumed)
    assert set(again.play().values()) == {State.SUCCEEDED}


def test_a_stop_by_the_caller_ends_with_a_resume_in_the_same_process() -> None:
    player = Player([Node("A"), Node("B")])
    player.start()
    player.fail("A", final=False)
    player.happen(RetryScheduled, task_id="A", due_at=moment(5))
    player.settle()
    player.plan.stop("Ctrl-C")
    assert player.plan.next_startable(LATER) is None
    player.happen(RunResumed)
    assert player.plan.stopping is None
    assert set(player.play().values()) == {State.SUCCEEDED}


def test_a_crash_in_the_middle_of_failing_fast_does_not_undo_it() -> None:
    again = failing_fast().replayed()
    again.happen(AttemptInterrupted, task_id="B", attempt=1, then=OnCrash.RERUN)
    again.happen(RunResumed, fail_fast=True)
    assert again.plan.stopping == CAUSE
    assert again.play() == {
        "A": State.FAILED,
        "B": State.CANCELLED,
        "C": State.BLOCKED,
        "D": State.CANCELLED,
        "E": State.CANCELLED,
    }


def test_a_run_that_failed_fast_goes_on_when_it_is_resumed_without_that() -> None:
    player = failing_fast()
    player.complete("B")
    player.happen(RunResumed, fail_fast=False)
    states = player.play()
    assert [states[task_id] for task_id in "ABCDE"] == [
        State.FAILED,
        State.SUCCEEDED,
        State.BLOCKED,
        State.SUCCEEDED,
        State.SUCCEEDED,
    ]


def test_a_task_opened_again_lets_a_run_that_failed_fast_go_on() -> None:
    player = failing_fast()
    player.settle()
    player.cancelled("B")
    player.happen(RunPaused)
    for task_id in "DBE":
        player.say(task_id, "retry")
    player.happen(RunResumed, fail_fast=True)
    states = player.play()
    assert states["A"] is State.FAILED
    assert [states[task_id] for task_id in "BDE"] == [State.SUCCEEDED] * 3


def test_a_fault_of_ours_ends_every_task_and_makes_the_run_fail() -> None:
    player = Player([Node("A", rank=0), Node("B"), Node("C", ("B",))])
    player.start()
    player.happen(RunError, error="OSError", message="disk is gone")
    player.settle()
    assert player.stops == {"A": "disk is gone"}
    player.cancelled("A")
    player.settle()
    assert set(player.states.values()) == {State.CANCELLED}
    assert player.plan.final_status() is RunStatus.FAILED


def test_a_fault_that_says_nothing_stops_the_run_as_well() -> None:
    player = Player([Node("A"), Node("B")])
    player.settle()
    player.happen(RunError)
    assert player.plan.next_startable(LATER) is None
    player.settle()
    assert set(player.states.values()) == {State.CANCELLED}


# -- one task -------------------------------------------------------------------------------------------------------


def test_a_cancel_that_was_recorded_is_carried_out_also_after_a_crash() -> None:
    player = Player([Node("A", rank=0), Node("B"), Node("C", ("B",))])
    assert player.start() == "A"
    player.say("A", "cancel", by="ann")
    player.say("B", "cancel", note="not needed")
    again = player.replayed()
    for one in (player, again):
        assert set(one.plan.consequences()) == {Stop("A", "cancelled by ann"), Cancel("B", "not needed")}
    again.happen(AttemptInterrupted, task_id="A", attempt=1, then=OnCrash.RERUN)
    again.happen(RunResumed)
    assert again.play() == {"A": State.CANCELLED, "B": State.CANCELLED, "C": State.BLOCKED}


def test_an_attempt_is_asked_to_end_once() -> None:
    player = Player([Node("A")])
    player.start()
    player.say("A", "cancel")
    assert player.settle() == [Stop("A", "cancelled")]
    player.say("A", "cancel")
    player.plan.stop("Ctrl-C")
    assert player.settle() == []


def test_a_task_to_be_cancelled_does_not_start() -> None:
    player = Player([Node("A"), Node("B")])
    player.settle()
    player.say("A", "cancel")
    assert not player.offer(player.make(TaskStarted, task_id="A", attempt=1))
    ready = player.plan.next_startable(0)
    assert ready is not None
    assert ready.task_id == "B"


def test_a_cancelled_task_that_is_opened_again_is_done() -> None:
    player = Player([Node("A", run_when=RunWhen.ALWAYS)])
    player.say("A", "cancel")
    assert player.play() == {"A": State.CANCELLED}
    player.say("A", "retry")
    assert player.play() == {"A": State.SUCCEEDED}
