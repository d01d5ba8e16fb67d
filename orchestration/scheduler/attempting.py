"""One attempt in its slot: done by the doer, ended on order, and recorded however it came out.

The doer may run the user's own code in the slot's task. So the question after each attempt is whose cancellation that
was. An order to stop (`Stops`) and the end of the run are ours: what comes out is an attempt that was cut off, or, if
it had ended by itself in that moment, its outcome. Any other one is the code's: it cancelled itself, and has crashed.
In either case every cancellation is counted back, so that none reaches the attempt that comes next in this slot.

An attempt that need not wait, as a step that only computes, is done and recorded in one call: nothing is awaited.
"""

import asyncio
from collections.abc import Awaitable
from typing import Any, Final

from orchestration.errors import IllegalEvent, StoreError
from orchestration.kinds import Failure
from orchestration.plan import Startable
from orchestration.protocols import Doer, Expansion
from orchestration.results import Outcome, Usage
from orchestration.scheduler.clock import clock_of
from orchestration.scheduler.jobs import Job
from orchestration.scheduler.recorder import Recorder
from orchestration.scheduler.settling import Settler
from orchestration.scheduler.slots import Slots
from orchestration.scheduler.spending import Spending
from orchestration.scheduler.stops import BY_CALLER, Stops
from orchestration.scheduler.waiting import take_back_cancellations

_RAISED: Final = (Exception, SystemExit, GeneratorExit)
"""Whatever the code that does a task raises by itself, an exit too; only Ctrl-C is for the whole program."""

SELF_CANCELLED = "the agent's code cancelled itself"


