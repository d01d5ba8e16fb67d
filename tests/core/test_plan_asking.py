"""Asking a plan: what keeps a task, who is in a state, since when a task could start, what is still to be done."""

import pytest

from orchestration.events import TaskCompleted, TaskStarted
from orchestration.kinds import RunStatus
from orchestration.plan import Ask, Block, Decide, Node, State
from tests.core.plans import Player


def test_an_empty_run_is_over_when_it_starts() -> None:
    player = Player([])
    assert player.settle() == []
    assert player.plan.is_over
    assert player.plan.final_status() is RunStatus.SUCCESS


def test_what_keeps_a_task_is_said_as_long_as_something_does() -> None:
    player = Player([Node("A"), Node("B"), Node("T", ("A", "B")), Node("U", ("T",))])
    player.start_all()
    assert player.plan.explain("T") == "waits for A, B"
    player.complete("A")
    assert player.plan.explain("T") == "waits for B"
    player.complete("B")
    player.settle()
    assert player.plan.explain("T") == ""
    player.play()
    assert [player.plan.explain(task_id) for task_id in "ABTU"] == [""] * 4


def test_tasks_are_listed_by_state_in_declaration_order() -> None:
    player = Player([Node("B"), Node("A"), Node("C", ("A",)), Node("X", external=True)])
    assert list(player.plan.tasks_in(State.WAITING)) == ["B", "A", "C"]
    player.start_all()
    player.complete("A")
    assert list(player.plan.tasks_in(State.RUNNING)) == ["B"]
    assert list(player.plan.tasks_in(State.SUCCEEDED, State.RUNNING)) == ["B", "A"]
    assert list(player.plan.tasks_in(State.FAILED)) == []


def test_an_unknown_task_is_a_key_error() -> None:
    player = Player([Node("A")])
    for ask in (player.plan.state_of, player.plan.attempts_of, player.plan.explain):
        with pytest.raises(KeyError):
            ask("nobody")


def test_queueing_begins_when_the_last_thing_that_kept_the_task_was_gone() -> None:
    player = Player([Node("A"), Node("T", ("A",), approve=True)])
    began = player.events[-1]
    assert player.hand_out().since == began.at
    player.happen(TaskStarted, task_id="A", attempt=1)
    done = player.happen(TaskCompleted, task_id="A", attempt=1)
    player.settle()
    player.say("T", "approve")
    approved = player.events[-1]
    assert player.hand_out().since == approved.at > done.at


def test_nothing_follows_before_the_run_starts_and_after_it_ended() -> None:
    player = Player([Node("T", approve=True)], begun=False)
    assert player.plan.consequences() == []
    assert player.plan.next_startable(0) is None


def test_a_replay_asks_for_all_that_had_not_been_answered() -> None:
    nodes = [Node("A", conditional=True), Node("B", approve=True), Node("C"), Node("D", ("C",)), Node("E", ("C",))]
    player = Player(nodes)
    player.happen(TaskStarted, task_id="C", attempt=1)
    player.fail("C")
    found = player.plan.consequences()
    player.answer(found[-1])
    assert (
        set(player.replayed().plan.consequences())
        == set(found[:-1])
        == {
            Decide("A"),
            Ask("B"),
            Block("D", "depends on C, which is failed", ("C",)),
        }
    )
