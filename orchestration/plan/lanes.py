"""Tasks that may start, in one lane for each combination of limits; who is first among the lanes that have room.

A lane is a heap of places. It costs one look to see that an agent or pool is full, and that look must not be repeated
for every lane whenever a task starts: a run may have thousands of combinations, most of them full. So lanes queue:

- in *front* stand those that may have room, by the place of their first task;
- behind each limit that was found full stand those that wait for it, in the same order; `Limits` says when it may have
  room again, and then only the first of them comes to the front. When that one has been looked at, the next may come:
  so a limit with room for one more does not stir up all who wait for it;
- lanes whose account is paused stand aside until the pause ends, or anything about pauses changes.

Entries of lanes that went elsewhere, or got another first task, stay where they are and are dropped when they surface:
an entry counts only if it names the lane's present queue and first place. Tasks without limits have a lane of their own
that always has room, because most runs have no others.
"""

from collections.abc import Callable, Iterator
from heapq import heappop, heappush
from typing import Final, TypeAlias

from orchestration.plan.limits import Limits
from orchestration.plan.nodes import Fallback
from orchestration.records import dataclass


@dataclass(frozen=True, slots=True)
class Either:
    """Limits of tasks that somebody else may do while these are exhausted."""

    limits: tuple[str, ...]
    fallback: Fallback


Key: TypeAlias = tuple[str, ...] | Either
"""What the tasks of one lane use."""

Wanted: TypeAlias = Callable[[int], int | None]
"""The task at a place, where it still waits in its lane and may start; None for one that does not: it is forgotten."""

_FRONT: Final = None
_ASIDE: Final = ""
"""The names of two queues; every other one is named by the limit that it waits for."""


@dataclass(slots=True)
class _Lane:
    """The places of its tasks, the queue in which it stands, and the one from which it was called to the front.

    `number` tells lanes apart in a heap, which compares them where they had the same first task at different times.
    """

    key: Key
    places: list[int]
    queue: str | None = _FRONT
    called_from: str | None = None
    number: int = 0

    @property
    def names(self) -> tuple[str, ...]:
        return self.key if isinstance(self.key, tuple) else self.key.limits


@dataclass(frozen=True, slots=True)
class _NoRoom:
    """The queue in which a lane has to wait, and until when at most; seconds since the epoch."""

    queue: str
    until: float = float("inf")


