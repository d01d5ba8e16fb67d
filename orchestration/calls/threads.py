"""Threads for plain functions in our own process: bounded, and such that none can keep the program from ending.

A thread cannot be killed, so whoever gives up waiting abandons it: its result is refused, it is counted as running
until it returns, and its being a daemon lets the interpreter end without it. (The pools of the standard library join
their threads at the end, so one function that hangs would hang the program.) Edges survived: an abandoned thread that
ends after its loop has, several loops that share the bound, a caller that is cancelled in the moment it is let in, a
function that waits for a run of others, which need threads too (it counts for nothing meanwhile), a child process that
is forked meanwhile, in which none of them is.
"""

import asyncio
import contextvars
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from types import CoroutineType
from typing import Any, Final, TypeAlias

from orchestration.calls.workers import Workers
from orchestration.errors import NoThread
from orchestration.forked import begin_anew_in_children, generation, leave_if_forked

MAX_THREADS: Final = 64
"""Plain functions that run at once: enough for work that waits, few enough for their stacks and for fair turns."""

MAKE_ROOM: Final = "raise the limit of processes (ulimit -u), or run fewer at once"

Ended: TypeAlias = tuple[Any, BaseException | None]
"""What a function returned, or what it raised."""


class Return(asyncio.Future[Ended]):
    """How a function in a thread will have ended; cancelled, it is given up, and its thread's late end refused."""

    _waiter: asyncio.Future[None] | None = None

    async def kept(self) -> Ended:
        """Wait for it; who is cancelled meanwhile does not cancel it. For one at a time."""
        if not self.done():
            self._waiter = self.get_loop().create_future()
            await self._waiter
        return self.result()

    def settle(self, end: Ended) -> None:
        """The function has ended: who waits goes on in the next turn of the loop."""
        if self.done():
            refuse_late(end)
            return
        self.set_result(end)
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


_Waiting: TypeAlias = tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]


class _Here(threading.local):
    """Whose thread this is, and for how many runs it waits."""

    threads: "Threads | None" = None
    runs = 0


_HERE: Final = _Here()


@contextmanager
def giving_way() -> Iterator[None]:
    """Let another function have the place of the one that calls, as long as it waits for a run.

    The functions of that run may need a place too, and where all were held by such as wait, none would ever go on.
    """
    threads = _HERE.threads
    if threads is None:
        yield
        return
    _HERE.runs += 1
    if _HERE.runs == 1:
        threads.make_room()
    try:
        yield
    finally:
        _HERE.runs -= 1
        if not _HERE.runs:
            threads.take_room()


