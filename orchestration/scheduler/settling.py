"""What follows from events without any work: consequences of the plan become events, outcomes become ends.

Nothing here awaits. `settle` asks the plan until nothing follows any more; the `record_*` functions turn what an
attempt yielded into the events that end it, with the retry that follows.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from orchestration.errors import TemplateError
from orchestration.events import (
    AccountPaused,
    AttemptInterrupted,
    ConditionDecided,
    LimitsChanged,
    RetryScheduled,
    TaskBlocked,
    TaskCancelled,
    TaskCompleted,
    TaskError,
    TaskExpanded,
    TaskInputGiven,
    TaskNeedsInput,
    TaskSkipped,
)
from orchestration.kinds import Failure, OnCrash
from orchestration.plan import FINAL, Ask, Block, Cancel, Consequence, Decide, Join, Skip, Startable, State
from orchestration.protocols import Doer, Drop, Expansion
from orchestration.results import Outcome
from orchestration.retry import next_attempt_at, why_not
from orchestration.scheduler.jobs import NO_JOB, Job
from orchestration.scheduler.quota import Quota
from orchestration.scheduler.recorder import Recorder
from orchestration.scheduler.spending import Spending

MAX_SHOWN: Final = 16_000
"""Characters of a result, its end, that a person is shown who is asked about it; all of it is in the event."""

MAX_REASON: Final = 300
"""Characters of an error that a reason repeats."""

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
        quota: what refusals mean for accounts.
        spending: knows whose budget is spent.
    """

    def __init__(
        self,
        recorder: Recorder,
        doer: Doer,
        jobs: Mapping[str, Job],
        request_stop: Callable[[str, str], None],
        dice: random.Random,
        quota: Quota,
        spending: Spending,
    ) -> None:
        """Nothing is settled yet."""
        self._quota = quota
        self._spending = spending
        self._recorder = recorder
        self._plan = recorder.plan
        self._doer = doer
        self._jobs = jobs
        self._request_stop = request_stop
        self._dice = dice
        self.cut_off = CANCELLED

    def settle(self) -> None:
        """Let everything follow that follows without any work."""
        if self._quota.states:
            for account, window in self._quota.due(self._recorder.now()):
                self._set_window(account, window, "fewer at once, because the account reached its limit")
        while found := self._plan.consequences():
            for consequence in found:
                self._answer(consequence)

    def why_paused(self) -> str:
        """What a run waits for that can do nothing by itself."""
        if self._plan.count(State.NEEDS_INPUT):
            return "waits for a person"
        waiting = (self._recorder.ledger.result(task_id).reason for task_id in self._plan.tasks_in(State.RETRYING))
        return next((reason for reason in waiting if reason), "waits for something from outside")

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
        elif isinstance(consequence, Join):
            self._join(task_id)
        else:
            self._request_stop(task_id, consequence.cause)

    def _decide(self, task_id: str) -> None:
        try:
            self._recorder.emit(ConditionDecided, task_id=task_id, value=self._doer.decide(task_id))
        except TemplateError as problem:
            self._recorder.emit(ConditionDecided, task_id=task_id, value=None, error=problem.message)

    def _join(self, task_id: str) -> None:
        """Decide about an expanded task; what it becomes is recorded, so that a replay need not decide again."""
        decision, attempt = self._doer.join(task_id), self._plan.attempts_of(task_id)
        if isinstance(decision, Expansion):
            self.record_expansion(task_id, attempt, decision)
        elif isinstance(decision, Drop):
            for part in decision.task_ids:
                self._drop(part, decision.cause)
        elif decision is not None:
            began = self._recorder.ledger.attempts_of(task_id)[-1].started_at
            seconds = max(0.0, self._recorder.now() - began.timestamp())
            job = self._jobs.get(task_id, NO_JOB)
            self.record_end(Startable(task_id, attempt), job, decision, None, seconds)

    def _drop(self, task_id: str, cause: str) -> None:
        """End a part that is not needed any more; where it has parts itself, they end first."""
        state = self._plan.state_of(task_id)
        if state is State.RUNNING:
            self._request_stop(task_id, cause)
        elif state is State.EXPANDED:
            attempt = self._plan.attempt_of(task_id)
            self._recorder.emit(TaskInputGiven, task_id=task_id, attempt=attempt, action="cancel", note=cause)
        elif state not in FINAL:
            self.cancel(task_id, cause)

    def record_expansion(self, task_id: str, attempt: int, expansion: Expansion) -> None:
        """Record that a task became several."""
        template, items = expansion.template, expansion.items
        self._recorder.emit(TaskExpanded, task_id=task_id, attempt=attempt, template=template, items=items)

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
            duration_seconds=self._recorder.ledger.seconds_in(task_id, self._recorder.at()),
            outcome=Outcome() if attempt is None else Outcome(failure=Failure.CANCELLED, error=cause),
        )

    def record_end(self, start: Startable, job: Job, outcome: Outcome, cause: str | None, seconds: float) -> None:
        """Record how an attempt ended; `cause` says why it was to be ended, if that was not because its run is."""
        is_plain = outcome.failure is None and outcome.usage is None and not outcome.needs_input
        if is_plain and job.ends_plainly and not self._spending.running:  # nearly always
            self._recorder.emit_success(start, start.agent or job.agent, seconds, outcome)
            return
        if not (outcome.metadata and outcome.metadata.get("sum_of_parts")):
            self._spending.end(start.task_id, start.attempt, outcome.usage, seconds)
        if outcome.failure is None and not outcome.needs_input:
            self._record_success(start, outcome, job, seconds)
            return
        cause = cause or self._plan.stopping
        end: dict[str, Any] = {
            "task_id": start.task_id,
            "attempt": start.attempt,
            "agent": start.agent or job.agent,
            "duration_seconds": seconds,
            "outcome": outcome,
        }
        if outcome.failure is Failure.CANCELLED:
            stopped = cause is not None and cause == self._plan.stopping
            word = self.cut_off if stopped else CANCELLED
            self._recorder.emit(TaskCancelled, **end, reason=word, cause=cause or outcome.error or "")
        elif outcome.failure is Failure.INTERRUPTED and self._plan.state_of(start.task_id) is State.RUNNING:
            self._recorder.emit(AttemptInterrupted, **end, then=job.on_crash)  # else one of its parts was, for good
        elif outcome.failure is None or outcome.needs_input:
            self._ask_in(start, outcome)
        elif outcome.failure is Failure.RATE_LIMITED and outcome.failure not in job.gives_way:
            self._record_refusal(start, outcome, end, job)
        else:
            self.record_failure(start.task_id, start.attempt, outcome.failure, end)

    def _record_success(self, start: Startable, outcome: Outcome, job: Job, seconds: float) -> None:
        account = job.account if start.agent is None else job.fallback_account
        if account is not None:
            self._clean_end(account, seconds)
        if job.approve_after:
            self._ask_about(start.task_id, start.attempt, outcome)
            return
        self._recorder.emit_success(start, start.agent or job.agent, seconds, outcome)

    def _ask_in(self, start: Startable, outcome: Outcome) -> None:
        """The attempt cannot go on without a person."""
        self._recorder.emit(
            TaskNeedsInput,
            task_id=start.task_id,
            attempt=start.attempt,
            prompt=outcome.prompt or "",
            reason="waits for a person",
        )

    def _ask_about(self, task_id: str, attempt: int | None, outcome: Outcome) -> None:
        """The work is done and its checks have passed; a person decides whether that counts."""
        shown = outcome.output if len(outcome.output) <= MAX_SHOWN else f"…{outcome.output[-MAX_SHOWN:]}"
        checks = "".join(f"\n- {check.kind} passed: {check.name}" for check in outcome.checks)
        self._recorder.emit(
            TaskNeedsInput,
            task_id=task_id,
            attempt=attempt,
            prompt=f"Is the result of {task_id} good?{checks}\n\n{shown}".rstrip(),
            reason="its result waits for approval",
            result=outcome,
        )

    # -- accounts -----------------------------------------------------------------------------------------------

    def _clean_end(self, account: str, seconds: float) -> None:
        window = self._quota.succeeded(account, self._recorder.now() - seconds)
        if window is not None:
            self._set_window(account, window, "one more at once, because the account works well")

    def _set_window(self, account: str, window: int, reason: str) -> None:
        self._recorder.emit(LimitsChanged, limit_name=f"account {account}", limit=window, reason=reason)

    def _record_refusal(self, start: Startable, outcome: Outcome, end: dict[str, Any], job: Job) -> None:
        """The account has reached its limit: the attempt ends, all tasks of the account wait, and no try is used up."""
        now, account = self._recorder.now(), job.account_of(start.agent)
        name, began = account or f"task {start.task_id}", now - end["duration_seconds"]
        refusal = self._quota.refused(name, outcome, began, now, self._recorder.meant)
        until = datetime.fromtimestamp(refusal.until, UTC)
        if account is not None and refusal.pauses:
            self._recorder.emit(
                AccountPaused,
                account=account,
                until=until,
                exhausted=refusal.exhausted,
                reason=f"{start.task_id} was refused: {(outcome.error or 'rate limited')[:MAX_REASON]}",
            )
        if account is not None:
            note = self._plan.limits.give_up if refusal.given_up else self._plan.limits.wait_again
            note(f"account {account}")
        elsewhere = job.fallback is not None and refusal.exhausted and start.agent is None
        due_at = self._recorder.at() if elsewhere else until
        who = f"account {account}" if account else "the agent"
        reason = f"{who} has reached its limit" + (f"; {job.fallback} goes on" if elsewhere else "")
        self._recorder.emit(TaskError, **end, final=False, reason=f"rate_limited: {reason}")
        self._recorder.emit(RetryScheduled, task_id=start.task_id, attempt=start.attempt, due_at=due_at, reason=reason)

    def take_up(self) -> None:
        """Take up what an earlier life of the run left: open attempts end as `on_crash` says, pauses go on."""
        self._quota.recall(self._recorder.now())
        for task_id in list(self._plan.tasks_in(State.RUNNING)):
            job = self._jobs.get(task_id, NO_JOB)
            skips = job.skips_when_failed and job.on_crash is OnCrash.FAIL
            self._recorder.emit(
                AttemptInterrupted,
                task_id=task_id,
                attempt=self._plan.attempt_of(task_id),
                agent=job.agent,
                outcome=Outcome(failure=Failure.INTERRUPTED, error="orch ended while the attempt ran"),
                then=OnCrash.RERUN if skips else job.on_crash,
            )
            if skips:
                self._skip(task_id, Failure.INTERRUPTED)

    # -- people -------------------------------------------------------------------------------------------------

    def complete(self, task_id: str, attempt: int | None, agent: str | None, outcome: Outcome, seconds: float) -> None:
        """A person has done the task, checks included; where its result is to be approved, that is yet to be done."""
        if attempt is not None:
            self._spending.end(task_id, attempt, None, seconds)
        if self._jobs.get(task_id, NO_JOB).approve_after:
            self._ask_about(task_id, attempt, outcome)
            return
        end = {"task_id": task_id, "attempt": attempt, "agent": agent, "duration_seconds": seconds}
        self._recorder.emit(TaskCompleted, **end, outcome=outcome)

    def reject(
        self, task_id: str, attempt: int | None, agent: str | None, outcome: Outcome, note: str, seconds: float
    ) -> None:
        """A person did not accept what an attempt made; the next one reads why."""
        told = f"its result was rejected: {note}" if note else "its result was rejected"
        metadata = {**outcome.metadata, "rejection": note}
        refused = replace(outcome, failure=Failure.CHECK_FAILED, error=told, metadata=metadata)
        end: dict[str, Any] = {
            "task_id": task_id,
            "attempt": attempt,
            "agent": agent or self._jobs.get(task_id, NO_JOB).agent,
            "duration_seconds": seconds,
            "outcome": refused,
        }
        self.record_failure(task_id, attempt, Failure.CHECK_FAILED, end)

    # -- failures -----------------------------------------------------------------------------------------------

    def record_failure(self, task_id: str, attempt: int | None, failure: Failure, end: dict[str, Any]) -> None:
        """Record a failed attempt, and the next one where policy and budget allow it."""
        job, emit = self._jobs.get(task_id, NO_JOB), self._recorder.emit
        tries = self._plan.tries_of(task_id)
        due_at = None
        spent = self._spending.spent_tasks.get(task_id)
        if self._plan.stopping is None and spent is None and failure not in job.gives_way:
            spread = self._dice.uniform(-1, 1)
            due_at = next_attempt_at(job.retry, tries, failure, self._recorder.at(), spread)
        if due_at is None:
            why = spent or self._plan.stopping or why_not(job.retry, tries, failure)
            if job.skips_when_failed:
                emit(TaskError, **end, final=False, reason=f"{failure.value}: {why}" if why else failure.value)
                self._skip(task_id, failure)
                return
            emit(TaskError, **end, final=True, reason=f"{failure.value}: {why}" if why else failure.value)
            return
        allowed = job.retry.max if job.retry else 1
        failed = "what a person did" if attempt is None else f"attempt {attempt}"
        reason = f"{failed} failed ({failure.value}), {tries} of {allowed} used"
        emit(TaskError, **end, final=False, reason=reason)
        emit(RetryScheduled, task_id=task_id, attempt=attempt, due_at=due_at, reason=reason)

    def _skip(self, task_id: str, failure: Failure) -> None:
        """Let a task count as skipped that has failed for good; its attempts still say how."""
        self._recorder.emit(TaskSkipped, task_id=task_id, reason=f"it failed ({failure.value}), which does not count")
