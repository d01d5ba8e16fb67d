"""The loop: a bounded gather of slots over one plan.

Each slot pulls the next startable task, has it done, records what came of it, and pulls again: a rolling window, never
batches. The end of one attempt, what follows from it and the start of the next travel in one commit. A slot is begun
only when there is something for it to do, no other one is idle, and the bound is not reached.

Edges it survives:

- A task fails, hangs, raises: its slot goes on. A slot raises only for a fault of ours (a store that cannot write, an
  illegal event); then every other slot is cancelled and awaited, `run_error` is recorded if that is still possible,
  and the fault comes out.
- Whoever awaits the run is cancelled: every attempt is ended and recorded, then the cancellation goes on.
- One attempt is to be stopped, or an agent's own code cancels the slot in which it runs: see `attempting` and `slots`.
- Attempts that never wait: after a few milliseconds of them the slots let everybody else in the loop have a turn.
- An attempt is abandoned in a thread: its slot is held until the thread returns. That never keeps a run from its end,
  nor from going on: where all slots are held and something could start, the first that was held is let go.
- Backoff holds no slot; a full agent or pool holds none either. Idle slots sleep on futures and are woken one by one.
- Nothing can start, nothing runs, no time is waited for: the run is over, or paused for a person.
"""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Coroutine, Mapping
from typing import Any, Final

from orchestration.errors import IllegalEvent, StoreError
from orchestration.events import (
    Event,
    RunCompleted,
    RunError,
    RunPaused,
    TaskInputGiven,
)
from orchestration.kinds import Failure, RunStatus
from orchestration.models import Account, Budget
from orchestration.plan import Phase, Startable, State
from orchestration.protocols import DONE, Doer, EventLog
from orchestration.scheduler.alarm import Alarm
from orchestration.scheduler.attempting import Attempting
from orchestration.scheduler.jobs import NO_JOB, Job
from orchestration.scheduler.quota import Quota
from orchestration.scheduler.recorder import Recorder
from orchestration.scheduler.settling import CANCELLED, STOPPED, Settler
from orchestration.scheduler.slots import MAX_SLOTS, Slots
from orchestration.scheduler.spending import SPENT, Spending
from orchestration.scheduler.stops import BY_CALLER, Stops
from orchestration.scheduler.turn import Turn
from orchestration.scheduler.waiting import begun_later, cancel_all, shielded

