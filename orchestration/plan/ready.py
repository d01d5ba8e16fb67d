"""Tasks that could start now or at a known time, and which of them comes first.

First by priority, then by the longest remaining path, then by declaration order: the same under any hash seed. That
order is made once, so a task's place in it is one number. Tasks with the same limits stand in one of the `lanes`. A
task that came in later, as a part of another one, has its place right after that one.

A task is out, queued, or handed out (it then uses its limits, so that nobody else is promised the same room). Entries
of tasks that went elsewhere (cancelled, adopted, held) are left in their lanes and dropped when they surface; a task
that came back meanwhile may have two, and the second one to surface finds it no longer queued.
"""

from array import array
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from heapq import heappop, heappush
from typing import Final

from orchestration.plan.book import Book
from orchestration.plan.lanes import Either, Lanes
from orchestration.plan.limits import Limits
from orchestration.plan.states import State
from orchestration.plan.verdicts import Verdict

_WAITING, _RETRYING, _START = State.WAITING, State.RETRYING, Verdict.START
"""Bound once: until Python 3.12, finding a member in its class takes longer than all that is done with it here."""

_OUT, _QUEUED, _HANDED_OUT = range(3)

_PARTS: Final = 24
"""Bits of a place that number the parts of a task: sixteen million of them."""


