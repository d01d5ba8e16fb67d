"""Attempts that are tried again, tasks that are opened again, and a run that is replayed after a crash."""

import pytest

from orchestration.events import (
    AttemptInterrupted,
    RetryScheduled,
    RunCompleted,
    RunPaused,
    RunResumed,
    TaskInputGiven,
    TaskNeedsInput,
    TaskStarted,
)
from orchestration.kinds import OnCrash, RunStatus, RunWhen
from orchestration.plan import Decide, Limits, Node, Phase, State
from tests.core.plans import LATER, Player, moment


def with_retry_at(second: float, *more: Node, limits: Limits | None = None) -> Player:
    """A run in which A failed once and may be tried again at that second."""
    player = Player([Node("A", rank=0, limits=("gpu",) if limits else ()), *more], limits=limits)
    assert player.start() == "A"
    player.fail("A", final=False)
    player.happen(RetryScheduled, task_id="A", due_at=moment(second))
    player.settle()
    return player


def test_a_retry_waits_for_its_time_and_says_so() -> None:
    player = with_retry_at(50)
    due = moment(50).timestamp()
    assert player.plan.wake_at() == due
    assert player.plan.next_startable(due - 0.001) is None
    assert player.plan.explain("A") == "may be tried again at 2026-01-01T00:00:50+00:00"
    assert player.start(now=due) == "A"
    assert player.plan.wake_at() is None
    assert player.plan.attempt_of("A") == player.plan.attempts_of("A") == player.plan.tries_of("A") == 2


def test_waiting_for_a_retry_holds_neither_a_limit_nor_the_others() -> None:
    limits = Limits({"gpu": 1})
    player = with_retry_at(50, Node("B", limits=("gpu",)), limits=limits)
    assert limits.in_use("gpu") == 0
    assert player.start(now=0) == "B"
    assert player.start(now=LATER) is None
    assert player.plan.has_ready
    assert player.plan.explain("A") == "waits for gpu, which is in full use"
    player.complete("B")
    assert player.start(now=LATER) == "A"


def test_a_retry_keeps_its_place_in_the_order() -> None:
    player = with_retry_at(50, Node("B"))
    assert player.start_all(now=LATER) == ["A", "B"]


def test_retries_come_in_the_order_of_their_times() -> None:
    player = Player([Node("A"), Node("B"), Node("C")])
    player.start_all()
    for task_id, second in zip("ABC", (30, 10, 20), strict=True):
        player.fail(task_id, final=False)
        player.happen(RetryScheduled, task_id=task_id, due_at=moment(second))
    started = []
    for _ in range(3):
        wake_at = player.plan.wake_at()
        assert wake_at is not None
        started.append(player.start(now=wake_at))
    assert started == ["B", "C", "A"]
    assert player.plan.wake_at() is None


@pytest.mark.parametrize("first_due", [10, 90])
def test_a_time_given_later_takes_the_place_of_the_first(first_due: float) -> None:
    player = with_retry_at(first_due)
    player.plan.next_startable(moment(20).timestamp() - 20)
    player.happen(RetryScheduled, task_id="A", due_at=moment(50))
    player.settle()
    assert player.plan.wake_at() == moment(50).timestamp()
    assert player.plan.next_startable(moment(49).timestamp()) is None
    assert player.start(now=moment(50).timestamp()) == "A"
    assert player.start() is None


def test_a_retry_handed_out_and_given_a_later_time_is_not_started_twice() -> None:
    limits = Limits({"gpu": 1})
    player = with_retry_at(10, limits=limits)
    assert player.plan.next_startable(moment(10).timestamp()) is not None
    player.happen(RetryScheduled, task_id="A", due_at=moment(50))
    assert limits.in_use("gpu") == 0
    assert player.plan.next_startable(moment(49).timestamp()) is None
    assert player.start_all() == ["A"]
    assert limits.in_use("gpu") == 1


def test_a_retry_that_was_cancelled_is_not_waited_for() -> None:
    player = with_retry_at(50)
    player.cancelled("A")
    assert player.plan.wake_at() is None
    assert player.plan.next_startable(LATER) is None
    assert player.plan.is_over


def test_a_retry_that_another_run_has_done_meanwhile_is_adopted_and_not_waited_for() -> None:
    player = with_retry_at(50, Node("B", ("A",)))
    player.adopt("A")
    for one in (player, player.replayed()):
        one.happen(RunResumed)
        assert one.plan.wake_at() is None
        assert one.start_all() == ["B"]


