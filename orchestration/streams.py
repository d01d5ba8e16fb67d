"""The handle of a run that is watched while it goes on: an async iterator of events, an async context manager.

The run is a task beside its consumer; events reach the consumer through a bounded buffer, so that one who does not read
slows the run down instead of filling the memory. Edges it survives: leaving early (the run is cancelled, recorded, and
awaited), never reading but asking for the result, reading after the end, a run that fails by a fault of ours, several
who read (each event reaches one of them), an item that is changed after it was yielded, an iterator used without
`async with` (the run then ends with its consumer's loop at the latest).
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from types import TracebackType
from typing import Any, Final, Self

from orchestration.errors import OrchError
from orchestration.events import Event, TaskChunk, to_dict
from orchestration.protocols import Listener
from orchestration.results import RunResult
from orchestration.scheduler import cancel_all

BUFFER: Final = 1000
"""Events that wait for a slow consumer before the run waits for it too."""

_CHANGING: Final = (dict, list)
"""Items of these kinds are told as they are now; who made them may change them while they wait to be read."""

_END: Final = object()


class RunStream:
    """A run in progress. Yields each event as a JSON-serialisable dict; `await stream.result()` gives the result.

    Args:
        start: begins the run with the listener that it is given, and returns its result.
        told: how an event is told; as plain JSON values by default.
        left: where the run puts what it came to, if it is cancelled.
    """

    def __init__(
        self,
        start: Callable[[Listener], Awaitable[RunResult]],
        told: Callable[[Event | TaskChunk], dict[str, Any]] = to_dict,
        left: Sequence[RunResult] = (),
    ) -> None:
        """Nothing runs before the first `async with`, iteration or `result()`."""
        self._start = start
        self._told = told
        self._left = left
        self._has_raised = False
        self._queue: asyncio.Queue[Any] = asyncio.Queue(BUFFER)
        self._task: asyncio.Task[RunResult] | None = None
        self._drains = False
        self._is_closed = False

    async def _listen(self, event: Event | TaskChunk) -> None:
        if not self._drains:
            told = self._told(event) if type(event) is TaskChunk and type(event.chunk) in _CHANGING else None
            await self._queue.put((event, told))

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
            if self._is_closed:
                raise OrchError("the stream was closed before its run began, so there is none")
            self._task = asyncio.create_task(self._run(), name="run of a stream")
        return self._task

    def _make_room(self) -> None:
        while not self._queue.empty():
            self._queue.get_nowait()

    async def __aenter__(self) -> Self:
        """Begin the run, so that it is recorded also if it is left at once."""
        self._begin()
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            await self.aclose()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Leave; a run that is not over is cancelled, and nothing of it is left when this returns.

        Raises:
            OrchError: what ended the run, where nobody was told of that yet.
        """
        await self.aclose()
        task = self._task
        if error is None and task is not None and not task.cancelled() and not self._has_raised:
            task.result()

    async def aclose(self) -> None:
        """Cancel the run if it goes on, and wait for its end."""
        self._drains = self._is_closed = True
        self._make_room()
        if self._task is not None:
            await cancel_all([self._task])
            if not self._task.cancelled():
                self._task.exception()  # it has been seen, also where nobody asks for it

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
        event, told = await self._next()
        return self._told(event) if told is None else told

    async def items(self) -> AsyncIterator[Any]:
        """What generators yield, item by item, as they yielded it; everything else that happens is passed over.

        Raises:
            OrchError: what ended the run before its last event.
        """
        while True:
            try:
                event, _ = await self._next()
            except StopAsyncIteration:
                return
            if isinstance(event, TaskChunk) and event.stream is None:
                yield event.chunk

    async def _next(self) -> tuple[Event | TaskChunk, dict[str, Any] | None]:
        """The next event, and how it is told where that was found out already."""
        task = self._begin()
        found = _END if task.done() and self._queue.empty() else await self._queue.get()
        if isinstance(found, tuple):
            return found
        self._make_room()
        self._queue.put_nowait(_END)  # for others who read
        await asyncio.wait([task])
        self._result_of(task)
        raise StopAsyncIteration

    def _result_of(self, task: "asyncio.Task[RunResult]") -> RunResult:
        if task.cancelled():
            if self._left:
                return self._left[-1]
            raise OrchError("the run was cancelled, because its stream was left, and has no result here")
        self._has_raised = True
        result = task.result()
        self._has_raised = False
        return result

    async def result(self) -> RunResult:
        """The run's result; events that nobody has read yet are dropped, so that the run can end.

        That of a run that was left early is what it had come to when it was cancelled. Whoever gives up waiting for it
        gives up the run: it is cancelled, and nothing of it is left.

        Raises:
            OrchError: what ended the run before it could yield one.
        """
        task = self._begin()
        self._drains = True
        self._make_room()
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            await self.aclose()
            raise
        return self._result_of(task)
