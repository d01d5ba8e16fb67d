"""The loop: a bounded gather of slots over one plan.

Each slot pulls the next startable task, has it done, records what came of it, and pulls again: a rolling window, never
batches. The end of one attempt, what follows from it and the start of the next travel in one commit.

Edges it survives:

- A task fails, hangs, raises: its slot goes on. A slot raises only for a fault of ours (a store that cannot write, an
  illegal event); then every other slot is cancelled and awaited, `run_error` is recorded if that is still possible,
  and the fault comes out.
- Whoever awaits the run is cancelled: every attempt is ended and recorded, then the cancellation goes on.
- One attempt is to be stopped: only that attempt's await is cancelled, by counting cancellations as `asyncio.timeout`
  does; a request that arrives as the attempt ends by itself is swallowed and the outcome stands.
- An agent's own code raises `CancelledError`, or swallows ours: neither ends a slot.
- Backoff holds no slot; a full agent or pool holds none either. Idle slots sleep on futures and are woken one by one.
- Nothing can start, nothing runs, no time is waited for: the run is over, or paused for a person.
"""

import asyncio
import contextlib
import random
from collections import deque
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, Final

from orchestration.errors import IllegalEvent, StoreError
from orchestration.events import (
    Event,
    RunCompleted,
    RunError,
    RunPaused,
    TaskInputGiven,
    TaskStarted,
)
from orchestration.kinds import Failure, RunStatus
from orchestration.models import Account, Budget
from orchestration.plan import Startable, State
from orchestration.protocols import Doer, EventLog, Expansion
from orchestration.results import Outcome
from orchestration.scheduler.jobs import NO_JOB, Job
from orchestration.scheduler.quota import Quota
from orchestration.scheduler.recorder import Recorder
from orchestration.scheduler.settling import CANCELLED, STOPPED, Settler
from orchestration.scheduler.spending import SPENT, Spending
from orchestration.scheduler.stops import BY_CALLER, Stops
from orchestration.scheduler.waiting import absorb_cancellation, cancel_all, shielded

MAX_SLOTS: Final = 10_000
"""Slots of a run without a limit; more work than this at once would only wait for the machine."""

SPARE_SLOTS: Final = 64
"""Slots that a run without a limit has at least, because a few tasks may become many."""

_OPEN: Final = (State.WAITING, State.RETRYING, State.NEEDS_INPUT, State.RUNNING, State.EXPANDED)