_UNEXPANDED: Final = (State.WAITING, State.RETRYING, State.NEEDS_INPUT, State.RUNNING)
_OPEN: Final = (*_UNEXPANDED, State.EXPANDED)


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
        self.settler = Settler(recorder, doer, jobs, self._stops.order, dice, quota, self._spending)
        self._loop = asyncio.get_running_loop()
        self._log: EventLog | None = None
        self._slots = Slots(self._slot)
        self._attempting = Attempting(recorder, doer, self.settler, self._spending, self._stops, self._slots)
        self._turn = Turn()
        self._finished = False
        self._errands: set[asyncio.Task[None]] = set()
        self._alarm = Alarm(recorder, self._wake)

    # -- the run ------------------------------------------------------------------------------------------------

    async def run(self, log: EventLog, slots: int | None = None) -> None:
        """Do everything that can be done, record it in `log`, and end with the run's last event.

        Args:
            log: where the events go; those pending when this is called go first.
            slots: how many attempts may run at once, None for no limit.

        Raises:
            StoreError: the store could not write; what had been acknowledged stands.
        """
        self._log = log
        self._slots.bound = min(slots or MAX_SLOTS, MAX_SLOTS)
        stop_listening = self.plan.limits.listen(self._wake)
        deadline = self._set_deadline()
        self._spending.recall()
        self._slots.begin()
        try:
            await self._slots.wait_for_end()
            await self._end(log)
        except BaseException as error:
            await self._end_early(log, error)
            raise
        finally:
            stop_listening()
            await self._slots.close()
            await cancel_all(self._errands)
            await shielded(self.recorder.wait_for_landing())
            self._alarm.clear()
            self._spending.close()
            if deadline is not None:
                deadline.cancel()

    async def end_unbegun(self, log: EventLog) -> None:
        """Instead of `run`, where the caller was cancelled before: record that, and begin nothing."""
        await self._end_early(log, asyncio.CancelledError())

    async def _end(self, log: EventLog) -> None:
        """The last event: completed, or paused when only something from outside can go on."""
        await self._slots.wait_for_those_beside(self._errands)
        self.settle()
        if self.plan.is_over:
            wall, status = self.recorder.ledger.wall_seconds, self.plan.final_status()
            self.recorder.emit(RunCompleted, status=status, reason=self.reason, wall_seconds=wall)
        else:
            self.recorder.emit(RunPaused, reason=self.reason or self.settler.why_paused())
        await self.recorder.commit(log)

    async def _end_early(self, log: EventLog, error: BaseException) -> None:
        """A cancelled caller or a fault of ours: end all attempts, record what can be recorded."""
        by_caller = isinstance(error, asyncio.CancelledError)
        cause = BY_CALLER if by_caller else f"{type(error).__name__}: {error}"
        is_sound = not isinstance(error, StoreError | IllegalEvent)
        self.settler.cut_off = STOPPED
        self.plan.stop(cause)
        if is_sound and self.plan.phase is Phase.OPEN:
            self._stops.note_all(cause)
            self.settle()  # now: what has not begun is not to be blocked by what is cut off
        with contextlib.suppress(asyncio.CancelledError):
            await self._slots.close()
        with contextlib.suppress(asyncio.CancelledError):
            await cancel_all(self._errands)
        if not is_sound:
            return
        if self.plan.phase is Phase.OPEN:
            self._record_early_end(cause, error)
        with contextlib.suppress(StoreError):
            await shielded(self.recorder.commit(log))

    def _record_early_end(self, cause: str, error: BaseException) -> None:
        self.settle()
        expanded = reversed([*self.plan.tasks_in(State.EXPANDED)])  # parts stand after what they are parts of
        for task_id in [*self.plan.tasks_in(*_UNEXPANDED), *expanded]:
            self.settler.cancel(task_id, cause)
        if not isinstance(error, asyncio.CancelledError):
            self.recorder.emit(RunError, error=type(error).__name__, message=str(error))
        wall = self.recorder.ledger.wall_seconds
        self.recorder.emit(RunCompleted, status=RunStatus.CANCELLED, reason=cause, wall_seconds=wall)

    # -- slots --------------------------------------------------------------------------------------------------

    async def _slot(self, number: int) -> None:
        slots, log, jobs, attempt = self._slots, self._log, self._jobs, self._attempting.attempt
        me = asyncio.current_task()
        assert log is not None  # noqa: S101  # slots begin in `run`; this tells the type checker
        assert me is not None  # noqa: S101  # likewise
        may_wait = self.recorder.may_wait(log)
        slots.note_work(number)
        while not (self._finished or slots.closing):
            if self._turn.is_too_long():
                await self._turn.give_way(slots.undisturbed)
            start = self._pull(number)
            if (start is None or not may_wait) and self.recorder.pending:
                committing = self.recorder.commit(log, slots.is_alone)
                if committing is not DONE:
                    await self._wait_for_landing(committing, log)
                if start is None:
                    continue  # whoever wanted to wake a slot meanwhile found none that was idle
            if start is None:
                if not self._finished:
                    self._alarm.set()
                    await slots.undisturbed(slots.idle)
                continue
            ended = attempt(start, jobs.get(start.task_id, NO_JOB), number, me)
            if ended and (ended is True or await ended) and not slots.closing:
                await self._hold(number, start)

    def _pull(self, number: int) -> Startable | None:
        """Take the next task and record its start; None when there is nothing to do now."""
        self.settler.settle()
        now = self.recorder.now()
        start = self.plan.next_startable(now)
        if start is None:
            self._notice_the_end()
            return None
        agent = start.agent or self._jobs.get(start.task_id, NO_JOB).agent
        self.recorder.emit_start(start, agent, number, now)
        self._attempting.running += 1
        if self.plan.has_waiting and self._slots.may_help:
            self._have_others_work(now)
        return start

    async def _wait_for_landing(self, committing: Awaitable[None], log: EventLog) -> None:
        """Wait until what happened is durable; where all slots waited for one commit, they go on turn by turn."""
        try:
            await committing
        except asyncio.CancelledError:
            await self._slots.refuse_cancellation()
            await self._slots.undisturbed(lambda: self.recorder.commit(log))
        if self._turn.is_too_long():
            await self._turn.give_way(self._slots.undisturbed)

    async def _hold(self, number: int, start: Startable) -> None:
        """Keep a slot until the thread that its attempt had to leave behind has returned."""
        self.settle()
        if self._log is not None:
            await self._wait_for_landing(self.recorder.commit(self._log), self._log)
        let_go = self._slots.hold(number)
        returned = self._loop.create_task(self._doer.wait_for_return(start.task_id, start.attempt))
        returned.add_done_callback(lambda _: self._slots.let_go(number))
        self._notice_the_end()
        self._wake()
        self._alarm.set()
        try:
            await self._slots.undisturbed(lambda: asyncio.wait([let_go]))
        finally:
            self._slots.let_go(number)
            await cancel_all([returned])
        if not returned.cancelled():
            returned.result()

    def _notice_the_end(self) -> None:
        if self._attempting.running or self._errands:
            return
        more = self.plan.has_held or self.plan.has_ready or self.plan.wake_at(self.recorder.now()) is not None
        if self.plan.is_over or not more:
            self._finished = True
            self._slots.release()

    # -- waking -------------------------------------------------------------------------------------------------

    def _wake(self) -> None:
        """Have one idle slot look again, or another one begun; it wakes the next one if it found something."""
        if not self._slots.wake() and (self._slots.may_begin or self._slots.any_held):
            self._loop.call_soon(self._have_others_work, None)  # not now: the plan may be in the middle of an event

    def _have_others_work(self, now: float | None) -> None:
        """See to it that what can start is started, by a slot that is idle, by a new one, or by one that is held."""
        slots = self._slots
        if slots.wake() or self._finished or slots.closing:
            return
        held = slots.held_first
        if not slots.may_begin and held is None:
            return
        if not self.plan.could_start(self.recorder.now() if now is None else now):
            self._alarm.set()
            if slots.any_held:  # whoever is held does not look whether this was all
                self._notice_the_end()
        elif slots.may_begin:
            slots.begin()
        elif held is not None:
            slots.let_go(held)

    # -- budgets ------------------------------------------------------------------------------------------------

    def _set_deadline(self) -> asyncio.TimerHandle | None:
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
            self.settler.cut_off = STOPPED
            self.reason = self.reason or SPENT
            self.plan.stop(cause)
            self.run_errand(self._look_again())

    def _stop_spent_task(self, task_id: str, cause: str) -> None:
        """End whatever runs of the task; what of it has not begun will not begin."""
        for running in self.plan.all_within(task_id):
            if running in self._stops.running:
                self._stops.order(running, cause, Failure.BUDGET)

    # -- what others ask for ------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Let everything follow that follows without any work."""
        self.settler.settle()

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
        self.settler.take_up()

    def stop(self, reason: str, *, for_good: bool = False) -> None:
        """End the run gracefully: what runs is ended, what has not started will not be, `always` tasks still run.

        Args:
            reason: what the run's result gives as its reason.
            for_good: the tasks that are cut off are to stay cancelled; otherwise a later run does them again.
        """
        if self._finished or self.plan.stopping is not None:
            return
        self.settler.cut_off = CANCELLED if for_good else STOPPED
        self.reason = self.reason or reason
        self.plan.stop(reason)
        self.run_errand(self._look_again())

    def suspend(self, reason: str) -> None:
        """Leave the run open for another process: what runs is ended and closed as interrupted, nothing else starts."""
        if self._finished or self.plan.stopping is not None:
            return
        self.reason = self.reason or reason
        self.plan.suspend()
        for task_id in list(self._stops.running):
            self._stops.order(task_id, reason, Failure.INTERRUPTED)
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
            self.settler.cancel(task_id, cause, reason=CANCELLED)
            self.run_errand(self._look_again())
        else:
            return False
        return True

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
        task = begun_later(errand, self._loop)
        self._errands.add(task)
        task.add_done_callback(self._errand_done)

    def _errand_done(self, task: "asyncio.Task[None]") -> None:
        self._errands.discard(task)
        self._slots.heed(task)
        self._wake()

    async def _look_again(self) -> None:
        """Settle what a request changed and make it durable, whether or not a slot is free."""
        self.settle()
        if self._log is not None:
            await self.recorder.commit(self._log)
        self._wake()
