"""What follows from events without any work: consequences of the plan become events, outcomes become ends.

Nothing here awaits. `settle` asks the plan until nothing follows any more; the `record_*` functions turn what an
attempt yielded into the events that end it, with the retry that follows.
"""

import random
from collections.abc import Callable, Mapping
from typing import Any, Final

from orchestration.errors import TemplateError
from orchestration.events import (
    ConditionDecided,
    RetryScheduled,
    TaskBlocked,
    TaskCancelled,
    TaskCompleted,
    TaskError,
    TaskNeedsInput,
    TaskSkipped,
)
from orchestration.kinds import Failure
from orchestration.plan import Ask, Block, Cancel, Consequence, Decide, Skip, Startable
from orchestration.protocols import Doer
from orchestration.results import Outcome
from orchestration.retry import next_attempt_at, why_not
from orchestration.scheduler.jobs import NO_JOB, Job
from orchestration.scheduler.recorder import Recorder

NOT_STARTED: Final = "not_started"
CANCELLED: Final = "cancelled"
STOPPED: Final = "stopped"
"""Why a task was cancelled: it had not begun; it was to be cancelled; or it was cut off because its run was stopped,
which says nothing about the task, so that a later run does it again."""


class Settler:
    """Turns what the plan and the attempts say into events.

    Args:
        recorder: where the events go.
        doer: evaluates conditions.
        jobs: each task's agent and policies; a missing one has none.
        request_stop: told of each running task that is to be ended, with the cause.
        dice: for jitter.
    """

    def __init__(
        self,
        recorder: Recorder,
        doer: Doer,
        jobs: Mapping[str, Job],
        request_stop: Callable[[str, str], None],
        dice: random.Random,
    ) -> None:
        """Nothing is settled yet."""
        self._recorder = recorder
        self._plan = recorder.plan
        self._doer = doer
        self._jobs = jobs
        self._request_stop = request_stop
        self._dice = dice
        self.cut_off = CANCELLED

    def settle(self) -> None:
        """Let everything follow that follows without any work."""
        while found := self._plan.consequences():
            for consequence in found:
                self._answer(consequence)

    def _answer(self, consequence: Consequence) -> None:
        task_id, emit = consequence.task_id, self._recorder.emit
        if isinstance(consequence, Decide):
            self._decide(task_id)
        elif isinstance(consequence, Ask):
            prompt = self._jobs.get(task_id, NO_JOB).approval
            emit(TaskNeedsInput, task_id=task_id, prompt=prompt, reason="waits for approval")
        elif isinstance(consequence, Skip):
            emit(TaskSkipped, task_id=task_id, reason=consequence.reason)
        elif isinstance(consequence, Block):
            emit(TaskBlocked, task_id=task_id, reason=consequence.reason, by=consequence.by)
        elif isinstance(consequence, Cancel):
            self.cancel(task_id, consequence.cause)
        else:
            self._request_stop(task_id, consequence.cause)

    def _decide(self, task_id: str) -> None:
        try:
            self._recorder.emit(ConditionDecided, task_id=task_id, value=self._doer.decide(task_id))
        except TemplateError as problem:
            self._recorder.emit(ConditionDecided, task_id=task_id, value=None, error=problem.message)

    def cancel(self, task_id: str, cause: str, reason: str | None = None) -> None:
        """Record that a task in which nothing runs will not be done."""
        attempt = self._plan.attempt_of(task_id)
        began = self._plan.attempts_of(task_id) > 0
        self._recorder.emit(
            TaskCancelled,
            task_id=task_id,
            attempt=attempt,
            agent=self._jobs.get(task_id, NO_JOB).agent,
            reason=reason or (self.cut_off if began else NOT_STARTED),
            cause=cause,
            outcome=Outcome() if attempt is None else Outcome(failure=Failure.CANCELLED, error=cause),
        )

    def record_end(self, start: Startable, outcome: Outcome, cause: str | None, seconds: float) -> None:
        """Record how an attempt ended; `cause` says who asked for its end, if anybody did."""
        stopped = cause is not None and cause == self._plan.stopping
        job, emit = self._jobs.get(start.task_id, NO_JOB), self._recorder.emit
        end: dict[str, Any] = {
            "task_id": start.task_id,
            "attempt": start.attempt,
            "agent": job.agent,
            "duration_seconds": seconds,
            "outcome": outcome,
        }
        if outcome.failure is Failure.CANCELLED:
            word = self.cut_off if stopped else CANCELLED
            emit(TaskCancelled, **end, reason=word, cause=cause or outcome.error or "")
        elif outcome.needs_input:
            prompt = outcome.prompt or ""
            emit(
                TaskNeedsInput,
                task_id=start.task_id,
                attempt=start.attempt,
                prompt=prompt,
                reason="waits for a person",
            )
        elif outcome.failure is None:
            emit(TaskCompleted, **end)
        else:
            self._record_failure(start, outcome.failure, end, job)

    def _record_failure(self, start: Startable, failure: Failure, end: dict[str, Any], job: Job) -> None:
        tries, emit = self._plan.tries_of(start.task_id), self._recorder.emit
        due_at = None
        if self._plan.stopping is None:
            spread = self._dice.uniform(-1, 1)
            due_at = next_attempt_at(job.retry, tries, failure, self._recorder.at(), spread)
        if due_at is None:
            why = self._plan.stopping or why_not(job.retry, tries, failure)
            emit(TaskError, **end, final=True, reason=f"{failure.value}: {why}" if why else failure.value)
            return
        allowed = job.retry.max if job.retry else 1
        reason = f"attempt {start.attempt} failed ({failure.value}), {tries} of {allowed} used"
        emit(TaskError, **end, final=False, reason=reason)
        emit(RetryScheduled, task_id=start.task_id, attempt=start.attempt, due_at=due_at, reason=reason)
