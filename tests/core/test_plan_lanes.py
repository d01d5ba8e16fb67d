"""Lanes: the same choice as whoever looks at every task each time, without looking at every one."""

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from orchestration.plan import Fallback, Limits, Node
from orchestration.plan.lanes import Either, Key, Lanes
from tests.core.plans import LATER, Player

NAMES = ("a", "b", "account x", "account y")
KEYS: list[Key] = [
    (),
    ("a",),
    ("b",),
    ("a", "b"),
    ("account x",),
    ("a", "account x"),
    Either(("account x",), Fallback("other", ("b",))),
    Either(("a", "account x"), Fallback("other", ("account y",))),
]


class Plain:
    """All tasks in one list, looked at one after the other."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.tasks: dict[int, Key] = {}

    def take(self, now: float) -> tuple[int, str | None, tuple[str, ...]] | None:
        for place, key in sorted(self.tasks.items()):
            if (room := self.room(key, now)) is not None:
                del self.tasks[place]
                return place, *room
        return None

    def room(self, key: Key, now: float) -> tuple[str | None, tuple[str, ...]] | None:
        own = key if isinstance(key, tuple) else key.limits
        if self.limits.paused_until(own, now) is None:
            return None if self.limits.full(own) else (None, own)
        if isinstance(key, tuple) or not self.limits.is_exhausted(own, now):
            return None
        other = key.fallback
        if self.limits.full(other.limits) or self.limits.paused_until(other.limits, now):
            return None
        return other.agent, other.limits


class LanesMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.limits = Limits({"a": 1, "b": 2, "account x": 1})
        self.lanes = Lanes(self.limits, self.wanted)
        self.plain = Plain(self.limits)
        self.now = 0.0
        self.used: list[tuple[str, ...]] = []

    def wanted(self, place: int) -> int | None:
        return place if place in self.plain.tasks else None

    @rule(number=st.integers(0, 50), key=st.integers(0, len(KEYS) - 1))
    def add(self, number: int, key: int) -> None:
        place = number * len(KEYS) + key  # a place belongs to one lane
        if place not in self.plain.tasks:
            self.plain.tasks[place] = KEYS[key]
            self.lanes.add(KEYS[key], place)

    @rule()
    def take(self) -> None:
        expected = self.plain.take(self.now)
        if expected is not None:
            self.plain.tasks[expected[0]] = KEYS[expected[0] % len(KEYS)]
            self.used.append(expected[2])
        at_once = self.lanes.take_at_once()
        taken = self.lanes.take(self.now) if at_once is None else (at_once, None, KEYS[at_once % len(KEYS)])
        assert taken == expected
        if expected is not None:
            del self.plain.tasks[expected[0]]

    @rule(which=st.integers(0, 10))
    def end(self, which: int) -> None:
        if self.used:
            self.limits.give(self.used.pop(which % len(self.used)))

    @rule(which=st.integers(0, 10))
    def drop(self, which: int) -> None:
        if self.plain.tasks:
            del self.plain.tasks[sorted(self.plain.tasks)[which % len(self.plain.tasks)]]

    @rule(name=st.sampled_from(NAMES))
    def use_elsewhere(self, name: str) -> None:
        self.limits.take((name,))
        self.used.append((name,))

    @rule(name=st.sampled_from(NAMES), cap=st.none() | st.integers(0, 3))
    def set_cap(self, name: str, cap: int | None) -> None:
        self.limits.set_cap(name, cap)

    @rule(name=st.sampled_from(NAMES[2:]), seconds=st.integers(0, 5), exhausted=st.booleans())
    def pause(self, name: str, seconds: int, exhausted: bool) -> None:
        self.limits.pause(name, self.now + seconds, exhausted=exhausted)

    @rule(seconds=st.integers(1, 4))
    def wait(self, seconds: int) -> None:
        self.now += seconds

    @rule()
    def look(self) -> None:
        assert self.lanes.has_any() == bool(self.plain.tasks)
        could = [key for key in self.plain.tasks.values() if self.plain.room(key, self.now) is not None]
        assert self.lanes.has_room(self.now) == bool(could)


TestLanes = LanesMachine.TestCase
TestLanes.settings = settings(max_examples=100, stateful_step_count=50)
TestLanes.pytestmark = [pytest.mark.slow]  # type: ignore[attr-defined]  # pytest looks for it there


class Counted(Limits):
    """Counts how often somebody asked for room."""

    asked = 0

    def full(self, names: Any) -> str | None:  # noqa: ANN401  # as its parent
        self.asked += 1
        return super().full(names)


@pytest.mark.parametrize("shared", [False, True], ids=["full each for itself", "full all together"])
def test_room_is_not_asked_for_in_every_full_lane_at_every_start(shared: bool) -> None:
    count = 500
    limits = Counted({f"agent {n}": 1 for n in range(count)} | {"pool": 1})
    names = [(f"agent {n}", *(["pool"] if shared else [])) for n in range(count)]
    nodes = [Node(f"t{n}", limits=names[n % count]) for n in range(2 * count)] + [Node(f"f{n}") for n in range(count)]
    player = Player(nodes, limits=limits)
    running: list[str] = []
    while (task_id := player.start()) is not None:
        if task_id.startswith("t"):
            running.append(task_id)
        else:
            player.complete(task_id)
    while running:
        player.complete(running.pop())
        while (task_id := player.start()) is not None:
            running.append(task_id)
    assert player.plan.is_over
    assert limits.asked < 12 * len(nodes)


def test_a_plan_that_waits_for_room_hears_of_it_from_another_one() -> None:
    limits = Limits({"gpu": 1})
    one, other = (Player([Node("A", limits=("gpu",)), Node("B", limits=("gpu",))], limits=limits) for _ in range(2))
    assert one.start_all() == ["A"]
    assert other.start_all() == []
    assert not other.plan.could_start(LATER)
    one.complete("A")
    assert other.plan.could_start(LATER)
    assert other.start_all() == ["A"]
    assert one.start_all() == []
    other.complete("A")
    limits.set_cap("gpu", None)
    assert one.start_all() == ["B"]
    assert other.start_all() == ["B"]
