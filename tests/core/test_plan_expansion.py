"""A task that becomes several: which parts a plan takes in, and that the whole ends after its last part."""

import time
from typing import Any

import pytest

from orchestration.events import RunResumed, TaskExpanded, TaskNeedsInput
from orchestration.plan import Block, Cancel, Join, Limits, Node, State
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


def of(**flags: bool) -> tuple[Player, Limits]:
    """A running task with one of two places of a limit, that became two parts."""
    limits = Limits({"gpu": 2})
    player = Player([Node("T", limits=("gpu",), **flags)], limits=limits, joins=True)  # type: ignore[arg-type]  # only flags
    assert player.start() == "T"
    player.expand("T", {"id": "T/1"}, {"id": "T/2"})
    return player, limits


def test_an_expanded_task_gives_its_limits_back() -> None:
    _, limits = of()
    assert limits.in_use("gpu") == 0


@pytest.mark.parametrize("end", ["complete", "fail", "retry", "cancel", "ask"])
def test_a_task_that_keeps_its_limits_uses_them_until_its_attempt_has_ended(end: str) -> None:
    player, limits = of(keeps_limits=True)
    assert player.start_all() == ["T/1", "T/2"]
    player.complete("T/1", "T/2")
    player.expand("T", {"id": "T/3"})
    assert player.start_all() == ["T/3"]
    player.complete("T/3")
    assert limits.in_use("gpu") == 1
    if end == "complete":
        player.complete("T")
    elif end == "cancel":
        player.cancelled("T")
    elif end == "ask":
        player.happen(TaskNeedsInput, task_id="T", attempt=1)
    else:
        player.fail("T", final=end == "fail")
    assert limits.in_use("gpu") == 0


def test_a_replay_of_a_task_that_keeps_its_limits_uses_them_too() -> None:
    player, _ = of(keeps_limits=True)
    again = Limits({"gpu": 2})
    replayed = player.replayed(again)
    assert again.in_use("gpu") == 1
    replayed.happen(RunResumed)
    assert again.in_use("gpu") == 1
    assert replayed.start_all() == ["T/1", "T/2"]
    replayed.complete("T/1", "T/2")
    replayed.settle()
    assert replayed.states["T"] is State.SUCCEEDED
    assert again.in_use("gpu") == 0


def test_what_becomes_of_a_task_is_asked_after_each_end_or_at_the_end() -> None:
    for joins_at_end, asked in ((False, ["T", "T"]), (True, ["T"])):
        player, _ = of(joins_at_end=joins_at_end)
        player.settle()
        player.joined.clear()
        assert player.start_all() == ["T/1", "T/2"]
        player.complete("T/1")
        player.settle()
        player.complete("T/2")
        player.settle()
        assert player.joined == asked
        assert player.states["T"] is State.SUCCEEDED


def failing(*parts: dict[str, Any], fail_fast: bool = False, joins_at_failure: bool = False) -> Player:
    """A task whose first part has failed while the second was running."""
    nodes = [Node("T", joins_at_end=True, joins_at_failure=joins_at_failure), Node("U", ("T",)), Node("V")]
    player = Player(nodes, joins=True, fail_fast=fail_fast)
    assert player.start() == "T"
    player.expand("T", {"id": "A"}, {"id": "B"}, *parts)
    assert {player.start(), player.start()} == {"A", "B"}
    player.fail("A")
    return player


def test_a_failed_part_is_told_at_once_where_that_matters_and_after_what_follows_from_it() -> None:
    player = failing({"id": "C", "needs": ["A"]}, {"id": "D", "needs": ["C"]}, joins_at_failure=True)
    told = [(type(one), one.task_id) for one in player.settle()]
    assert told == [(Block, "C"), (Block, "D"), (Join, "T")]
    assert failing().settle() == []  # asked when none is open


def test_the_failure_of_a_part_stops_a_run_that_fails_fast_only_where_it_is_fatal() -> None:
    assert failing(fail_fast=True).plan.stopping is None
    player = failing(fail_fast=True)
    player.expand("T", {"id": "X", "fatal": True})
    assert player.start() == "X"
    player.fail("X")
    assert player.plan.stopping == "fail-fast: X failed"
    player = failing()
    player.expand("T", {"id": "X", "fatal": True})
    assert player.start() == "X"
    player.fail("X")
    assert player.plan.stopping is None


def test_a_stopped_task_is_asked_what_became_of_it_where_a_part_of_it_had_failed() -> None:
    for asked in (True, False):
        player = failing(joins_at_failure=asked)
        player.plan.stop("enough")
        player.settle()
        player.joined.clear()
        player.joins = False
        player.cancelled("B")
        told = player.settle()
        assert (Join("T") in told) is asked
        assert (Cancel("T", "enough") in told) is not asked


def test_a_task_that_became_nothing_can_end() -> None:
    player = Player([Node("T", joins_at_end=True)], joins=True)
    assert player.start() == "T"
    player.expand("T")
    player.settle()
    assert player.states["T"] is State.SUCCEEDED


def test_cancelling_a_task_cancels_the_parts_of_its_parts() -> None:
    player = expanded({"id": "P"}, {"id": "Q", "needs": ["P"]})
    assert player.start() == "P"
    player.expand("P", {"id": "P/1"}, {"id": "P/2", "needs": ["P/1"]})
    assert player.start() == "P/1"
    player.say("T", "cancel", attempt=1)
    player.settle()
    assert player.stops.keys() == {"P/1"}
    player.cancelled("P/1")
    player.settle()
    assert {player.states[task_id] for task_id in ("T", "P", "P/1", "P/2", "Q")} == {State.CANCELLED}


@pytest.mark.slow
@pytest.mark.parametrize("way", ["complete", "stop"])
def test_a_task_of_many_parts_costs_what_they_cost(way: str) -> None:
    def seconds(count: int) -> float:
        player = Player([Node("T", joins_at_end=True)], joins=True)
        assert player.start() == "T"
        began = time.process_time()
        player.expand("T", *({"id": f"T/{n}", "needs": [f"T/{n - 1}"] if n else []} for n in range(count)))
        if way == "stop":
            player.plan.stop("enough")
        while (task_id := player.start()) is not None:
            player.complete(task_id)
        player.settle()
        assert player.plan.is_over
        return time.process_time() - began

    few, many = (min(seconds(count) for _ in range(3)) for count in (500, 8_000))
    assert many < 80 * few  # sixteen times as many; what grows with their square would take 256 times as long
