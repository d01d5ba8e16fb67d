"""What a run looks like right now, computed from its events: who runs since when, what ended, what waits, how long yet.

Pure: "now" is an argument, in seconds of any clock that never goes back. Of a task's output only the end is kept, per
stream, so that a gigabyte of it costs a few kilobytes here. Edges survived: a run that is resumed in the middle, chunks
of a task that already ended, tasks that are reopened, attempts that follow each other, values that are no text.
"""

from collections.abc import Iterable, Mapping
from dataclasses import field, replace
from typing import TYPE_CHECKING, Final

from cli.render.clean import last_line
from cli.render.lines import Line, line_of, seconds_until
from orchestration import events
from orchestration.exporting.spent import Spent
from orchestration.kinds import ExecutionStatus, OnCrash
from orchestration.records import dataclass

if TYPE_CHECKING:
    from datetime import datetime

    from orchestration.results import Usage

TAIL_CHARACTERS: Final = 4096
"""As much of a stream's end as could ever be shown."""


@dataclass(slots=True)
class Running:
    """An attempt that is under way; `since` is when it started on the caller's clock."""

    task_id: str
    agent: str
    since: float
    tails: dict[str | None, str] = field(default_factory=dict)
    latest: str | None = None

    def hear(self, chunk: events.TaskChunk) -> None:
        """Keep the end of what the attempt printed."""
        text = chunk.chunk if isinstance(chunk.chunk, str) else f"{chunk.chunk}\n"
        self.tails[chunk.stream] = (self.tails.get(chunk.stream, "") + text[-TAIL_CHARACTERS:])[-TAIL_CHARACTERS:]
        self.latest = chunk.stream

    @property
    def last_line(self) -> str:
        """The last thing it printed."""
        return last_line(self.tails.get(self.latest, ""))

    @property
    def evidence(self) -> str:
        """The end of what it complained about, or else of what it printed, or of what an agent said."""
        told = (self.tails.get(stream, "") for stream in ("stderr", "stdout", None))
        return next((tail for tail in told if tail.strip()), "")

    @property
    def depth(self) -> int:
        """How far it is a part of another task."""
        return self.task_id.count("/")