def test_an_interrupted_attempt_does_not_count_and_is_tried_again_at_once() -> None:
    player = Player([Node("A")])
    player.start()
    player.happen(AttemptInterrupted, task_id="A", attempt=1, then=OnCrash.RERUN)
    assert (player.plan.attempts_of("A"), player.plan.tries_of("A")) == (1, 0)
    assert player.start(now=moment(0).timestamp()) is None
    assert player.start(now=moment(3).timestamp()) == "A"
    assert (player.plan.attempts_of("A"), player.plan.tries_of("A")) == (2, 1)


def test_an_interrupted_attempt_can_be_left_to_a_person() -> None:
    player = Player([Node("A")])
    player.start()
    player.happen(AttemptInterrupted, task_id="A", attempt=1, then=OnCrash.ASK)
    assert player.states == {"A": State.NEEDS_INPUT}
    assert player.plan.attempt_of("A") is None
    player.say("A", "retry")
    assert player.start() == "A"
    assert player.plan.attempt_of("A") == 2


def test_queueing_for_a_retry_begins_at_its_time() -> None:
    player = with_retry_at(50)
    assert player.hand_out().since == moment(50)


# -- opened again ---------------------------------------------------------------------------------------------------


def failed_chain() -> Player:
    """A failed; B, C and D were blocked one after the other; E succeeded."""
    player = Player([Node("A"), Node("B", ("A",)), Node("C", ("B",)), Node("D", ("C", "E")), Node("E")])
    player.play({"A": State.FAILED})
    player.happen(RunCompleted, status=RunStatus.FAILED)
    return player


@pytest.mark.parametrize("order", ["ABCD", "DCBA", "BDAC"])
def test_a_failed_task_is_opened_again_with_what_it_blocked_in_any_order(order: str) -> None:
    player = failed_chain()
    for task_id in order:
        player.say(task_id, "retry")
    assert not player.plan.is_over
    assert player.plan.phase is Phase.ENDED
    assert player.plan.consequences() == []
    player.happen(RunPaused)
    player.happen(RunResumed)
    assert set(player.play().values()) == {State.SUCCEEDED}
    assert (player.plan.attempts_of("A"), player.plan.tries_of("A")) == (2, 1)
    assert player.plan.attempts_of("E") == 1


def test_a_blocked_task_that_is_opened_again_alone_is_blocked_again() -> None:
    player = failed_chain()
    player.say("B", "retry")
    player.happen(RunResumed)
    assert player.play()["B"] is State.BLOCKED
    assert player.plan.is_over


def test_what_stays_blocked_behind_a_task_opened_again_keeps_its_state() -> None:
    player = failed_chain()
    player.say("A", "retry")
    player.happen(RunResumed)
    states = player.play()
    assert states["A"] is State.SUCCEEDED
    assert [states[task_id] for task_id in "BCD"] == [State.BLOCKED] * 3


def test_a_task_that_fails_a_second_time_blocks_a_second_time() -> None:
    player = failed_chain()
    for task_id in "ABCD":
        player.say(task_id, "retry")
    player.happen(RunResumed)
    player.play({"A": State.FAILED})
    assert player.states == failed_chain().states


def test_dependants_that_ran_already_are_not_counted_wrongly_when_a_success_is_taken_back() -> None:
    nodes = [Node("A"), Node("B", ("A",)), Node("C", ("A",)), Node("T", ("A", "B", "C"))]
    player = Player(nodes)
    assert player.start() == "A"
    player.complete("A")
    assert player.start() == "B"
    player.say("A", "retry")
    assert player.start() == "A"
    assert player.plan.explain("T") == "waits for A, B, C"
    player.complete("B")
    player.fail("A")
    player.settle()
    assert player.states == {"A": State.FAILED, "B": State.SUCCEEDED, "C": State.BLOCKED, "T": State.BLOCKED}
    for task_id in "ACT":
        player.say(task_id, "retry")
    assert set(player.play().values()) == {State.SUCCEEDED}


@pytest.mark.parametrize("how_far", ["waiting", "queued", "handed out"])
def test_a_dependant_waits_again_when_a_success_is_taken_back(how_far: str) -> None:
    limits = Limits({"gpu": 1})
    player = Player([Node("A"), Node("B", ("A",), limits=("gpu",))], limits=limits)
    player.start()
    player.complete("A")
    if how_far != "waiting":
        player.settle()
    if how_far == "handed out":
        assert player.plan.next_startable(0) is not None
    player.say("A", "retry")
    assert not player.offer(player.make(TaskStarted, task_id="B", attempt=1))
    assert player.start() == "A"
    assert player.start() is None
    assert limits.in_use("gpu") == 0
    player.complete("A")
    assert player.start_all() == ["B"]


