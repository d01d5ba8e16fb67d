"""What has happened to every task of a run, by index: the part of a plan that events alone decide.

A book to which the same events happened says the same, and that is all that resume rests on. Beside the states it
keeps what later decisions need: how dependencies ended, what conditions and people decided, when retries are due, and
which tasks changed since somebody last looked (`take_changed`). Nothing done for one event grows with the number of
tasks, except when a run starts or is resumed.
"""

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from enum import Enum
from typing import Any, Final

from orchestration.events import (
    AttemptEnd,
    AttemptInterrupted,
    ConditionDecided,
    Event,
    RetryScheduled,
    RunCompleted,
    RunError,
    RunPaused,
    RunResumed,
    RunStarted,
    TaskCancelled,
    TaskCompleted,
    TaskError,
    TaskEvent,
    TaskInputGiven,
    TaskStarted,
)
from orchestration.graph import Graph
from orchestration.kinds import Failure, OnCrash
from orchestration.plan.nodes import Node
from orchestration.plan.states import FINAL, State
from orchestration.plan.verdicts import Ends, Verdict


class Phase(Enum):
    """How far the run as a whole is."""

    NEW = "new"
    OPEN = "open"
    PAUSED = "paused"
    ENDED = "ended"


_START, _FAILED, _RETRYING = Verdict.START, State.FAILED, State.RETRYING
"""Bound once: until Python 3.12, finding a member in its class takes longer than all that is done with it here."""