class Progress:
    """Hears every event of a run and knows where it stands.

    Args:
        weights: how much work each task is, in any unit; tasks that are not named count as the average.
    """

    def __init__(self, weights: Mapping[str, float] | None = None) -> None:
        self._weights = dict(weights or {})
        self._mean = sum(self._weights.values()) / len(self._weights) if self._weights else 1.0
        self.tasks: tuple[str, ...] = ()
        self._own: dict[str, None] = {}
        self.slots = 1
        self.started = 0
        self.adopted = 0
        self.running: dict[str, Running] = {}
        self.expanded: dict[str, Running] = {}
        self.paused: dict[str, float] = {}
        self._until: dict[str, datetime] = {}
        self._used: dict[tuple[str, int | None], Usage] = {}
        self._spent = Spent()
        self.due: dict[str, float] = {}
        self.asked: dict[str, None] = {}
        self.ended: dict[str, ExecutionStatus] = {}
        self._work_seconds = 0.0
        self._work_weight = 0.0

    def learn(self, past: Iterable[events.Event]) -> None:
        """Take over what happened before the run was resumed; nothing of that still runs."""
        for event in past:
            self.note(event, 0.0)
        for left in (self.running, self.expanded, self.due, self.paused):
            left.clear()
        self.started = 0

    @property
    def total(self) -> int:
        """How many tasks the run has, as far as it is known; parts of them do not count."""
        open_tasks = (*self.running, *self.expanded, *self.asked, *self.due)
        return max(len(self.tasks), len(self.ended) + sum(not is_part(task_id) for task_id in open_tasks))

    @property
    def spent(self) -> Spent:
        """What was used of models so far, by attempts that ended and by those that run."""
        total = replace(self._spent)
        for usage in self._used.values():
            total.add(usage)
        return total

    def shown(self) -> list[Running]:
        """What is under way, in the order in which it began, parts below their task."""
        heads = sorted((*self.expanded.values(), *self.running.values()), key=lambda one: (one.depth, one.since))
        order = {one.task_id: n for n, one in enumerate(heads)}

        def place(one: Running) -> list[int]:
            names = one.task_id.split("/")
            above = ("/".join(names[: n + 1]) for n in range(len(names)))
            return [order.get(name, len(order)) for name in above]

        return sorted(heads, key=place)

    def number(self, *statuses: ExecutionStatus) -> int:
        """How many tasks ended in one of these states."""
        return sum(status in statuses for status in self.ended.values())

    def hear(self, event: events.Event | events.TaskChunk, now: float) -> Line | None:
        """Take note; returns the line for people, if the event is worth one."""
        ran = self.running.get(event.task_id) if isinstance(event, events.TaskError) else None
        line = None if isinstance(event, events.TaskChunk) else line_of(event, ran.evidence if ran else "")
        return line if self.note(event, now) else None

    def note(self, event: events.Event | events.TaskChunk, now: float) -> bool:
        """Take note; returns whether it concerns us: a run looks at tasks outside of its selection, too."""
        if isinstance(event, events.TaskEvent):
            if self._own and event.task_id.partition("/")[0] not in self._own:
                return False
            self._hear_task(event, now)
        elif not isinstance(event, events.TaskChunk):
            self._hear_run(event, now)
        elif running := self.running.get(event.task_id):
            running.hear(event)
        return True

    def _hear_run(self, event: events.Event, now: float) -> None:
        if isinstance(event, events.RunStarted):
            self.tasks = event.tasks
            self._own = dict.fromkeys(event.tasks)
        if isinstance(event, events.RunStarted | events.RunResumed) and event.max_concurrent:
            self.slots = event.max_concurrent
        if isinstance(event, events.RunResumed):
            self.paused = {account: now + seconds_until(until, event.at) for account, until in self._until.items()}
        if isinstance(event, events.AccountPaused) and event.until is not None:
            self._until[event.account] = event.until
            self.paused[event.account] = now + seconds_until(event.until, event.at)

    def _hear_task(self, event: events.TaskEvent, now: float) -> None:  # noqa: C901  # a table, one row per kind
        task_id = event.task_id
        match event:
            case events.TaskStarted():
                self._forget(task_id)
                self.started += 1
                self.running[task_id] = Running(task_id, event.agent or "", now)
            case events.AttemptEnd():
                self._hear_end(event)
            case events.TaskExpanded():
                self._expand(task_id, now)
            case events.UsageRecorded():
                self._used[task_id, event.attempt] = event.usage
            case events.RetryScheduled(due_at=due_at) if due_at is not None:
                self._forget(task_id)
                self.due[task_id] = now + seconds_until(due_at, event.at)
            case events.TaskNeedsInput():
                self._forget(task_id)
                self.asked[task_id] = None
            case events.TaskInputGiven(action="retry"):
                self._forget(task_id)
            case events.TaskSkipped():
                self._end(task_id, ExecutionStatus.SKIPPED)
            case events.TaskBlocked():
                self._end(task_id, ExecutionStatus.BLOCKED)
            case events.TaskAdopted():
                self.adopted += 1
                self._end(task_id, event.status)
            case _:
                pass

    def _expand(self, task_id: str, now: float) -> None:
        begun = self.running.get(task_id) or self.expanded.get(task_id)
        self._forget(task_id)
        self.expanded[task_id] = begun or Running(task_id, "", now)

    def _hear_end(self, event: events.AttemptEnd) -> None:
        task_id = event.task_id
        used = self._used.pop((task_id, event.attempt), None)
        used = event.outcome.usage or used
        if used is not None and not event.outcome.metadata.get("sum_of_parts"):
            self._spent.add(used)
        if isinstance(event, events.TaskCompleted):
            at_work = task_id in self.running or task_id in self.expanded
            if at_work and not is_part(
                task_id
            ):  # what a person did took no slot, and says nothing of how long the rest takes
                self._work_seconds += event.duration_seconds
                self._work_weight += self._weight(task_id)
            self._end(task_id, ExecutionStatus.SUCCESS)
        elif isinstance(event, events.TaskCancelled):
            self._end(task_id, ExecutionStatus.CANCELLED)
        elif _goes_on(event):
            self._forget(task_id)
        else:
            self._end(task_id, ExecutionStatus.FAILED)

    def _forget(self, task_id: str) -> None:
        self.running.pop(task_id, None)
        self.expanded.pop(task_id, None)
        self.due.pop(task_id, None)
        self.asked.pop(task_id, None)
        self.ended.pop(task_id, None)

    def _end(self, task_id: str, status: ExecutionStatus) -> None:
        self._forget(task_id)
        if not is_part(task_id):
            self.ended[task_id] = status

    def _weight(self, task_id: str) -> float:
        return self._weights.get(task_id, self._mean)

    def seconds_left(self, now: float) -> float | None:
        """How long it may still take: what is left, at the pace so far, over all slots; None before anything ended."""
        if not self._work_weight:
            return None
        pace = self._work_seconds / self._work_weight
        at_work = [one for one in (*self.running.values(), *self.expanded.values()) if not one.depth]
        waiting = self._own.keys() - self.ended.keys() - {one.task_id for one in at_work} - self.asked.keys()
        left = [max(0.0, pace * self._weight(one.task_id) - (now - one.since)) for one in at_work]
        work = sum(pace * self._weight(task_id) for task_id in waiting) + sum(left)
        return max([work / max(1, self.slots), *left])


def is_part(task_id: str) -> bool:
    """Whether this is a part of a task, such as `TASK/leg-1`."""
    return "/" in task_id


def _goes_on(event: events.AttemptEnd) -> bool:
    """Whether the attempt's end is not its task's end."""
    if isinstance(event, events.TaskError):
        return not event.final
    return isinstance(event, events.AttemptInterrupted) and event.then is not OnCrash.FAIL