class Lanes:
    """All lanes of one plan.

    Args:
        limits: which are full or paused.
        wanted: asked for the task at each place before it is chosen.

    Attributes:
        front: the lanes that may have room; where none stand here or elsewhere, no task waits.
        waiting: those that wait for room in a limit, or for the end of a pause.
        unlimited: the places of tasks without limits.
    """

    __slots__ = (
        "_asked",
        "_lanes",
        "_limits",
        "_made",
        "_mailbox",
        "_pauses_seen",
        "_recheck_at",
        "_wanted",
        "front",
        "unlimited",
        "waiting",
    )

    def __init__(self, limits: Limits, wanted: Wanted) -> None:
        """No task waits."""
        self._limits = limits
        self._wanted = wanted
        self._mailbox: list[str] = []
        self._asked: set[str] = set()
        self._made = 0
        self.clear()

    def clear(self) -> None:
        """Forget all tasks."""
        self.unlimited: list[int] = []
        self._lanes: dict[Key, _Lane] = {}
        self.front: list[tuple[int, int, _Lane]] = []
        self.waiting: dict[str, list[tuple[int, int, _Lane]]] = {}
        self._pauses_seen = self._limits.pauses_changed
        self._recheck_at = float("inf")

    def add(self, key: Key, place: int) -> None:
        """Queue a task."""
        if not key:
            heappush(self.unlimited, place)
            return
        lane = self._lanes.get(key)
        if lane is None:
            self._made += 1
            lane = self._lanes[key] = _Lane(key, [], number=self._made)
        heappush(lane.places, place)
        if lane.places[0] == place:
            self._stand(lane)

    def take(self, now: float) -> tuple[int, str | None, tuple[str, ...]] | None:
        """Take the first task that has room.

        Returns:
            The task, who does it instead of its own agent, and the limits that it then uses.
        """
        first = self._first(now)
        if first is None:
            return None
        lane, i, agent, names = first
        if lane is None:
            heappop(self.unlimited)
            return i, None, ()
        heappop(lane.places)
        self._limits.take(names)
        self._leave_front(lane)
        if lane.places:
            self._stand(lane)
        else:
            del self._lanes[lane.key]
        return i, agent, names

    def take_at_once(self) -> int | None:
        """The task that `take` would take, in fewer steps; None where that has to be asked.

        For runs without limits, and where only one lane stands in front, whose tasks nothing keeps but its limits.
        """
        front, free = self.front, self.unlimited
        if len(front) != 1 or free:
            while free and not self._lanes:  # most runs have no limits
                i = self._wanted(heappop(free))
                if i is not None:
                    return i
            return None
        lane = front[0][2]
        names, places = lane.key, lane.places
        if lane.queue is not _FRONT or lane.called_from is not None or type(names) is not tuple or self._mailbox:
            return None
        while places:
            i = self._wanted(places[0])
            if i is not None and not self._limits.take_if_free(names):
                return None
            heappop(places)
            if places:
                front[0] = (places[0], lane.number, lane)
            else:  # the lane stays, for most likely its next task comes soon
                front.clear()
            if i is not None:
                return i
        return None

    def has_room(self, now: float) -> bool:
        """Whether a task could be taken now."""
        return self._first(now) is not None

    # -- the front ----------------------------------------------------------------------------------------------

    def _first(self, now: float) -> tuple[_Lane | None, int, str | None, tuple[str, ...]] | None:
        """The task that has room and comes before all others, its lane, None for the unlimited, and how it is done."""
        free, unlimited = self.unlimited, None
        while free and (unlimited := self._wanted(free[0])) is None:
            heappop(free)
        if self._lanes:
            self._call(now)
        while self.front and not (free and free[0] < self.front[0][0]):
            place, _, lane = self.front[0]
            if lane.queue is not _FRONT or not lane.places or lane.places[0] != place:
                heappop(self.front)
            elif (i := self._surface(lane)) is not None and lane.places[0] == place:
                found = self._room(lane, now)
                if not isinstance(found, _NoRoom):
                    return lane, i, *found
                self._wait(lane, found)
        return None if unlimited is None else (None, unlimited, None, ())

    def _surface(self, lane: _Lane) -> int | None:
        """Drop tasks that went elsewhere; the first of the others. A lane that has none is forgotten."""
        places, i = lane.places, None
        first = places[0] if places else None
        while places and (i := self._wanted(places[0])) is None:
            heappop(places)
        if i is None:
            self._lanes.pop(lane.key, None)
            self._leave_front(lane)
        elif places[0] != first:
            self._stand(lane)
        return i

    def _room(self, lane: _Lane, now: float) -> "tuple[str | None, tuple[str, ...]] | _NoRoom":
        """Who does its first task if not its own agent, and under which limits; or what it has to wait for."""
        limits, key, names = self._limits, lane.key, lane.names
        until = limits.paused_until(names, now)
        if until is None:
            full = limits.full(names)
            return (None, names) if full is None else _NoRoom(full)
        if not isinstance(key, Either) or not limits.is_exhausted(names, now):
            return _NoRoom(_ASIDE, until)
        other = key.fallback
        paused = limits.paused_until(other.limits, now)
        if paused is not None:
            return _NoRoom(_ASIDE, min(until, paused))
        full = limits.full(other.limits)
        return (other.agent, other.limits) if full is None else _NoRoom(full, until)

    # -- queues -------------------------------------------------------------------------------------------------

    def _stand(self, lane: _Lane) -> None:
        """Put the lane in its queue by the place of its first task."""
        entry = (lane.places[0], lane.number, lane)
        if lane.queue is _FRONT:
            heappush(self.front, entry)
        else:
            heappush(self.waiting.setdefault(lane.queue, []), entry)

    def _wait(self, lane: _Lane, for_what: _NoRoom) -> None:
        """Have the foremost lane wait."""
        heappop(self.front)
        lane.queue = for_what.queue
        self._recheck_at = min(self._recheck_at, for_what.until)
        self._stand(lane)
        if lane.queue != _ASIDE:
            self._ask(lane.queue)
        self._leave_front(lane)

    def _ask(self, name: str) -> None:
        """Wait for room in a limit."""
        if name not in self._asked:
            self._asked.add(name)
            self._limits.wait_for_room(name, self._mailbox)

    def _leave_front(self, lane: _Lane) -> None:
        """The lane was looked at; if it was called for the room that a limit has, the next one may come."""
        name, lane.called_from = lane.called_from, None
        if name is not None:
            self._call_next(name)

    def _call(self, now: float) -> None:
        """Call to the front whoever may have room now."""
        if self._recheck_at <= now or self._pauses_seen != self._limits.pauses_changed:
            self._pauses_seen, self._recheck_at = self._limits.pauses_changed, float("inf")
            self.waiting.clear()
            for lane in self._lanes.values():
                if lane.queue is not _FRONT:
                    lane.queue = _FRONT
                    self._stand(lane)
                lane.called_from = None
        while self._mailbox:
            name = self._mailbox.pop()
            self._asked.discard(name)
            self._call_next(name)

    def _call_next(self, name: str) -> None:
        """Call the first lane that waits for the limit, if that has room."""
        waiting = self.waiting.get(name)
        if waiting is None:
            return
        has_room = self._limits.full((name,)) is None
        while waiting:
            place, _, lane = waiting[0]
            if lane.queue != name or not lane.places or lane.places[0] != place:
                heappop(waiting)
            elif not has_room:
                self._ask(name)
                return
            else:
                heappop(waiting)
                lane.queue, lane.called_from = _FRONT, name
                self._stand(lane)
                return
        del self.waiting[name]

    # -- looking ------------------------------------------------------------------------------------------------

    def has_any(self) -> bool:
        """Whether some task could start, were there room; not one whose account is not waited for."""
        while self.unlimited and self._wanted(self.unlimited[0]) is None:
            heappop(self.unlimited)
        if self.unlimited:
            return True
        given_up = self._limits.is_given_up
        lanes = tuple(self._lanes.values())
        return any(not given_up(lane.names) and self._surface(lane) is not None for lane in lanes)

    def pause_ends(self, now: float) -> Iterator[float]:
        """For each lane that waits for the end of a pause, when that comes; not where it is not waited for."""
        if self._limits.pauses_any:
            for lane in self._lanes.values():
                until = self._limits.paused_until(lane.names, now) if lane.places else None
                if until is not None and not self._limits.is_given_up(lane.names):
                    yield until