class Book:
    """The facts of one run; what is kept by task is kept by its index.

    Nobody has looked since at the tasks that are `changed`, or at any one where `everything_changed`.
    """

    __slots__ = (
        "_is_changed",
        "approved",
        "attempts",
        "cancels",
        "changed",
        "conditions",
        "due",
        "ends",
        "everything_changed",
        "fail_fast",
        "failed_fast",
        "faulted",
        "graph",
        "in_attempt",
        "last_at",
        "left",
        "nodes",
        "open_parts",
        "parent",
        "parts",
        "phase",
        "plain",
        "run_id",
        "seq",
        "state",
        "stop_cause",
        "uncounted",
    )

    last_at: datetime | None
    due: dict[int, datetime]
    stop_cause: str | None

    def __init__(self, run_id: str, nodes: list[Node], graph: Graph) -> None:
        """Every task waits; nothing has happened yet."""
        size = len(nodes)
        self.run_id = run_id
        self.nodes = nodes
        self.graph = graph
        self.phase = Phase.NEW
        self.seq = 0
        self.last_at = None
        self.fail_fast = False
        self.failed_fast = False
        self.faulted = False
        self.stop_cause = None  # what an event stopped the run for; a caller's wish to stop is not in the book
        self.state = [State.WAITING] * size
        self.left = sum(not node.external for node in nodes)
        self.attempts = array("i", bytes(4 * size))
        self.uncounted: dict[int, int] = {}
        self.in_attempt = bytearray(size)
        self.plain = _are_plain(nodes)
        self.ends = Ends([node.run_when for node in nodes], graph.needs.lengths())
        self.conditions: dict[int, ConditionDecided] = {}
        self.approved: set[int] = set()
        self.cancels: dict[int, str] = {}
        self.due = {}
        self.parent: dict[int, int] = {}
        self.parts: dict[int, list[int]] = {}
        self.open_parts: dict[int, int] = {}
        self.changed: list[int] = []
        self._is_changed = bytearray(size)
        self.everything_changed = False

    # -- looking ------------------------------------------------------------------------------------------------

    def open_attempt(self, i: int) -> int | None:
        """The number of the attempt that has begun and not ended, None when there is none."""
        return self.attempts[i] if self.in_attempt[i] else None

    def tries(self, i: int) -> int:
        """How many attempts count: those since the task was last reopened, without those that say nothing of it."""
        return self.attempts[i] - self.uncounted.get(i, 0)

    def _leave_out(self, i: int) -> None:
        """Let the last attempt not count."""
        self.uncounted[i] = self.uncounted.get(i, 0) + 1

    def may_start(self, i: int) -> bool:
        """Whether a waiting task's dependencies, its condition and the person it asks for all let it start."""
        if self.ends.verdicts[i] is not _START:
            return False
        if self.plain[i]:
            return True
        node = self.nodes[i]
        if node.conditional:
            condition = self.conditions.get(i)
            if condition is None or condition.value is not True:
                return False
        return not node.approve or i in self.approved

    def take_changed(self) -> Sequence[int]:
        """The tasks whose situation is another than when this was last asked, each once."""
        changed, marked = self.changed, self._is_changed
        if self.everything_changed:
            self.everything_changed = False
            # those that wait for others as they did when nothing had happened are left out
            verdicts, waiting, wait, every = self.ends.verdicts, State.WAITING, Verdict.WAIT, enumerate(self.state)
            changed = [i for i, state in every if state is not waiting or marked[i] or verdicts[i] is not wait]
        if self.changed:
            for i in self.changed:
                marked[i] = False
            self.changed = []
        return changed

    def mark_changed(self, i: int) -> None:
        """Have a task looked at again."""
        if not self._is_changed[i]:
            self._is_changed[i] = True
            self.changed.append(i)

    # -- the run ------------------------------------------------------------------------------------------------

    def record_run(self, event: Event) -> None:
        """Let a checked event about the run happen."""
        self.seq, self.last_at = event.seq, event.at
        if isinstance(event, RunStarted | RunResumed):
            self._open(event)
        elif isinstance(event, RunPaused):
            self.phase = Phase.PAUSED
        elif isinstance(event, RunCompleted):
            self.phase = Phase.ENDED
        elif isinstance(event, RunError):
            self.faulted = True
            self.stop_cause = self.stop_cause or event.message or event.error

    def _open(self, event: RunStarted | RunResumed) -> None:
        """Begin or go on; a run that failed fast goes on failing, unless it no longer should or a task was reopened."""
        self.phase, self.fail_fast, self.faulted = Phase.OPEN, event.fail_fast, False
        if not (self.fail_fast and self.failed_fast):
            self.stop_cause, self.failed_fast = None, False
        for i, state in enumerate(self.state):
            if state is _RETRYING:  # a crash may have come between an attempt's end and its retry's time
                self.due.setdefault(i, event.at)
        self.take_changed()
        self.everything_changed = True

    # -- tasks --------------------------------------------------------------------------------------------------

    def record_task(self, i: int, before: State, after: State, event: TaskEvent) -> None:
        """Let a checked event about a task happen, which moves it from one state to another."""
        self.seq, self.last_at = event.seq, event.at
        if after is not before:
            self.state[i] = after
            if after in FINAL:
                self.settle(i, after, 1)
            elif before in FINAL:
                self.settle(i, before, -1)
        note = _NOTES.get(type(event))
        if note is not None:
            note(self, i, event)
        if after in _LOOKED_AT_AGAIN:
            self.mark_changed(i)

    def settle(self, i: int, end: State, by: int) -> None:
        """Count a task's end (`by` 1), or take it back (-1)."""
        if not self.nodes[i].external:
            self.left -= by
        if self.parent and (parent := self.parent.get(i)) is not None:
            self.open_parts[parent] -= by
            self._mark_parent_changed(parent, end)
        if self.cancels:
            self.cancels.pop(i, None)
        if self.due:
            self.due.pop(i, None)
        if end is _FAILED and self.nodes[i].excused:
            end = State.SKIPPED
        starts = self.graph.needed_by.starts
        if starts[i] < starts[i + 1]:
            for j in self.ends.settle(self.graph.needed_by[i], end, by):
                self.mark_changed(j)

    def grow(self, i: int, count: int) -> None:
        """Keep the book of new tasks too, parts of another one, which are the last of the nodes and of the graph."""
        first = len(self.state)
        new = range(first, first + count)
        self.state.extend([State.WAITING] * count)
        self.left += count
        self.attempts.extend([0] * count)
        self.in_attempt.extend(bytes(count))
        self.plain.extend(_are_plain(self.nodes[first:]))
        self._is_changed.extend(bytes(count))
        self.ends.grow((self.nodes[j].run_when for j in new), (len(self.graph.needs[j]) for j in new))
        self.parts.setdefault(i, []).extend(new)
        self.open_parts[i] = self.open_parts.get(i, 0) + count
        for j in new:
            self.parent[j] = i
            self.mark_changed(j)
        if not self.has_open_parts(i):
            self.mark_changed(i)

    def has_open_parts(self, i: int) -> bool:
        """Whether a part of an expanded task has not ended."""
        return self.open_parts.get(i, 0) > 0

    def _mark_parent_changed(self, i: int, end: State) -> None:
        """Have an expanded task looked at, unless it has said that this end of a part is not worth it."""
        node = self.nodes[i]
        if not (node.joins_at_end and self.has_open_parts(i)) or (node.joins_at_failure and end is State.FAILED):
            self.mark_changed(i)

    def above(self, i: int) -> Iterator[int]:
        """The tasks of which this one is a part, the nearest first."""
        while (parent := self.parent.get(i)) is not None:
            yield parent
            i = parent

    def below(self, i: int) -> Iterator[int]:
        """All parts of a task, and their parts."""
        todo = [i]
        while todo:
            parts = self.parts.get(todo.pop(), ())
            todo += parts
            yield from parts

    def is_dead_end(self, i: int) -> bool:
        """Whether the task has ended so that those which depend on it count it as unsuccessful."""
        state = self.state[i]
        return state in _UNSUCCESSFUL and not (state is State.FAILED and self.nodes[i].excused)

    # -- what events say beyond the move itself -------------------------------------------------------------------

    def note_start(self, i: int, _: TaskStarted) -> None:
        """An attempt is open, and counts."""
        self.attempts[i] += 1
        self.in_attempt[i] = True
        if self.due:
            self.due.pop(i, None)

    def note_end(self, i: int, _: AttemptEnd) -> None:
        """No attempt is open."""
        self.in_attempt[i] = False

    def note_failure(self, i: int, event: TaskError) -> None:
        """A run that fails fast stops at the first task that failed for good; waiting for a limit is no failed try."""
        self.note_end(i, event)
        if not event.final and event.outcome.failure is Failure.RATE_LIMITED:
            self._leave_out(i)
        if event.final:
            self._fail_fast(i, event)

    def note_interruption(self, i: int, event: AttemptInterrupted) -> None:
        """An attempt that was cut off does not count, and the next one need not wait."""
        self.note_end(i, event)
        if event.then is OnCrash.RERUN:
            self._leave_out(i)
            self.due[i] = event.at
        elif event.then is OnCrash.FAIL:
            self._fail_fast(i, event)

    def _fail_fast(self, i: int, event: TaskEvent) -> None:
        node = self.nodes[i]
        if self.fail_fast and not node.excused and (node.fatal or i not in self.parent):
            self.failed_fast = True
            self.stop_cause = self.stop_cause or f"fail-fast: {event.task_id} failed"

    def note_condition(self, i: int, event: ConditionDecided) -> None:
        """The task's condition need not be evaluated again."""
        self.conditions[i] = event

    def note_retry(self, i: int, event: RetryScheduled) -> None:
        """The next attempt waits for its time."""
        if event.due_at is not None:
            self.due[i] = event.due_at

    def note_answer(self, i: int, event: TaskInputGiven) -> None:
        """A person, or another terminal, decided something about the task."""
        if event.action == "approve" and event.attempt is None:
            self.approved.add(i)
        elif event.action == "cancel":
            self.cancels[i] = event.note or (f"cancelled by {event.by}" if event.by else "cancelled")
            for j in (i, *self.below(i)):
                if self.state[j] not in FINAL:
                    self.mark_changed(j)
        elif event.action == "retry":
            self._reopen(i)

    def _reopen(self, i: int) -> None:
        """Forget what was decided about the task, and about those that wait for it, whose grounds are gone too."""
        self.uncounted[i] = self.attempts[i]
        self.failed_fast = False
        for j in (i, *self.graph.needed_by[i]):
            self.conditions.pop(j, None)


def _are_plain(nodes: Iterable[Node]) -> bytearray:
    """For each task, whether nothing but its dependencies keeps it from starting."""
    return bytearray([not (node.conditional or node.approve or node.external) for node in nodes])


_UNSUCCESSFUL: Final = frozenset({State.FAILED, State.BLOCKED, State.CANCELLED})

_LOOKED_AT_AGAIN: Final = frozenset({State.WAITING, State.RETRYING, State.NEEDS_INPUT})
"""States out of which something may follow by itself after any event about the task."""

_NOTES: Final[Mapping[type[TaskEvent], Callable[[Book, int, Any], None]]] = {
    TaskStarted: Book.note_start,
    TaskCompleted: Book.note_end,
    TaskCancelled: Book.note_end,
    TaskError: Book.note_failure,
    AttemptInterrupted: Book.note_interruption,
    ConditionDecided: Book.note_condition,
    RetryScheduled: Book.note_retry,
    TaskInputGiven: Book.note_answer,
}
