"""Nothing begins, is asked for or is decided before the plan would let it."""

from orchestration.events import ConditionDecided, TaskNeedsInput, TaskStarted
from orchestration.plan import Node, State
from tests.core.plans import Player


def test_nothing_begins_that_the_plan_would_not_let_begin() -> None:
    player = Player([Node("A"), Node("B", ("A",)), Node("C", conditional=True), Node("D", approve=True)])
    for task_id in "BCD":
        assert not player.offer(player.make(TaskStarted, task_id=task_id, attempt=1))
    assert not player.offer(player.make(TaskNeedsInput, task_id="B"))
    assert not player.offer(player.make(ConditionDecided, task_id="A", value=True))
    assert player.offer(player.make(TaskStarted, task_id="A", attempt=1))


def test_a_condition_is_not_decided_before_what_it_reads_has_ended() -> None:
    player = Player([Node("A"), Node("B", ("A",), conditional=True)])
    assert not player.offer(player.make(ConditionDecided, task_id="B", value=True))
    player.play()
    assert player.states["B"] is State.SUCCEEDED
