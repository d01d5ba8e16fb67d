"""The handle of a run that is watched while it goes on: an async iterator of events, an async context manager.

The run is a task beside its consumer; events reach the consumer through a bounded buffer, so that one who does not read
slows the run down instead of filling the memory. Edges it survives: leaving early (the run is cancelled, recorded, and
awaited), never reading but asking for the result, reading after the end, a run that fails by a fault of ours, several
who read (each event reaches one of them), an iterator used without `async with` (the run then ends with its consumer's
loop at the latest).
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from types import TracebackType
from typing import Any, Final, Self

from orchestration.events import Event, TaskChunk, to_dict
from orchestration.protocols import Listener
from orchestration.results import RunResult
from orchestration.scheduler import cancel_all

BUFFER: Final = 1000
"""Events that wait for a slow consumer before the run waits for it too."""

_END: Final = object()


class RunStream:
    """A run in progress. Yields each event as a JSON-serialisable dict; `await stream.result()` gives the result.

    Args:
        start: begins the run with the listener that it is given, and returns its result.
        told: how an event is told; as plain JSON values by default.
    """

    def __init__(
        self,
        start: Callable[[Listener], Awaitable[RunResult]],
        told: Callable[[Event | TaskChunk], dict[str, Any]] = to_dict,
    ) -> None:
        """Nothing runs before the first `async with`, iteration or `result()`."""
        self._start = start
        self._told = told
        self._queue: asyncio.Queue[Any] = asyncio.Queue(BUFFER)
        self._task: asyncio.Task[RunResult] | None = None
        self._drains = False

    async def _listen(self, event: Event | TaskChunk) -> None:
        if not self._drains:
            await self._queue.put(event)

    async def _run(self) -> RunResult:
        try:
            result = await self._start(self._listen)
        except BaseException:
            self._make_room()
            self._queue.put_nowait(_END)
            raise
        if self._drains:
            self._make_room()
        await self._queue.put(_END)
        return result

    def _begin(self) -> "asyncio.Task[RunResult]":
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="run of a stream")
        return self._task

    def _make_room(self) -> None:
        while not self._queue.empty():
            self._queue.get_nowait()

    async def __aenter__(self) -> Self:
        """Begin the run."""
        self._begin()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Leave; a run that is not over is cancelled, and nothing of it is left when this returns."""
        await self.aclose()

    async def aclose(self) -> None:
        """Cancel the run if it goes on, and wait for its end."""
        self._drains = True
        self._make_room()
        if self._task is not None:
            await cancel_all([self._task])

    def __aiter__(self) -> Self:
        """The events, in order."""
        self._begin()
        return self

    async def __anext__(self) -> dict[str, Any]:
        """The next event.

        Raises:
            StopAsyncIteration: the run's last event was given before.
            OrchError: what ended the run before its last event.
        """
        return self._told(await self._next())

    async def items(self) -> AsyncIterator[Any]:
        """What generators yield, item by item, as they yielded it; everything else that happens is passed over.

        Raises:
            OrchError: what ended the run before its last event.
        """
        while True:
            try:
                event = await self._next()
            except StopAsyncIteration:
                return
            if isinstance(event, TaskChunk) and event.stream is None:
                yield event.chunk

    async def _next(self) -> Event | TaskChunk:
        task = self._begin()
        event = _END if task.done() and self._queue.empty() else await self._queue.get()
        if isinstance(event, Event | TaskChunk):
            return event
        self._make_room()
        await asyncio.wait([task])
        task.result()
        raise StopAsyncIteration

    async def result(self) -> RunResult:
        """The run's result; events that nobody has read yet are dropped, so that the run can end.

        Whoever gives up waiting for it gives up the run: it is cancelled, and nothing of it is left.

        Raises:
            OrchError: what ended the run before it could yield one.
        """
        task = self._begin()
        self._drains = True
        self._make_room()
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            await self.aclose()
            raise