class Ready:
    """The lanes of tasks by their place in the order, and a heap of times that tasks wait for.

    Attributes:
        is_careful: whether somebody wants nothing more to start, so that each task is asked about.
        since: since when each task has been able to start; a time to come where it waits for that.
        elsewhere: the limits that a task uses which somebody else does than its own agent.
    """

    __slots__ = (
        "_book",
        "_due",
        "_held",
        "_is_hindered",
        "_lanes",
        "_limits",
        "_nodes",
        "_order",
        "_part_at",
        "_parts_of",
        "_place",
        "_times",
        "_where",
        "elsewhere",
        "is_careful",
        "since",
    )

    def __init__(
        self,
        book: Book,
        remaining: Sequence[float],
        limits: Limits,
        held: Mapping[int, str],
        is_hindered: Callable[[int], bool],
    ) -> None:
        """`remaining` is each task's longest remaining path; the others are consulted at every `pop`.

        `is_hindered` is asked about a task that could start where tasks are held, or cancelled, or `is_careful`.
        """
        nodes = book.nodes
        order = sorted(range(len(nodes)), key=remaining.__getitem__, reverse=True)
        order.sort(key=[node.rank for node in nodes].__getitem__)  # both sorts keep the order of equals
        self._nodes = nodes
        self._limits = limits
        self._book = book
        self._held = held
        self._is_hindered = is_hindered
        self.is_careful = False
        self._order = array("i", order)
        self._place = array("q", order)
        for place, i in enumerate(order):
            self._place[i] = place << _PARTS
        self._part_at: dict[int, int] = {}
        self._parts_of: dict[int, int] = {}
        self.elsewhere: dict[int, tuple[str, ...]] = {}
        self._where = bytearray(len(nodes))
        self.since: list[datetime | None] = [None] * len(nodes)
        self._lanes = Lanes(limits, self._wanted)
        self._due: dict[int, float] = {}
        self._times: list[tuple[float, int]] = []

    def grow(self, parent: int, count: int) -> None:
        """Make room for new tasks, parts of another one, which are the last of the nodes."""
        root = self._place[parent] >> _PARTS
        for i in range(len(self._where), len(self._where) + count):
            part = self._parts_of[root] = self._parts_of.get(root, 0) + 1
            place = root << _PARTS | part
            self._place.append(place)
            self._part_at[place] = i
            self._where.append(_OUT)
            self.since.append(None)

    def push(self, i: int, since: datetime | None) -> None:
        """Queue a task that could start since then, unless it is queued or handed out already."""
        if self._where[i] != _OUT:
            return
        self._where[i] = _QUEUED
        self.since[i] = since
        node = self._nodes[i]
        self._lanes.add(node.limits if node.fallback is None else Either(node.limits, node.fallback), self._place[i])

    def push_at(self, i: int, due_at: datetime) -> None:
        """Queue a task when its time has come; a time given earlier no longer counts."""
        self.drop(i)
        self.since[i] = due_at
        self._due[i] = due_at.timestamp()
        heappush(self._times, (self._due[i], i))

    def drop(self, i: int) -> None:
        """Let a task that is not started wait no longer, and give back what was promised to it."""
        if self._where[i] == _HANDED_OUT:
            self.end(i)
        self._where[i] = _OUT
        self._due.pop(i, None)

    def clear(self) -> None:
        """Drop all."""
        for i, where in enumerate(self._where):
            if where:
                self.drop(i)
        self._lanes.clear()
        self._due.clear()
        self._times.clear()

    def start(self, i: int, agent: str | None = None) -> None:
        """Let a task run, whether or not it was handed out (in a replay it was not); `agent` is who does it."""
        if self._where[i] != _HANDED_OUT:
            node = self._nodes[i]
            names = node.limits
            if node.fallback is not None and node.fallback.agent == agent:
                names = self.elsewhere[i] = node.fallback.limits
            if names:
                self._limits.take(names)
        self._where[i] = _OUT
        if self._due:
            self._due.pop(i, None)

    def end(self, i: int) -> None:
        """Let a task run no longer."""
        names = self._nodes[i].limits
        if self.elsewhere:
            names = self.elsewhere.pop(i, names)
        if names:
            self._limits.give(names)

    def pop(self, now: float) -> int | None:
        """Hand out the first task that still may start and whose limits have room; None when there is none."""
        if self._times:
            self._queue_what_is_due(now)
        i = self._lanes.take_at_once()
        if i is None:
            found = self._lanes.take(now)
            if found is None:
                return None
            i, agent, needed = found
            if agent is not None:
                self.elsewhere[i] = needed
        self._where[i] = _HANDED_OUT
        return i

    def agent_of(self, i: int) -> str | None:
        """Who is to do a task that was handed out, instead of its own agent."""
        fallback = self._nodes[i].fallback
        return fallback.agent if fallback is not None and i in self.elsewhere else None

    def has_room(self, now: float) -> bool:
        """Whether `pop` would hand a task out."""
        if self._times:
            self._queue_what_is_due(now)
        return self._lanes.has_room(now)

    def has_any(self) -> bool:
        """Whether some task could start, were there room; not one whose account is not waited for."""
        return self._lanes.has_any()

    def _wanted(self, place: int) -> int | None:
        """The task at a place, if it is still queued and may start; one that may not is out from now on."""
        i = self._part_at.get(place) if self._part_at else None
        if i is None:
            i = self._order[place >> _PARTS]
        if self._where[i] != _QUEUED:
            return None
        book = self._book
        if book.state[i] is _WAITING:
            may_start = book.ends.verdicts[i] is _START if book.plain[i] else book.may_start(i)
        else:
            may_start = book.state[i] is _RETRYING
        if not may_start or ((self.is_careful or self._held or book.cancels) and self._is_hindered(i)):
            self._where[i] = _OUT
            return None
        return i

    def _queue_what_is_due(self, now: float) -> None:
        while self._times and self._times[0][0] <= now:
            due, i = heappop(self._times)
            if self._due.get(i) == due:
                del self._due[i]
                self.push(i, self.since[i])

    def wake_at(self, now: float = 0.0) -> float | None:
        """When the next time has come or pause ends, in seconds since the epoch; None when none is waited for."""
        while self._times and self._due.get(self._times[0][1]) != self._times[0][0]:
            heappop(self._times)
        moments = [self._times[0][0]] if self._times and not self._only_given_up() else []
        moments += self._lanes.pause_ends(now)
        return min(moments, default=None)

    @property
    def has_waiting(self) -> bool:
        """Whether any task may be queued, or wait for a time; one that went elsewhere counts until somebody looks."""
        lanes = self._lanes
        return bool(self._times or lanes.front or lanes.unlimited or lanes.waiting)

    @property
    def waits_for_times(self) -> bool:
        """Whether any task waits, or has waited, for a time."""
        return bool(self._times)

    def _only_given_up(self) -> bool:
        """Whether all that waits for a time waits for an account that is not waited for."""
        limits = self._limits
        return limits.gives_up_any and all(limits.is_given_up(self._nodes[i].limits) for i in self._due)

    def is_handed_out(self, i: int) -> bool:
        """Whether the task was handed out and has not been started or dropped since."""
        return self._where[i] == _HANDED_OUT

    def waits_for_time(self, i: int) -> bool:
        """Whether the task is to be queued at a time that, as far as anybody asked, has not come."""
        return i in self._due
