"""What the attempts of a run use of models and of time, against its budgets, while they run.

An executor says what its attempt has used so far whenever it knows more; what ended attempts used is known from their
outcomes. The parts of a task count for the task, all tasks for the run. When a task's budget is spent its attempts are
stopped; when the run's is, the run is. Both with the failure `budget`, and everything used is recorded: at most every
`INTERVAL` seconds for a running attempt, and with its end.

Tokens are input and output together. What nobody could price counts as nothing against a budget in dollars, and is told
as unpriced: a limit in tokens or time is the one that holds for such agents.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Final

from orchestration.events import UsageRecorded
from orchestration.models import Budget
from orchestration.records import dataclass
from orchestration.results import Usage
from orchestration.scheduler.jobs import NO_JOB, Job
from orchestration.scheduler.recorder import Recorder

INTERVAL: Final = 5.0
"""Seconds between two records of what a running attempt has used."""

SPENT: Final = "budget"
"""The reason of a run that was stopped because its own budget was spent."""


@dataclass(slots=True)
class _Account:
    """What was used by ended attempts, and by each that runs."""

    ended: Usage | None = None
    running: dict[tuple[str, int], Usage] = field(default_factory=dict)
    seconds: float = 0.0

    def used(self) -> Usage:
        total = self.ended or Usage()
        for usage in self.running.values():
            total = total + usage
        return total


class Spending:
    """Counts, and stops what has spent its budget.

    Args:
        recorder: where what is used is recorded.
        jobs: each task's budget, and the task that it is a part of.
        budget: the run's.
        stop_task: ends the running attempts of a task, given the cause.
        stop_run: ends the run, given the reason.
        make_durable: has what was recorded stored soon.
    """

    def __init__(
        self,
        recorder: Recorder,
        jobs: Mapping[str, Job],
        budget: Budget | None,
        stop_task: Callable[[str, str], None],
        stop_run: Callable[[str], None],
        make_durable: Callable[[], None],
    ) -> None:
        """Nothing is used yet, except what the ledger knows of earlier attempts."""
        self._recorder = recorder
        self._jobs = jobs
        self._budget = budget
        self._stop_task = stop_task
        self._stop_run = stop_run
        self._make_durable = make_durable
        self._run = _Account()
        self.running: Final[Mapping[tuple[str, int], Usage]] = self._run.running
        self._tasks: dict[str, _Account] = {}
        self._told: dict[tuple[str, int], float] = {}
        self._timers: dict[tuple[str, int], asyncio.TimerHandle] = {}
        self.spent_tasks: dict[str, str] = {}

    @property
    def is_needed(self) -> bool:
        """Whether anybody set a budget."""
        return self._budget is not None or any(job.budget is not None for job in self._jobs.values())

    def recall(self) -> None:
        """Count what earlier attempts of the run used, as the ledger has it."""
        for task_id in self._recorder.ledger.known:
            for attempt in self._recorder.ledger.attempts_of(task_id):
                used = attempt.outcome.usage
                if used is not None and not attempt.outcome.metadata.get("sum_of_parts"):
                    self._add(task_id, used)
                self._task(task_id).seconds += attempt.duration_seconds

    def begin(self, task_id: str, attempt: int) -> None:
        """An attempt starts: its time runs."""
        if (job := self._jobs.get(task_id)) is None or (job.budget is None and job.parent is None):
            return  # the common case, in few steps
        budget = self._jobs.get(self._root(task_id), NO_JOB).budget
        if budget is None or budget.wall is None:
            return
        left = budget.wall - self._task(task_id).seconds
        loop = asyncio.get_running_loop()
        cause = f"its budget of {budget.wall:g} s is spent"
        self._timers[task_id, attempt] = loop.call_later(max(0.0, left), self._spend, self._root(task_id), cause)

    def note(self, task_id: str, attempt: int, usage: Usage) -> None:
        """A running attempt has used so much so far."""
        key = (task_id, attempt)
        if self._recorder.plan.attempt_of(task_id) != attempt or self._task(task_id).running.get(key) == usage:
            return
        self._task(task_id).running[key] = self._run.running[key] = usage
        now = self._recorder.now()
        if now - self._told.get(key, 0.0) >= INTERVAL:
            self._told[key] = now
            self._recorder.emit(UsageRecorded, task_id=task_id, attempt=attempt, usage=usage)
            self._make_durable()
        self._compare(task_id)

    def end(self, task_id: str, attempt: int, usage: Usage | None, seconds: float) -> None:
        """An attempt has ended, and used so much in all."""
        job = self._jobs.get(task_id)
        if usage is None and not self._run.running and (job is None or not self._has_budget(task_id, job)):
            return  # as above: nothing is counted that nobody asks for
        key = (task_id, attempt)
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()
        last = self._task(task_id).running.pop(key, None)
        self._run.running.pop(key, None)
        self._told.pop(key, None)
        self._task(task_id).seconds += seconds
        used = usage or last
        if used is not None:
            self._add(task_id, used)
            self._compare(task_id)

    def _has_budget(self, task_id: str, job: Job) -> bool:
        root = job if job.parent is None else self._jobs.get(self._root(task_id), NO_JOB)
        return root.budget is not None

    def close(self) -> None:
        """No timer is left."""
        for timer in self._timers.values():
            timer.cancel()

    def last_known(self, task_id: str, attempt: int) -> Usage | None:
        """What a running attempt said last."""
        return self._run.running.get((task_id, attempt))

    # -- counting -----------------------------------------------------------------------------------------------

    def _root(self, task_id: str) -> str:
        job = self._jobs.get(task_id, NO_JOB)
        while job.parent is not None:
            task_id, job = job.parent, self._jobs.get(job.parent, NO_JOB)
        return task_id

    def _task(self, task_id: str) -> _Account:
        return self._tasks.setdefault(self._root(task_id), _Account())

    def _add(self, task_id: str, used: Usage) -> None:
        for account in (self._task(task_id), self._run):
            account.ended = used if account.ended is None else account.ended + used

    def _compare(self, task_id: str) -> None:
        root = self._root(task_id)
        budget = self._jobs.get(root, NO_JOB).budget
        if budget is not None and (over := _over(budget, self._tasks[root].used())):
            self._spend(root, f"its budget of {over} is spent")
        if self._budget is not None and (over := _over(self._budget, self._run.used())):
            self._stop_run(f"the run's budget of {over} is spent")

    def _spend(self, root: str, cause: str) -> None:
        if root not in self.spent_tasks:
            self.spent_tasks[root] = cause
            self._stop_task(root, cause)


def _over(budget: Budget, used: Usage) -> str | None:
    """The part of the budget that is spent, for people; None where nothing is."""
    if budget.cost_usd is not None and used.cost_usd is not None and used.cost_usd >= budget.cost_usd:
        return f"${budget.cost_usd:g}"
    if budget.tokens is not None and used.input_total + used.output_total >= budget.tokens:
        return f"{budget.tokens:,} tokens"
    return None