class Scheduler:
    """Drives one plan to its end.

    Args:
        recorder: the run's plan, ledger and listener.
        doer: has the attempts done.
        jobs: each task's agent and policies; a missing one has none.
        dice: for jitter; a seeded one makes runs repeatable.
        accounts: how each account is shared, and waited for when it has reached its limit.
        budget: what the run may use.
    """

    def __init__(
        self,
        recorder: Recorder,
        doer: Doer,
        jobs: Mapping[str, Job],
        dice: random.Random | None = None,
        *,
        accounts: Mapping[str, Account] | None = None,
        budget: Budget | None = None,
    ) -> None:
        """Nothing runs yet; must be made inside the loop that will run it."""
        self.recorder = recorder
        self.plan = recorder.plan
        self.reason: str | None = None
        self._doer = doer
        self._jobs = jobs
        dice = dice or random.Random()  # noqa: S311  # spreads retries, protects nothing
        self._budget = budget
        self._stops = Stops()
        self._spending = Spending(recorder, jobs, budget, self._stop_spent_task, self._stop_spent_run, self.look_again)
        quota = Quota(recorder.plan.limits, accounts or {})
        self._settler = Settler(recorder, doer, jobs, self._stops.order, dice, quota, self._spending)
        self._loop = asyncio.get_running_loop()
        self._log: EventLog | None = None
        self._idle: deque[asyncio.Future[None]] = deque()
        self._busy = 0
        self._finished = False
        self._errands: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None

    # -- the run ------------------------------------------------------------------------------------------------

    async def run(self, log: EventLog, slots: int | None) -> None:
        """Do everything that can be done, record it in `log`, and end with the run's last event.

        Args:
            log: where the events go; those pending when this is called go first.
            slots: how many attempts may run at once, None for no limit.

        Raises:
            StoreError: the store could not write; what had been acknowledged stands.
        """
        self._log = log
        count = min(slots or MAX_SLOTS, max(SPARE_SLOTS, len(self.plan.nodes)))
        stop_listening = self.plan.limits.listen(self._wake)
        alarm = self._set_alarm()
        self._spending.recall()
        tasks = [asyncio.create_task(self._slot(n), name=f"slot {n}") for n in range(count)]
        try:
            await asyncio.gather(*tasks)
            await self._end(log)
        except BaseException as error:
            await self._end_early(log, tasks, error)
            raise
        finally:
            stop_listening()
            await cancel_all([*tasks, *self._errands])
            self._clear_timer()
            self._spending.close()
            if alarm is not None:
                alarm.cancel()

    async def _end(self, log: EventLog) -> None:
        """The last event: completed, or paused when only something from outside can go on."""
        while self._errands:
            await asyncio.wait([*self._errands])
        self.settle()
        if self.plan.is_over:
            wall, status = self.recorder.ledger.wall_seconds, self.plan.final_status()
            self.recorder.emit(RunCompleted, status=status, reason=self.reason, wall_seconds=wall)
        else:
            self.recorder.emit(RunPaused, reason=self._why_paused())
        await self.recorder.commit(log)

    async def _end_early(self, log: EventLog, slots: "Sequence[asyncio.Task[None]]", error: BaseException) -> None:
        """A cancelled caller or a fault of ours: end all attempts, record what can be recorded."""
        by_caller = isinstance(error, asyncio.CancelledError)
        cause = BY_CALLER if by_caller else f"{type(error).__name__}: {error}"
        self._settler.cut_off = STOPPED
        self.plan.stop(cause)
        with contextlib.suppress(asyncio.CancelledError):
            await cancel_all([*slots, *self._errands])
        if isinstance(error, StoreError | IllegalEvent):
            return
        self.settle()
        for task_id in list(self.plan.tasks_in(*_OPEN)):
            self._settler.cancel(task_id, cause)
        if not by_caller:
            self.recorder.emit(RunError, error=type(error).__name__, message=str(error))
        wall = self.recorder.ledger.wall_seconds
        self.recorder.emit(RunCompleted, status=RunStatus.CANCELLED, reason=cause, wall_seconds=wall)
        with contextlib.suppress(StoreError):
            await shielded(self.recorder.commit(log))

    # -- slots --------------------------------------------------------------------------------------------------

    async def _slot(self, number: int) -> None:
        while True:
            start = self._pull(number)
            if self.recorder.pending and self._log is not None:
                await self.recorder.commit(self._log)
                if start is None:
                    continue  # whoever wanted to wake a slot meanwhile found none that was idle
            if start is not None:
                await self._attempt(start, number)
            elif self._finished:
                return
            else:
                await self._wait_for_work()

    def _pull(self, number: int) -> Startable | None:
        """Take the next task and record its start; None when there is nothing to do now."""
        self.settle()
        start = self.plan.next_startable(self.recorder.now())
        if start is None:
            self._notice_the_end()
            return None
        self.recorder.emit(
            TaskStarted,
            task_id=start.task_id,
            attempt=start.attempt,
            agent=start.agent or self._jobs.get(start.task_id, NO_JOB).agent,
            slot=number,
            queued_at=self.plan.queued_since(start.task_id) or self.recorder.ledger.started_at,
        )
        self._busy += 1
        if self._idle:
            self._wake()
        return start

    def _notice_the_end(self) -> None:
        if self._busy or self._errands:
            return
        more = self.plan.has_held or self.plan.has_ready or self.plan.wake_at(self.recorder.now()) is not None
        if self.plan.is_over or not more:
            self._finished = True
            while self._idle:
                self._wake()

    async def _wait_for_work(self) -> None:
        self._set_timer()
        woken: asyncio.Future[None] = self._loop.create_future()
        self._idle.append(woken)
        await woken

    def _wake(self) -> None:
        """Have one idle slot look again; it wakes the next one if it found something."""
        while self._idle:
            woken = self._idle.popleft()
            if not woken.done():
                woken.set_result(None)
                return

    def _set_timer(self) -> None:
        self._clear_timer()
        wake_at = self.plan.wake_at(self.recorder.now())
        if wake_at is not None:
            self._timer = self._loop.call_at(self.recorder.loop_time(wake_at), self._wake)

    def _clear_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # -- one attempt --------------------------------------------------------------------------------------------

    async def _attempt(self, start: Startable, slot: int) -> None:
        task, began = asyncio.current_task(), self._loop.time()
        assert task is not None  # noqa: S101  # a slot always runs in a task; this tells the type checker
        self._stops.enter(start.task_id, task)
        cancelled: asyncio.CancelledError | None = None
        self._spending.begin(start.task_id, start.attempt)
        try:
            outcome = await self._perform(start, slot, task)
        except asyncio.CancelledError as error:
            outcome, cancelled = self._cut_off(start, self.plan.stopping or BY_CALLER), error
        finally:
            self._busy -= 1
            cause = self._stops.leave(start.task_id)
        if isinstance(outcome, Expansion):
            self._settler.record_expansion(start.task_id, start.attempt, outcome)
        else:
            self._settler.record_end(start, outcome, cause or self.plan.stopping, self._loop.time() - began)
        if cancelled is not None:
            raise cancelled

    async def _perform(self, start: Startable, slot: int, task: "asyncio.Task[None]") -> Outcome | Expansion:
        """The attempt's outcome; CancelledError comes out only when the slot itself is cancelled."""
        task_id = start.task_id
        if (ordered := self._stops.cause(task_id)) is not None:
            return self._cut_off(start, ordered)
        try:
            reporter = self.recorder.reporter(task_id, start.attempt, self._spending.note)
            outcome = await self._doer.perform(task_id, start.attempt, slot, reporter, start.agent)
        except asyncio.CancelledError:
            if task.cancelling() == 0:
                return Outcome(failure=Failure.CRASHED, error="the agent's code cancelled itself")
            ordered = self._stops.cause(task_id)
            if ordered is None or task.uncancel() > 0:
                raise
            return self._cut_off(start, ordered)
        except (StoreError, IllegalEvent):
            raise
        except Exception as error:  # noqa: BLE001  # whatever one task raises, it touches no other
            outcome = Outcome(failure=Failure.INTERNAL, error=f"{type(error).__name__}: {error}")
        if self._stops.cause(task_id) is not None:
            await absorb_cancellation(task)
        return outcome

    def _cut_off(self, start: Startable, cause: str) -> Outcome:
        left = self._doer.salvage(start.task_id, start.attempt)
        used = self._spending.last_known(start.task_id, start.attempt)
        return self._stops.cut_off(start.task_id, cause, left, used)

    def _set_alarm(self) -> asyncio.TimerHandle | None:
        """The run's budget of time, as far as earlier sessions left it."""
        if self._budget is None or self._budget.wall is None:
            return None
        left = max(0.0, self._budget.wall - self.recorder.ledger.wall_seconds)
        return self._loop.call_later(
            left, self._stop_spent_run, f"the run's budget of {self._budget.wall:g} s is spent"
        )

    def _stop_spent_run(self, cause: str) -> None:
        if self.plan.stopping is None and not self._finished:
            self._stops.failure = Failure.BUDGET
            self._settler.cut_off = STOPPED
            self.reason = self.reason or SPENT
            self.plan.stop(cause)
            self.run_errand(self._look_again())

    def _stop_spent_task(self, task_id: str, cause: str) -> None:
        """End whatever runs of the task; what of it has not begun will not begin."""
        for running in self.plan.all_within(task_id):
            if running in self._stops.running:
                self._stops.order(running, cause, Failure.BUDGET)

    def _why_paused(self) -> str:
        if self.plan.count(State.NEEDS_INPUT):
            return "waits for a person"
        waiting = (self.recorder.ledger.result(task_id).reason for task_id in self.plan.tasks_in(State.RETRYING))
        return next((reason for reason in waiting if reason), "waits for something from outside")

    # -- what others ask for ------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Let everything follow that follows without any work."""
        self._settler.settle()

    @property
    def can_do_nothing(self) -> bool:
        """Whether, once settled, no task can start or is waited for: the run is over or paused as it stands."""
        return not (
            self.plan.has_ready
            or self.plan.has_held
            or self.plan.wake_at(self.recorder.now()) is not None
            or self.plan.count(State.RUNNING)
        )

    def take_up(self) -> None:
        """Take up what an earlier life of the run left: open attempts end as `on_crash` says, pauses go on."""
        self._settler.take_up()

    def stop(self, reason: str, *, for_good: bool = False) -> None:
        """End the run gracefully: what runs is ended, what has not started will not be, `always` tasks still run.

        Args:
            reason: what the run's result gives as its reason.
            for_good: the tasks that are cut off are to stay cancelled; otherwise a later run does them again.
        """
        if self._finished or self.plan.stopping is not None:
            return
        self._settler.cut_off = CANCELLED if for_good else STOPPED
        self.reason = self.reason or reason
        self.plan.stop(reason)
        self.run_errand(self._look_again())

    def cancel(self, task_id: str, cause: str) -> bool:
        """Cancel one task; False when it has ended already. Its end is recorded once it is proved."""
        state = self.plan.state_of(task_id)
        if state is State.RUNNING:
            self._stops.order(task_id, cause)
        elif state is State.EXPANDED:  # its parts end first
            attempt = self.plan.attempt_of(task_id)
            self.record(TaskInputGiven, task_id=task_id, attempt=attempt, action="cancel", note=cause)
        elif state in _OPEN:
            self._settler.cancel(task_id, cause, reason=CANCELLED)
            self.run_errand(self._look_again())
        else:
            return False
        return True

    def reject(
        self, task_id: str, attempt: int, agent: str | None, outcome: Outcome, note: str, seconds: float
    ) -> None:
        """A person did not accept the result of an attempt."""
        self._settler.reject(Startable(task_id, attempt, agent), outcome, note, seconds)

    def record(self, kind: type[Event], **fields: Any) -> None:  # noqa: ANN401  # the event's own fields
        """Let something from outside happen to the run, such as a person's answer or an adopted end.

        Raises:
            IllegalEvent: it cannot happen now.
        """
        self.recorder.emit(kind, **fields)
        self.look_again()

    def look_again(self) -> None:
        """Have what follows from a change settled, stored and acted upon."""
        self.run_errand(self._look_again())

    def release(self, task_id: str) -> None:
        """Another run no longer has the task."""
        self.plan.release(task_id)
        self.run_errand(self._look_again())

    def run_errand(self, errand: Coroutine[Any, Any, None]) -> None:
        """Do something beside the slots; the run does not end before it is done."""
        task = self._loop.create_task(errand)
        self._errands.add(task)
        task.add_done_callback(self._errand_done)

    def _errand_done(self, task: "asyncio.Task[None]") -> None:
        self._errands.discard(task)
        self._wake()

    async def _look_again(self) -> None:
        """Settle what a request changed and make it durable, whether or not a slot is free."""
        self.settle()
        if self._log is not None:
            await self.recorder.commit(self._log)
        self._wake()