def test_a_retrying_dependant_goes_on_when_a_success_is_taken_back() -> None:
    player = Player([Node("A"), Node("B", ("A",))])
    player.start()
    player.complete("A")
    player.start()
    player.fail("B", final=False)
    player.happen(RetryScheduled, task_id="B", due_at=moment(20))
    player.say("A", "retry")
    assert set(player.start_all()) == {"A", "B"}


def test_a_condition_is_evaluated_again_when_its_grounds_are_gone() -> None:
    player = Player([Node("A"), Node("B", ("A",), conditional=True)], conditions={"B": False})
    player.play()
    assert player.states["B"] is State.SKIPPED
    other = Player([Node("A"), Node("B", ("A",), conditional=True)])
    other.start()
    other.complete("A")
    other.settle()
    other.say("A", "retry")
    assert other.start_all() == ["A"]
    other.complete("A")
    other.conditions["B"] = False
    assert other.settle()[0] == Decide("B")
    assert other.states["B"] is State.SKIPPED


def test_a_task_opened_again_has_all_its_tries_but_goes_on_counting_attempts() -> None:
    player = with_retry_at(5)
    player.start()
    player.fail("A")
    assert (player.plan.attempts_of("A"), player.plan.tries_of("A")) == (2, 2)
    player.say("A", "retry")
    assert (player.plan.attempts_of("A"), player.plan.tries_of("A")) == (2, 0)
    player.start()
    assert (player.plan.attempts_of("A"), player.plan.tries_of("A")) == (3, 1)


def test_a_task_opened_again_is_decided_again_and_keeps_its_approval() -> None:
    player = Player([Node("A", conditional=True, approve=True)])
    player.play()
    player.say("A", "approve")
    player.start()
    player.fail("A")
    player.say("A", "retry")
    assert player.settle() == [Decide("A")]
    assert player.start() == "A"


@pytest.mark.parametrize("action", ["retry", "approve"])
def test_an_open_attempt_has_to_end_before_its_task_is_opened_again(action: str) -> None:
    player = Player([Node("A")])
    player.start()
    player.happen(TaskNeedsInput, task_id="A", attempt=1)
    assert not player.offer(player.make(TaskInputGiven, task_id="A", action=action))
    player.fail("A")
    player.say("A", "retry")
    assert player.start() == "A"


# -- replayed -------------------------------------------------------------------------------------------------------


def test_a_crash_between_an_attempts_end_and_its_retry_does_not_lose_the_task() -> None:
    player = Player([Node("A")])
    player.start()
    player.fail("A", final=False)
    again = player.replayed()
    assert again.start() is None
    again.happen(RunResumed)
    assert again.plan.wake_at() == again.events[-1].at.timestamp()
    assert again.start() == "A"


def test_a_replayed_retry_keeps_its_time() -> None:
    again = with_retry_at(50).replayed()
    assert again.plan.wake_at() == moment(50).timestamp()
    again.happen(RunResumed)
    assert again.plan.wake_at() == moment(50).timestamp()


def test_a_replayed_attempt_uses_its_limits_until_it_is_known_to_be_dead() -> None:
    limits = Limits({"gpu": 1})
    player = Player([Node("A", limits=("gpu",)), Node("B", limits=("gpu",))], limits=Limits({"gpu": 1}))
    player.start()
    again = Player(player.nodes, limits=limits, begun=False)
    for event in player.events:
        again.plan.apply(event)
    assert limits.in_use("gpu") == 1
    again.happen(RunResumed)
    assert again.start() is None
    again.happen(AttemptInterrupted, task_id="A", attempt=1, then=OnCrash.RERUN)
    assert limits.in_use("gpu") == 0
    assert again.start_all() == ["A"]


def test_a_run_that_was_replayed_goes_on_like_one_that_was_not() -> None:
    nodes = [
        Node("A"),
        Node("B", ("A",), conditional=True),
        Node("C", ("A",), approve=True),
        Node("D", ("B", "C"), run_when=RunWhen.ANY_SUCCEEDED),
        Node("E", ("D",)),
    ]
    player = Player(nodes)
    while True:
        again = player.replayed()
        assert again.future() == player.future()
        if (started := player.start()) is None:
            break
        assert player.replayed().future() == player.future()
        player.complete(started)
    assert set(player.states.values()) == {State.SUCCEEDED, State.NEEDS_INPUT}
