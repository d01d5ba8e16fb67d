"""A task that becomes several: which parts a plan takes in, and that the whole ends after its last part."""

from typing import Any

import pytest

from orchestration.events import TaskExpanded
from orchestration.plan import Node, State
from tests.core.plans import Player, moment


def expanded(*items: dict[str, Any]) -> Player:
    """A running task that became these parts."""
    player = Player([Node("T", rank=0), Node("after", ("T",))])
    assert player.start() == "T"
    player.happen(TaskExpanded, task_id="T", attempt=1, template="race", items=items)
    return player


@pytest.mark.parametrize(
    "items",
    [
        ({"id": "T"},),
        ({"id": "after"},),
        ({"id": "T/leg-1"},),
        ({"id": "T/new"}, {"id": "T/new"}),
        ({"id": None},),
        ({},),
        ({"id": "T/new", "needs": ["after"]},),
        ({"id": "T/new", "needs": ["T/leg-1"]},),
        ({"id": "T/new", "needs": ["T/new"]},),
        ({"id": "T/new", "needs": ["T/later"]}, {"id": "T/later"}),
    ],
    ids=str,
)
def test_a_part_needs_a_name_of_its_own_and_waits_for_nothing_but_parts_before_it(
    items: tuple[dict[str, Any], ...],
) -> None:
    player = expanded({"id": "T/leg-1"})
    assert not player.offer(player.make(TaskExpanded, task_id="T", attempt=1, items=items))
    more = ({"id": "T/new"}, {"id": "T/later", "needs": ["T/new"]})
    assert player.offer(player.make(TaskExpanded, task_id="T", attempt=1, items=more))
    assert player.plan.parts_of("T") == ["T/leg-1", "T/new", "T/later"]


@pytest.mark.parametrize("attempt", [None, 0, 2])
def test_a_task_becomes_several_in_its_open_attempt_only(attempt: int | None) -> None:
    player = Player([Node("T")])
    assert player.start() == "T"
    assert not player.offer(player.make(TaskExpanded, task_id="T", attempt=attempt, items=({"id": "T/leg-1"},)))
    assert player.plan.parts_of("T") == []


def test_the_whole_ends_after_its_last_part_and_what_depends_on_it_after_that() -> None:
    player = expanded({"id": "T/leg-1"}, {"id": "T/leg-2", "needs": ["T/leg-1"]})
    assert player.plan.explain("T") == "waits for T/leg-1, T/leg-2"
    for part in ("T/leg-1", "T/leg-2"):
        assert not player.offer(_completed(player, "T"))
        assert player.start_all() == [part]
        player.complete(part)
    assert player.start_all() == []
    assert player.offer(_completed(player, "T"))
    assert player.start_all() == ["after"]


def _completed(player: Player, task_id: str) -> Any:  # noqa: ANN401  # whatever event says so
    from orchestration.events import TaskCompleted

    return player.make(TaskCompleted, task_id=task_id, attempt=1)


def test_a_failed_part_blocks_the_parts_after_it_and_not_the_whole() -> None:
    player = expanded({"id": "T/leg-1"}, {"id": "T/leg-2", "needs": ["T/leg-1"]})
    player.start_all()
    player.fail("T/leg-1")
    player.settle()
    assert player.plan.state_of("T/leg-2") is State.BLOCKED
    assert player.plan.state_of("T") is State.EXPANDED
    player.fail("T")
    assert player.plan.state_of("T") is State.FAILED


def test_the_parts_of_an_attempt_that_failed_stay_and_the_next_attempt_gets_new_ones() -> None:
    from orchestration.events import RetryScheduled

    player = expanded({"id": "T/leg-1"})
    player.start_all()
    player.fail("T/leg-1")
    player.fail("T", final=False)
    player.happen(RetryScheduled, task_id="T", due_at=moment(9))
    assert player.start_all() == ["T"]
    assert not player.offer(player.make(TaskExpanded, task_id="T", attempt=2, items=({"id": "T/leg-1"},)))
    assert player.offer(player.make(TaskExpanded, task_id="T", attempt=2, items=({"id": "T/leg-2"},)))
    assert player.plan.parts_of("T") == ["T/leg-1", "T/leg-2"]


def test_a_part_cannot_be_tried_again_on_its_own() -> None:
    from orchestration.events import TaskInputGiven

    player = expanded({"id": "T/leg-1"})
    player.start_all()
    player.fail("T/leg-1")
    assert not player.offer(player.make(TaskInputGiven, task_id="T/leg-1", action="retry"))


def test_an_expanded_task_survives_a_replay_with_its_parts() -> None:
    player = expanded({"id": "T/leg-1"}, {"id": "T/leg-2", "needs": ["T/leg-1"]})
    player.start_all()
    player.complete("T/leg-1")
    again = player.replayed()
    assert [again.plan.state_of(one) for one in ("T", "T/leg-1", "T/leg-2")] == [
        State.EXPANDED,
        State.SUCCEEDED,
        State.WAITING,
    ]
    assert again.future() == player.future()
