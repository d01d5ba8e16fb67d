"""The slots of one run: begun one by one as there is work for them, gathered, ended together.

It is a gather that grows: whoever waits for the slots waits until the last has ended, and hears of a fault in any of
them at once. `asyncio.gather` itself takes no more members later, and hands the cancellation of whoever waits on to its
members as if it were theirs. Here the waiting may be cancelled and the slots know nothing of it until they are closed,
so that a slot can always tell whose cancellation it meets: ours (they are closed, or it is an order to stop its
attempt), or that of an agent's code, which may cancel the task in which it runs, at once or long after its attempt.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final

from orchestration.scheduler.waiting import begun_later, cancel_all, take_back_cancellations

MAX_SLOTS: Final = 10_000
"""Slots of a run without a limit; more work than this at once would only wait for the machine."""


class Slots:
    """At most `bound` tasks that do the same work, those that are idle, and those that are held.

    A slot is *idle* while it waits to be woken. It is *held* while an attempt that it had to give up still goes on in
    a thread: it counts against the bound and takes nothing up.

    Args:
        work: what a slot does, given its number.
    """

    def __init__(self, work: Callable[[int], Coroutine[Any, Any, None]]) -> None:
        """No slot is begun; must be made inside the loop."""
        self._work = work
        self._loop = asyncio.get_running_loop()
        self._over: asyncio.Future[None] = self._loop.create_future()
        self._open: dict[asyncio.Task[None], None] = {}  # in their order, in which they are ended
        self._idle: deque[asyncio.Future[None]] = deque()
        self._held: dict[int, asyncio.Future[None]] = {}
        self._begun = 0
        self._is_one_new = False
        self._fault: BaseException | None = None
        self.bound = MAX_SLOTS
        self.closing = False

    # -- beginning and ending -----------------------------------------------------------------------------------

    @property
    def may_begin(self) -> bool:
        """Whether another one may be begun: there is room, and every one so far has looked for work."""
        return self._begun < self.bound and not self._is_one_new

    @property
    def may_help(self) -> bool:
        """Whether somebody else could take up work: one that is idle, one that may be begun, one that is held."""
        return bool(self._idle or self._held) or (self._begun < self.bound and not self._is_one_new)

    def is_alone(self) -> bool:
        """Whether only one is at work: all others wait to be woken, or are held."""
        return len(self._open) - len(self._idle) - len(self._held) == 1

    def begin(self) -> None:
        """Begin another one."""
        task = begun_later(self._work(self._begun), self._loop, f"slot {self._begun}")
        self._begun += 1
        self._is_one_new = True
        self._open[task] = None
        task.add_done_callback(self._ended)

    def note_work(self, number: int) -> None:
        """A slot looks for work."""
        if number == self._begun - 1:
            self._is_one_new = False

    def _ended(self, slot: "asyncio.Task[None]") -> None:
        self._open.pop(slot, None)
        self.heed(slot)
        if not self._open and not self._over.done():
            self._over.set_result(None)

    def heed(self, ended: "asyncio.Task[None]") -> None:
        """A slot has ended, or something beside them, whose faults count like theirs."""
        error = None if ended.cancelled() else ended.exception()
        if error is None:
            return
        self._fault = self._fault or error
        if not self._over.done():
            self._over.set_exception(error)

    async def wait_for_end(self) -> None:
        """Wait until the last one has ended.

        Raises:
            BaseException: a fault in one of them, as soon as it happens; the others go on until they are closed.
        """
        await self._over

    async def wait_for_those_beside(self, beside: "set[asyncio.Task[None]]") -> None:
        """Wait until nothing goes on beside the slots, which have ended; whatever ends there leaves the set.

        Raises:
            BaseException: a fault there.
        """
        while beside:
            await asyncio.wait([*beside])
        if self._fault is not None:
            raise self._fault

    async def close(self) -> None:
        """End all; whatever attempts they are in end first."""
        self.closing = True
        await cancel_all(self._open)

    # -- waiting ------------------------------------------------------------------------------------------------

    async def undisturbed(self, wait: Callable[[], Awaitable[Any]]) -> None:
        """Wait in the running slot, whoever cancels it without being entitled to that."""
        while True:
            try:
                await wait()
            except asyncio.CancelledError:
                await self.refuse_cancellation()
            else:
                return

    async def refuse_cancellation(self) -> None:
        """Take back a cancellation that the running slot has met.

        Raises:
            CancelledError: the slots are closed; so it was ours.
        """
        slot = asyncio.current_task()
        assert slot is not None  # noqa: S101  # a slot is a task; this tells the type checker
        await take_back_cancellations(slot)
        if self.closing:
            raise asyncio.CancelledError

    def idle(self) -> "asyncio.Future[None]":
        """What an idle slot waits for."""
        woken = self._loop.create_future()
        self._idle.append(woken)
        return woken

    def wake(self) -> bool:
        """Have one idle slot look for work; False where none is idle."""
        while self._idle:
            woken = self._idle.popleft()
            if not woken.done():
                woken.set_result(None)
                return True
        return False

    @property
    def any_idle(self) -> bool:
        """Whether one waits to be woken."""
        return bool(self._idle)

    # -- holding ------------------------------------------------------------------------------------------------

    def hold(self, number: int) -> "asyncio.Future[None]":
        """What a held slot waits for."""
        let_go = self._held[number] = self._loop.create_future()
        return let_go

    def let_go(self, number: int) -> None:
        """Let a held slot look for work."""
        held = self._held.pop(number, None)
        if held is not None and not held.done():
            held.set_result(None)

    @property
    def held_first(self) -> int | None:
        """The one that was held first, where all that there may be are held; None where another one could work."""
        return next(iter(self._held)) if self._held and len(self._held) >= self.bound else None

    @property
    def any_held(self) -> bool:
        """Whether one is held."""
        return bool(self._held)

    def release(self) -> None:
        """There is no more work: let all idle and held ones notice."""
        while self.wake():
            pass
        for number in tuple(self._held):
            self.let_go(number)