class Threads:
    """Runs each function in a thread that does nothing else meanwhile, at most `limit` at once."""

    def __init__(self, limit: int = MAX_THREADS) -> None:
        """No thread is started."""
        self.limit = limit
        self.begin_anew()
        begin_anew_in_children(self)

    def begin_anew(self) -> None:
        """See `BeginsAnew`; whoever calls is in none of its threads any more."""
        self._lock = threading.Lock()
        self._free = self.limit
        self._waiting: deque[_Waiting] = deque()
        self._running: set[str] = set()
        self._abandoned: dict[str, None] = {}
        self._workers = Workers()
        self._arrivals: dict[asyncio.AbstractEventLoop, _Arrivals] = {}
        if _HERE.threads is self:
            _HERE.threads = None

    @property
    def abandoned(self) -> list[str]:
        """The names of the functions that were given up and have not returned."""
        with self._lock:
            return [*self._abandoned]

    def abandon(self, name: str) -> None:
        """Nobody waits for the function of this name any more."""
        with self._lock:
            if name in self._running:
                self._abandoned[name] = None

    async def start(self, function: Callable[[], Any], name: str = "") -> Return:
        """Start the function as soon as there is room.

        Args:
            function: what is called.
            name: by which it is listed while it runs; nothing else that runs has it.

        Returns:
            A future of how it ended; cancelling it abandons the thread.

        Raises:
            NoThread: the system has no room for another thread; the function was not called.
        """
        admitted = self._enter()
        if admitted is not None:
            await self._let_in(admitted)
        ended = Return(loop=asyncio.get_running_loop())
        arrivals = self._register(name, ended)
        try:
            self._workers.do(partial(self._run, contextvars.copy_context(), function, ended, arrivals, name))
        except RuntimeError as error:
            self._forget(name)
            self.make_room()
            raise NoThread(f"no thread can be started for a plain function ({error})", hint=MAKE_ROOM) from error
        return ended

    def _run(
        self,
        context: contextvars.Context,
        function: Callable[[], Any],
        ended: Return,
        arrivals: "_Arrivals",
        name: str,
        finished: Callable[[], None],
    ) -> None:
        end: Ended
        _HERE.threads, noted = self, generation()
        try:
            end = context.run(function), None
        except BaseException as error:  # noqa: BLE001  # whatever it raises is how it ended
            leave_if_forked(noted, error)
            end = None, error
        if generation() != noted:
            return  # a child of ours, in which nobody waits
        self._forget(name)
        finished()
        self.make_room()
        arrivals.bring(ended, end)

    def _register(self, name: str, ended: Return) -> "_Arrivals":
        """List the function as one that runs; returns the way back for its end."""
        loop = ended.get_loop()
        with self._lock:
            self._running.add(name)
            found = self._arrivals.get(loop)
            if found is None:
                self._arrivals = {one: its for one, its in self._arrivals.items() if not one.is_closed()}
                found = self._arrivals[loop] = _Arrivals(loop)
            return found

    def _forget(self, name: str) -> None:
        with self._lock:
            self._running.discard(name)
            self._abandoned.pop(name, None)

    def _enter(self) -> "asyncio.Future[None] | None":
        """Take a place; what to wait for where none is free."""
        with self._lock:
            if self._free > 0:
                self._free -= 1
                return None
            loop = asyncio.get_running_loop()
            admitted: asyncio.Future[None] = loop.create_future()
            self._waiting.append((loop, admitted))
            return admitted

    async def _let_in(self, admitted: "asyncio.Future[None]") -> None:
        try:
            await admitted
        except asyncio.CancelledError:
            if admitted.done() and not admitted.cancelled():
                self.make_room()  # let in and cancelled in the same turn
            raise

    def take_room(self) -> None:
        """Go on without waiting for room; there is one more than there may be, until another one has ended."""
        with self._lock:
            self._free -= 1

    def make_room(self) -> None:
        """Let the next one in, who may have gone away meanwhile; called from any thread."""
        while True:
            with self._lock:
                if not self._waiting or self._free < 0:
                    self._free += 1
                    return
                loop, admitted = self._waiting.popleft()
            if call_in(loop, self._admit, admitted):
                return

    def _admit(self, admitted: asyncio.Future[None]) -> None:
        if admitted.done():
            self.make_room()
        else:
            admitted.set_result(None)


class _Arrivals:
    """Ends of functions on their way into one loop: for those that come meanwhile it need not be woken again."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._ends: deque[tuple[Return, Ended]] = deque()
        self._is_awaited = False

    def bring(self, ended: Return, end: Ended) -> None:
        """Settle it in the loop; called in any thread."""
        self._ends.append((ended, end))
        if self._is_awaited and not self._loop.is_closed():
            return
        self._is_awaited = True
        if not call_in(self._loop, self._settle):
            for _, late in self._taken():
                refuse_late(late)

    def _settle(self) -> None:
        self._is_awaited = False  # before looking: what is brought from now on wakes the loop again
        for ended, end in self._taken():
            ended.settle(end)

    def _taken(self) -> Iterator[tuple[Return, Ended]]:
        with suppress(IndexError):  # empty, also where others take as well
            while True:
                yield self._ends.popleft()


def call_in(loop: asyncio.AbstractEventLoop, function: Callable[..., object], *arguments: object) -> bool:
    """Call a function in the thread of a loop; False when the loop is closed, and with it whoever waited there."""
    try:
        loop.call_soon_threadsafe(function, *arguments)
    except RuntimeError:
        return False
    return True


def refuse_late(end: Ended) -> None:
    """Nobody wants any more what a function returned; a coroutine would complain that it was never awaited."""
    if isinstance(end[0], CoroutineType):
        end[0].close()
