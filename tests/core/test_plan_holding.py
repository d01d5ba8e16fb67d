"""Tasks that wait because another run works on them, until it lets go of them or ends them."""

import pytest

from orchestration.errors import IllegalEvent
from orchestration.events import RetryScheduled, TaskCancelled
from orchestration.kinds import ExecutionStatus
from orchestration.plan import Limits, Node, State
from tests.core.plans import Player, moment


def test_a_held_task_waits_and_says_why() -> None:
    player = Player([Node("A"), Node("B")])
    player.plan.hold("A", "claimed_by other-run")
    assert player.start_all() == ["B"]
    assert player.plan.explain("A") == "claimed_by other-run"
    assert player.plan.held == ["A"]
    player.plan.release("A")
    assert player.plan.held == []
    assert player.start() == "A"


@pytest.mark.parametrize("when", ["before", "queued", "handed out"])
def test_a_task_can_be_held_at_any_time_before_it_starts(when: str) -> None:
    limits = Limits({"gpu": 1})
    player = Player([Node("A", limits=("gpu",))], limits=limits)
    if when != "before":
        player.settle()
    if when == "handed out":
        assert player.plan.next_startable(0) is not None
        assert limits.in_use("gpu") == 1
    player.plan.hold("A", "other run")
    assert player.plan.has_held
    assert limits.in_use("gpu") == 0
    assert player.start() is None
    assert not player.plan.has_ready
    player.plan.release("A")
    assert player.start() == "A"
    assert player.start() is None
    assert limits.in_use("gpu") == 1


def test_a_held_task_that_was_to_be_retried_is_retried_when_it_is_released() -> None:
    player = Player([Node("A")])
    player.start()
    player.fail("A", final=False)
    player.happen(RetryScheduled, task_id="A", due_at=moment(50))
    player.plan.hold("A", "other run")
    assert player.plan.wake_at() is None
    assert player.start() is None
    player.plan.release("A")
    assert player.plan.wake_at() == moment(50).timestamp()
    assert player.start() == "A"


def test_a_held_task_is_adopted_when_the_other_run_ends_it() -> None:
    player = Player([Node("A"), Node("B", ("A",))])
    player.plan.hold("A", "other run")
    player.adopt("A", ExecutionStatus.SUCCESS)
    assert not player.plan.has_held
    assert player.start_all() == ["B"]


def test_a_held_task_is_cancelled_and_blocked_like_any_other() -> None:
    player = Player([Node("A"), Node("B", ("A",)), Node("C")])
    player.plan.hold("B", "other run")
    player.plan.hold("C", "other run")
    player.start()
    player.fail("A")
    player.plan.stop("Ctrl-C")
    player.settle()
    assert player.states == {"A": State.FAILED, "B": State.BLOCKED, "C": State.CANCELLED}
    assert not player.plan.has_held


def test_releasing_what_is_not_held_changes_nothing() -> None:
    player = Player([Node("A")])
    assert player.start() == "A"
    player.plan.release("A")
    assert player.start() is None
    player.complete("A")
    player.plan.release("A")
    assert player.start() is None
    with pytest.raises(IllegalEvent):
        player.happen(TaskCancelled, task_id="A")
