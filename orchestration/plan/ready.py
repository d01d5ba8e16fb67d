"""Tasks that could start now or at a known time, and which of them comes first.

First by priority, then by the longest remaining path, then by declaration order: the same under any hash seed. That
order is made once, so a task's place in it is one number. Tasks with the same limits stand in one heap, so that a full
agent or pool costs one look and not a walk over its queue.

A task is out, queued, or handed out (it then uses its limits, so that nobody else is promised the same room). Entries
of tasks that went elsewhere (cancelled, adopted, held) are left in the heaps and dropped when they surface; a task that
came back meanwhile may have two, and the second one to surface finds it no longer queued.
"""

from array import array
from collections.abc import Callable, Sequence
from datetime import datetime
from heapq import heappop, heappush

from orchestration.plan.limits import Limits
from orchestration.plan.nodes import Node

_OUT, _QUEUED, _HANDED_OUT = range(3)


class Ready:
    """Heaps of places in the order, one for each combination of limits, and one of times that tasks wait for."""

    __slots__ = ("_due", "_heaps", "_limits", "_nodes", "_order", "_place", "_since", "_times", "_where")

    def __init__(self, nodes: Sequence[Node], remaining: Sequence[float], limits: Limits) -> None:
        """`remaining` is each task's longest remaining path; `limits` are consulted at every `pop`."""
        order = sorted(range(len(nodes)), key=remaining.__getitem__, reverse=True)
        order.sort(key=[node.rank for node in nodes].__getitem__)  # both sorts keep the order of equals
        self._nodes = nodes
        self._limits = limits
        self._order = array("i", order)
        self._place = array("i", order)
        for place, i in enumerate(order):
            self._place[i] = place
        self._where = bytearray(len(nodes))
        self._since: list[datetime | None] = [None] * len(nodes)
        self._heaps: dict[tuple[str, ...], list[int]] = {}
        self._due: dict[int, float] = {}
        self._times: list[tuple[float, int]] = []

    def push(self, i: int, since: datetime | None) -> None:
        """Queue a task that could start since then, unless it is queued or handed out already."""
        if self._where[i] != _OUT:
            return
        self._where[i] = _QUEUED
        self._since[i] = since
        names = self._nodes[i].limits
        heap = self._heaps.get(names)
        if heap is None:
            heap = self._heaps[names] = []
        heappush(heap, self._place[i])

    def push_at(self, i: int, due_at: datetime) -> None:
        """Queue a task when its time has come; a time given earlier no longer counts."""
        self.drop(i)
        self._since[i] = due_at
        self._due[i] = due_at.timestamp()
        heappush(self._times, (self._due[i], i))

    def drop(self, i: int) -> None:
        """Let a task that is not started wait no longer, and give back what was promised to it."""
        if self._where[i] == _HANDED_OUT:
            self._limits.give(self._nodes[i].limits)
        self._where[i] = _OUT
        self._due.pop(i, None)

    def clear(self) -> None:
        """Drop all."""
        for i, where in enumerate(self._where):
            if where:
                self.drop(i)
        self._heaps.clear()
        self._due.clear()
        self._times.clear()

    def start(self, i: int) -> None:
        """Let a task run, whether or not it was handed out (in a replay it was not)."""
        names = self._nodes[i].limits
        if names and self._where[i] != _HANDED_OUT:
            self._limits.take(names)
        self._where[i] = _OUT
        self._since[i] = None
        if self._due:
            self._due.pop(i, None)

    def end(self, i: int) -> None:
        """Let a task run no longer."""
        names = self._nodes[i].limits
        if names:
            self._limits.give(names)

    def pop(self, now: float, may_start: Callable[[int], bool]) -> int | None:
        """Hand out the first task that still may start and whose limits have room; None when there is none."""
        if self._times:
            self._queue_what_is_due(now)
        best: list[int] | None = None
        needed: tuple[str, ...] = ()
        for names in tuple(self._heaps):
            heap = self._surface(names, may_start)
            if heap and (best is None or heap[0] < best[0]) and not (names and self._limits.full(names)):
                best, needed = heap, names
        if best is None:
            return None
        i = self._order[heappop(best)]
        self._where[i] = _HANDED_OUT
        self._limits.take(needed)
        return i

    def has_any(self, may_start: Callable[[int], bool]) -> bool:
        """Whether some task could start, were there room."""
        return any(self._surface(names, may_start) for names in tuple(self._heaps))

    def _surface(self, names: tuple[str, ...], may_start: Callable[[int], bool]) -> list[int]:
        """The heap with a task on top that may start; a heap that has none is forgotten."""
        heap = self._heaps[names]
        while heap:
            i = self._order[heap[0]]
            if self._where[i] == _QUEUED:
                if may_start(i):
                    return heap
                self._where[i] = _OUT
            heappop(heap)
        del self._heaps[names]
        return heap

    def _queue_what_is_due(self, now: float) -> None:
        while self._times and self._times[0][0] <= now:
            due, i = heappop(self._times)
            if self._due.get(i) == due:
                del self._due[i]
                self.push(i, self._since[i])

    def wake_at(self) -> float | None:
        """When the next time has come, in seconds since the epoch; None when none is waited for."""
        while self._times and self._due.get(self._times[0][1]) != self._times[0][0]:
            heappop(self._times)
        return self._times[0][0] if self._times else None

    def is_handed_out(self, i: int) -> bool:
        """Whether the task was handed out and has not been started or dropped since."""
        return self._where[i] == _HANDED_OUT

    def waits_for_time(self, i: int) -> bool:
        """Whether the task is to be queued at a time that, as far as anybody asked, has not come."""
        return i in self._due

    def since(self, i: int) -> datetime | None:
        """Since when the task has been able to start; a time to come where it waits for that."""
        return self._since[i]