class Attempting:
    """Does attempts, in the task of whoever calls.

    Args:
        recorder: whose plan and listener.
        doer: has the work done.
        settler: records the ends.
        spending: counts what is used.
        stops: the orders.
        slots: knows whether the run is ending.
    """

    def __init__(
        self, recorder: Recorder, doer: Doer, settler: Settler, spending: Spending, stops: Stops, slots: Slots
    ) -> None:
        """Nothing runs yet."""
        self._recorder = recorder
        self._plan = recorder.plan
        self._doer = doer
        self._settler = settler
        self._spending = spending
        self._stops = stops
        self._slots = slots
        self._time = clock_of(asyncio.get_running_loop())
        self.running = 0

    def attempt(self, start: Startable, job: Job, slot: int, task: "asyncio.Task[None]") -> bool | Awaitable[bool]:
        """Do and record one attempt that has been started, in the slot's own task.

        Returns:
            Whether it was abandoned: it still goes on in a thread, and its result will be refused. What has to be
            awaited for that where the attempt waits for something.
        """
        began, task_id, stops = self._time(), start.task_id, self._stops
        stops.running[task_id] = task
        if not job.ends_plainly:
            self._spending.begin(task_id, start.attempt)
        made: Outcome | Expansion | Awaitable[Outcome | Expansion] | None
        try:
            if stops.causes and (ordered := stops.cause(task_id)) is not None:
                made = self._cut_off(start, ordered)
            else:
                made = self._doer.perform(task_id, start.attempt, slot, Reporter(self, start), start.agent)
        except asyncio.CancelledError:
            made = None  # whose it was is seen later
        except _RAISED as error:
            if isinstance(error, StoreError | IllegalEvent):
                self._leave(task_id)
                raise
            made = _crashed(error)
        except BaseException:
            self._leave(task_id)
            raise
        if isinstance(made, Outcome) and not task.cancelling():
            self.running -= 1
            self._settler.record_end(start, job, made, stops.leave(task_id), self._time() - began)
            return made.abandoned
        return self._awaited(start, job, made, task, began)

    async def _awaited(
        self,
        start: Startable,
        job: Job,
        made: Outcome | Expansion | Awaitable[Outcome | Expansion] | None,
        task: "asyncio.Task[None]",
        began: float,
    ) -> bool:
        """The rest of an attempt that waits for something, becomes several, or has met a cancellation."""
        try:
            outcome = await self._outcome(start, made, task)
        finally:
            cause = self._leave(start.task_id)
        if isinstance(outcome, Expansion):
            self._settler.record_expansion(start.task_id, start.attempt, outcome)
            return False
        self._settler.record_end(start, job, outcome, cause, self._time() - began)
        return outcome.abandoned

    def _leave(self, task_id: str) -> str | None:
        """Nothing of the attempt runs any more; returns why it was to be ended, None where it was not."""
        self.running -= 1
        return self._stops.leave(task_id)

    async def _outcome(
        self,
        start: Startable,
        made: Outcome | Expansion | Awaitable[Outcome | Expansion] | None,
        task: "asyncio.Task[None]",
    ) -> Outcome | Expansion:
        """The attempt's outcome, whatever happens."""
        outcome: Outcome | Expansion | None = None
        try:
            outcome = made if made is None or isinstance(made, Outcome | Expansion) else await made
        except asyncio.CancelledError:
            pass  # whose it was is seen below
        except (StoreError, IllegalEvent):
            raise
        except _RAISED as error:
            outcome = _crashed(error)
        if outcome is not None and not task.cancelling():
            return outcome
        return await self._after_cancellation(start, outcome, task)

    # -- what it reports ----------------------------------------------------------------------------------------

    def is_ending(self, start: Startable) -> bool:
        """Whether a running attempt is to end, because it was ordered to or its run is ending."""
        return self._stops.cause(start.task_id) is not None or self._slots.closing

    def pass_on(self, start: Startable, number: int, item: Any, stream: str | None) -> Awaitable[None] | None:  # noqa: ANN401  # any item
        """Tell whoever listens to the run of a chunk."""
        return self._recorder.tell_chunk(start, number, item, stream)

    def note_usage(self, start: Startable, usage: Usage) -> None:
        """A running attempt has used so much so far."""
        self._spending.note(start.task_id, start.attempt, usage)

    # -- ends ---------------------------------------------------------------------------------------------------

    async def _after_cancellation(
        self, start: Startable, outcome: Outcome | Expansion | None, task: "asyncio.Task[None]"
    ) -> Outcome | Expansion:
        """What an attempt came to that met a cancellation; None is one that was ended by it."""
        came_too_late = await take_back_cancellations(task)
        cause = self._stops.cause(start.task_id)
        if cause is None and self._slots.closing:
            cause = self._plan.stopping or BY_CALLER
        if outcome is None:
            crashed = Outcome(failure=Failure.CRASHED, error=SELF_CANCELLED)
            return crashed if cause is None else self._cut_off(start, cause)
        if cause is None and came_too_late:  # it cancelled itself, and returned before it could notice
            return Outcome(failure=Failure.CRASHED, error=SELF_CANCELLED)
        return outcome

    def _cut_off(self, start: Startable, cause: str) -> Outcome:
        left = self._doer.salvage(start.task_id, start.attempt)
        used = self._spending.last_known(start.task_id, start.attempt)
        return self._stops.cut_off(start.task_id, cause, left, used)


class Reporter:
    """What an executor reports to: counts an attempt's chunks and passes them on, and what it has used."""

    __slots__ = ("_attempting", "_n", "_start")

    def __init__(self, attempting: Attempting, start: Startable) -> None:
        """The first chunk has `n` 1."""
        self._attempting, self._start, self._n = attempting, start, 0

    @property
    def is_ending(self) -> bool:
        """See `Attempting.is_ending`."""
        return self._attempting.is_ending(self._start)

    def __call__(self, item: Any, stream: str | None) -> Awaitable[None] | None:  # noqa: ANN401  # any item
        """Pass one item on; await the answer, if there is one, before the next."""
        self._n += 1
        return self._attempting.pass_on(self._start, self._n, item, stream)

    def spent(self, usage: Usage) -> None:
        """The attempt has used so much so far."""
        self._attempting.note_usage(self._start, usage)


def _crashed(error: BaseException) -> Outcome:
    """The outcome of code that raised, which touches no other task."""
    return Outcome(failure=Failure.INTERNAL, error=f"{type(error).__name__}: {error}")
