"""A coroutine of others, driven step by step inside the current task, in a context of its own, within its limits.

A task of its own for each call would cost more than most calls do, and once it swallows its cancellation nobody can end
it. So we stand between the task and the coroutine: what it waits for is passed on to the loop, what comes back is
handed in, and every step runs in the call's own copy of the context. Whoever drives can also stop driving.

Edges survived:

- A call that never waits costs no turn of the loop, and needs no timer.
- Context variables that it sets are seen by what it calls and by nobody else, not by the next call in this task either.
- `asyncio.timeout`, task groups and anyio's scopes inside of it cancel this task and take that back; that is passed in
  like any other cancellation, and does not count as ours.
- A limit that is met cancels the call from within. One that swallows its cancellation, or cleans up for longer than its
  grace, is closed by force at its next wait (`GeneratorExit`), and if it ignores even that, it is never resumed.
- A limit met in the same turn in which the call ends by itself: the limit counts. Our own cancellations are taken back,
  and those that the call leaves uncounted for (a failed task group does, before Python 3.12).
- A child process that the call forks has a copy of the loop, in which nothing may go on: it ends with the call, or
  where that would wait.
- Silence counts from item to item of a generator, and not while it waits for whoever takes its items.
"""

import asyncio
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context
from typing import Any, Final

from orchestration.forked import generation, leave_if_forked, leave_instead_of_waiting
from orchestration.kinds import Failure
from orchestration.records import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """What a call may take, in seconds; None for no limit.

    `timeout` counts from the start, `idle` from item to item of a generator; `grace` is what it gets to clean up.
    """

    timeout: float | None = None
    idle: float | None = None
    grace: float = 5.0


NO_LIMITS: Final = Limits()

NOT_BEGUN: Final = object()
"""Stands for what a call waits for that was not driven yet."""


def _never() -> bool:
    return False


class Drive:
    """One call; to be awaited once.

    Args:
        coroutine: what is driven.
        context: where it runs; nothing else may run in it meanwhile.
        limits: what it may take.
        is_ending: whether whoever cancels this task wants this call to end, and not something inside of it.
        starts_later: whether its time runs only from `start` on, because it may have to wait for its turn.
        waits_for: what it waits for, where it has been driven to its first wait already.

    Attributes:
        met: the limit that it met, None where it met none.
        forced: whether it had to be closed, because it did not end within its grace.
    """

    __slots__ = (
        "_context",
        "_coroutine",
        "_counted",
        "_dropping",
        "_generation",
        "_grace",
        "_heard",
        "_is_ending",
        "_limits",
        "_starts_later",
        "_task",
        "_timer",
        "_waits_for",
        "forced",
        "met",
    )

    def __init__(
        self,
        coroutine: Coroutine[Any, Any, Any],
        context: Context,
        limits: Limits = NO_LIMITS,
        is_ending: Callable[[], bool] = _never,
        *,
        starts_later: bool = False,
        waits_for: Any = NOT_BEGUN,  # noqa: ANN401  # whatever a loop takes
    ) -> None:
        """Nothing runs yet."""
        self._coroutine = coroutine
        self._context = context
        self._limits = limits
        self._is_ending = is_ending
        self._starts_later = starts_later
        self._waits_for = waits_for
        self._generation = generation()
        self._task: asyncio.Task[Any] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._grace: asyncio.TimerHandle | None = None
        self._heard: float | None = None
        self._counted = 0
        self._dropping = False
        self.met: Failure | None = None
        self.forced = False

    def __await__(self) -> Generator[Any, Any, Any]:
        run, coroutine, noted = self._context.run, self._coroutine, self._generation
        try:
            waits_for = run(coroutine.send, None) if self._waits_for is NOT_BEGUN else self._waits_for
            leave_instead_of_waiting(noted)
            self._begin()
            while True:
                try:
                    answer = yield waits_for
                except GeneratorExit:
                    run(coroutine.close)
                    raise
                except BaseException as error:  # noqa: BLE001  # whatever was thrown in is for the coroutine
                    waits_for = self._throw(error)
                else:
                    waits_for = run(coroutine.send, answer)
                leave_instead_of_waiting(noted)
        except StopIteration as stop:
            leave_if_forked(noted)
            return stop.value
        finally:
            if self._task is not None:
                self._end(self._task)

    # -- around the call ----------------------------------------------------------------------------------------

    def _begin(self) -> None:
        """The call waits for something: from now on it can be cut off."""
        self._task = task = asyncio.current_task()
        assert task is not None  # noqa: S101  # whoever waits runs in a task; this tells the type checker
        self._counted = task.cancelling()
        if not self._starts_later:
            self.start()

    def _end(self, task: "asyncio.Task[Any]") -> None:
        for timer in (self._timer, self._grace):
            if timer is not None:
                timer.cancel()
        outside = 1 if self._is_ending() else 0
        while task.cancelling() > self._counted + outside:
            task.uncancel()

    def _throw(self, error: BaseException) -> Any:  # noqa: ANN401  # what the coroutine waits for next
        run, coroutine = self._context.run, self._coroutine
        if self._dropping:
            self.forced = True
            try:
                run(coroutine.close)
            except BaseException as last:  # what it says now is not heard any more
                raise error from last
            raise error
        if self._grace is None and isinstance(error, asyncio.CancelledError) and (self.met or self._is_ending()):
            self._grace = asyncio.get_running_loop().call_later(self._limits.grace, self._drop)
        return run(coroutine.throw, error)

    def _drop(self) -> None:
        self._dropping = True
        self._cancel()

    def _cancel(self) -> None:
        """Cancel the task, which waits in this call and nowhere else."""
        if self._task is not None:
            self._task.cancel()

    # -- limits -------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Let its time run from now on."""
        limits = self._limits
        if limits.timeout is None and limits.idle is None:
            return
        loop = asyncio.get_running_loop()
        left = [limit for limit in (limits.timeout, limits.idle) if limit is not None]
        deadline = None if limits.timeout is None else loop.time() + limits.timeout
        self._timer = loop.call_later(min(left), self._look, loop, deadline)

    def heard(self) -> None:
        """The call has given a sign of life: from its first one on, its silence counts."""
        if self._limits.idle is not None:
            self._heard = asyncio.get_running_loop().time()

    def hold(self) -> None:
        """The call waits for us; that silence is not its own."""
        self._heard = None

    def _look(self, loop: asyncio.AbstractEventLoop, deadline: float | None) -> None:
        """Whether a limit is met; else look again when that could be."""
        now, idle = loop.time(), self._limits.idle
        silent_until = None if idle is None or self._heard is None else self._heard + idle
        for moment, limit in ((deadline, Failure.TIMEOUT), (silent_until, Failure.IDLE_TIMEOUT)):
            if moment is not None and moment <= now:
                self.met = limit
                self._cancel()
                return
        waits = [moment - now for moment in (deadline, silent_until) if moment is not None]
        if idle is not None and silent_until is None:
            waits.append(idle)
        self._timer = loop.call_later(min(waits), self._look, loop, deadline)

    def told(self) -> str:
        """What the call did when it met its limit, as the end of a sentence."""
        forced = f", and was closed after a grace of {self._limits.grace:g} s" if self.forced else ""
        if self.met is Failure.IDLE_TIMEOUT:
            return f"yielded nothing for {self._limits.idle:g} s{forced}"
        return f"did not return within its timeout of {self._limits.timeout:g} s{forced}"
