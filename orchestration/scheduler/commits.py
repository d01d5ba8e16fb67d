"""Commits of one run: at most one is under way, and what happens meanwhile travels together in the next.

Whoever commits waits until all that was emitted before is durable and told. While a commit is under way, others only
join: their events wait, and go to the store in one piece after it has landed, as soon as all that it has woken have
recorded what came next, or else at the end of that turn. So a run with many slots makes few transactions, and the
events are told in their order without a lock. A private log need not have anything before it happens, unless there
is somebody to be told.

Edges it survives: a log that answers at once (nothing is waited for, and no turn of the loop is spent; one that did not
is known to be slow from then on, and gets together what happens in one turn), a listener that is slow (the next commit
waits for it, which slows the sender down), one that raises (whoever waits gets that), a log that fails (nothing can
follow what was lost, so every later commit fails alike), and somebody who waited and was cancelled (the commit goes on,
and to commit again is to wait for it).
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from orchestration.errors import StoreError
from orchestration.events import Event
from orchestration.protocols import DONE, EventLog, Listener, Ready

_CUT_SHORT: Final = "the program was interrupted while a run's events were being stored"


class Commits:
    """The way of events to a log and a listener.

    Args:
        run_id: the run.
        listener: told of each event once it is durable.

    Attributes:
        batch: the events that wait, in their order.
    """

    def __init__(self, run_id: str, listener: Listener | None) -> None:
        """Nothing is under way; must be made inside the loop."""
        self._run_id = run_id
        self.batch: list[Event] = []
        self._listener = listener
        self._loop = asyncio.get_running_loop()
        self._flight: asyncio.Future[None] | None = None
        self._untold: list[Event] = []
        self._waiting: list[asyncio.Future[None]] = []
        self._joining: list[tuple[EventLog, asyncio.Future[None]]] = []
        self._expected = 0
        self._is_slow = self._was_at_once = False
        self._soon: asyncio.Handle | None = None
        self._fault: BaseException | None = None

    def commit(self, log: EventLog, is_alone: Callable[[], bool]) -> Awaitable[None]:
        """See `Recorder.commit`."""
        if self._fault is not None:
            raise self._fault
        if self._flight is not None or self._soon is not None or (self._is_slow and not is_alone()):
            landed = self._loop.create_future()
            self._joining.append((log, landed))
            self._expected -= 1
            if self._expected == 0 and self._flight is None and not self._was_at_once:
                self._go_on()  # all who were woken together have come, and can only wait
            else:
                self._depart_soon()
            return landed
        if not self._depart(log):
            return DONE
        landed = self._loop.create_future()
        self._waiting.append(landed)
        return landed

    def may_wait(self, log: EventLog) -> bool:
        """See `Recorder.may_wait`."""
        return self._listener is None and getattr(log, "is_private", False)

    def _depart_soon(self) -> None:
        """Depart at the end of this turn of the loop, so that whatever else happens in it comes along."""
        if self._flight is None and self._soon is None:
            self._soon = self._loop.call_soon(self._go_on)

    def _depart(self, log: EventLog) -> bool:
        """Give what waits to the log; whether that is to be waited for."""
        batch, self.batch = self.batch, []
        if not batch:
            return False
        try:
            stored = log.append(self._run_id, batch)
            if isinstance(stored, Ready):
                stored.result()
        except BaseException as error:
            self._fault = error if isinstance(error, Exception) else StoreError(_CUT_SHORT)
            raise
        self._was_at_once = isinstance(stored, Ready)
        self._is_slow = self._is_slow or not self._was_at_once or getattr(log, "is_dear", False)
        if isinstance(stored, Ready):
            if self._listener is not None:
                self._follow_telling(self.tell(batch))
        else:
            self._untold = batch
            self._follow(asyncio.ensure_future(stored))
        return self._flight is not None

    def _follow(self, flight: "asyncio.Future[None]") -> None:
        self._flight = flight
        if hasattr(flight, "at_once"):
            flight.at_once = self._landed
        else:
            flight.add_done_callback(self._landed)

    def _follow_telling(self, telling: Awaitable[None] | None) -> None:
        if telling is not None:
            self._follow(asyncio.ensure_future(telling))

    def tell(self, events: Sequence[Event]) -> Awaitable[None] | None:
        """Tell the listener of durable events; what is returned, if anything, is to be awaited."""
        if self._listener is None:
            return None
        for n, event in enumerate(events):
            slow = self._listener(event)
            if slow is not None:
                return self._tell_slowly(slow, events[n + 1 :])
        return None

    async def _tell_slowly(self, slow: Awaitable[None], events: Sequence[Event]) -> None:
        await slow
        for event in events:
            assert self._listener is not None  # noqa: S101  # it has been slow just now
            again = self._listener(event)
            if again is not None:
                await again

    def _landed(self, flight: "asyncio.Future[None]") -> None:
        """The events are durable, or told, or neither will ever be."""
        untold, self._untold = self._untold, []
        self._flight = None
        error = RuntimeError("a commit was cancelled") if flight.cancelled() else flight.exception()
        if error is not None and untold:
            self._fault = error
        elif untold:
            try:
                self._follow_telling(self.tell(untold))
            except Exception as raised:  # noqa: BLE001  # whatever a listener raises is for those who wait
                error = raised
        if self._flight is None:
            waiting, self._waiting = self._waiting, []
            self._expected = _settle(waiting, error)
            if self._joining:
                self._depart_soon()  # those who were woken come first

    def _go_on(self) -> None:
        """Depart with those who joined meanwhile, unless that has happened already."""
        if self._soon is not None:
            self._soon.cancel()  # where it is not this that was to come soon: the next one's turn is not ours
            self._soon = None
        if self._flight is not None or not self._joining:
            return
        joining, self._joining = self._joining, []
        self._waiting = [landed for _, landed in joining]
        error = self._fault
        if error is None:
            try:
                self._depart(joining[-1][0])
            except Exception as raised:  # noqa: BLE001  # as above
                error = raised
        if self._flight is None:
            waiting, self._waiting = self._waiting, []
            _settle(waiting, error)

    async def wait_for_landing(self) -> None:
        """See `Recorder.wait_for_landing`."""
        while self._flight is not None or self._soon is not None:
            await (asyncio.sleep(0) if self._flight is None else asyncio.wait([self._flight]))


def _settle(waiting: "Sequence[asyncio.Future[None]]", error: BaseException | None) -> int:
    """Wake those who wait; returns how many there are."""
    woken = 0
    for landed in waiting:
        if landed.done():  # whoever waited was cancelled
            continue
        woken += 1
        if error is None:
            landed.set_result(None)
        else:
            landed.set_exception(error)
    return woken
