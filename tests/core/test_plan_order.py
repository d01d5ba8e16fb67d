"""Who starts first, and who has to wait for room: priority, longest path, declaration; agents and pools."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from orchestration.events import RunResumed, TaskNeedsInput
from orchestration.kinds import Priority
from orchestration.plan import Limits, Node, State
from tests.core.plans import Player

NODES = [
    Node("late", rank=Priority.LOW.rank),
    Node("first declared"),
    Node("second declared"),
    Node("long path"),
    Node("after long path", ("long path",), weight=3.0),
    Node("heavy", weight=2.5),
    Node("urgent", rank=Priority.CRITICAL.rank, weight=0.1),
    Node("below urgent", ("urgent",), rank=Priority.HIGH.rank),
]
ORDER = ["urgent", "below urgent", "long path", "after long path", "heavy", "first declared", "second declared", "late"]


def play_one_by_one(player: Player) -> list[str]:
    order = []
    while (started := player.start()) is not None:
        order.append(started)
        player.complete(started)
    return order


def test_priority_comes_before_the_longest_path_and_that_before_declaration_order() -> None:
    assert play_one_by_one(Player(NODES)) == ORDER


@pytest.mark.slow
def test_the_order_is_the_same_under_every_hash_seed() -> None:
    code = (
        "import json; from tests.core import plans, test_plan_order as test;"
        "print(json.dumps(test.play_one_by_one(plans.Player(test.NODES))))"
    )
    printed = [
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=Path(__file__).parents[2],
            env={**os.environ, "PYTHONHASHSEED": str(seed)},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in (0, 1, 2, 77)
    ]
    assert [json.loads(line) for line in printed] == [ORDER] * 4


def test_equal_tasks_start_in_declaration_order_however_many_there_are() -> None:
    names = [f"T{n * 7919 % 1000}" for n in range(1000)]
    assert Player([Node(name) for name in names]).start_all() == names


# -- room -----------------------------------------------------------------------------------------------------------


def limited(caps: dict[str, int], *names: tuple[str, ...]) -> Player:
    nodes = [Node(f"T{n}", limits=used) for n, used in enumerate(names)]
    return Player(nodes, limits=Limits(caps))


def test_no_more_run_than_their_limit_allows() -> None:
    player = limited({"gpu": 2}, *[("gpu",)] * 5)
    assert player.start_all() == ["T0", "T1"]
    assert player.plan.has_ready
    assert player.plan.explain("T2") == "waits for gpu, which is in full use"
    player.complete("T0")
    assert player.start_all() == ["T2"]
    player.fail("T1", "T2")
    assert player.start_all() == ["T3", "T4"]


def test_a_full_limit_keeps_back_only_those_who_need_it() -> None:
    player = limited({"gpu": 1}, ("gpu",), ("gpu",), ())
    assert player.start_all() == ["T0", "T2"]


def test_a_task_that_needs_two_things_waits_for_both_and_uses_both() -> None:
    player = limited({"gpu": 1, "disk": 1}, ("gpu",), ("gpu", "disk"), ("disk",))
    assert player.start_all() == ["T0", "T2"]
    player.complete("T0")
    assert player.start() is None
    assert player.plan.explain("T1") == "waits for disk, which is in full use"
    player.complete("T2")
    assert player.start_all() == ["T1"]
    assert [player.plan.limits.in_use(name) for name in ("gpu", "disk")] == [1, 1]


def test_a_name_without_a_limit_limits_nothing() -> None:
    player = limited({"gpu": 1}, ("gpu", "free"), ("free",), ("free",))
    assert player.start_all() == ["T0", "T1", "T2"]


def test_what_waits_for_a_person_uses_no_limit() -> None:
    player = limited({"gpu": 1}, ("gpu",), ("gpu",))
    player.start()
    player.happen(TaskNeedsInput, task_id="T0", attempt=1)
    assert player.start() == "T1"


def test_room_is_promised_once_also_before_the_start_is_recorded() -> None:
    player = limited({"gpu": 1}, ("gpu",), ("gpu",))
    player.settle()
    assert player.plan.next_startable(0) is not None
    assert player.plan.next_startable(0) is None


@pytest.mark.parametrize("way", ["cancelled", "resumed"])
def test_promised_room_is_given_back_when_the_task_goes_elsewhere(way: str) -> None:
    player = limited({"gpu": 1}, ("gpu",), ("gpu",))
    player.settle()
    handed_out = player.plan.next_startable(0)
    assert handed_out is not None
    if way == "cancelled":
        player.cancelled("T0")
    else:
        player.happen(RunResumed)
    assert player.plan.limits.in_use("gpu") == 0
    assert player.start() == ("T1" if way == "cancelled" else "T0")
    assert player.start() is None


def test_limits_are_shared_between_the_runs_of_one_process() -> None:
    limits, told = Limits({"gpu": 1}), list[str]()
    nodes = [Node("T0", limits=("gpu",)), Node("T1", limits=("gpu",)), Node("T2")]
    one, two = Player(nodes, limits=limits), Player(nodes, limits=limits)
    stop_listening = limits.listen(lambda: told.append("room"))
    assert one.start_all() == ["T0", "T2"]
    assert two.start_all() == ["T2"]
    assert two.plan.has_ready
    two.complete("T2")
    assert told == []
    one.complete("T0")
    assert told == ["room"]
    assert two.start() == "T0"
    assert one.start() is None
    stop_listening()
    two.complete("T0")
    assert told == ["room"]
    assert one.start() == "T1"


def test_two_runs_never_use_more_together_than_one_may_alone() -> None:
    limits = Limits({"gpu": 2, "disk": 1})
    nodes = [Node(f"T{n}", limits=(("gpu",), ("gpu", "disk"), ("disk",))[n % 3]) for n in range(12)]
    players = [Player(nodes, limits=limits), Player(nodes, limits=limits)]
    running: list[tuple[Player, str]] = []
    most = {"gpu": 0, "disk": 0}
    while not all(player.plan.is_over for player in players):
        running += [(player, task_id) for player in players for task_id in player.start_all()]
        most = {name: max(before, limits.in_use(name)) for name, before in most.items()}
        player, task_id = running.pop(0)
        player.complete(task_id)
    assert most == {"gpu": 2, "disk": 1}
    assert all(limits.in_use(name) == 0 for name in most)
    assert all(set(player.states.values()) == {State.SUCCEEDED} for player in players)
