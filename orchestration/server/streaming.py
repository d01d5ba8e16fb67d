"""`sse`: a stream of ours, or any async iterator, as the answer of somebody's own Starlette or FastAPI application.

The client that leaves ends its run: the stream is closed at once, and what it ran with it. A client that reconnects by
itself, as a browser's `EventSource` does after any break, would begin the run again; it is told that there is nothing
more (204), unless the caller says that the stream goes on where that client was. Edges survived: a stream that fails
(its error is the last event), one that is silent for long (comments keep the line open), one that swallows its
cancellation, texts with any line ends, a client that does not read (the stream waits for it, by its own bounds).
"""

import logging
import re
from collections.abc import AsyncIterable, AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from orchestration.errors import OrchError, UsageError
from orchestration.exporting.envelope import dumps, error_data
from orchestration.kinds import ExecutionStatus, RunStatus
from orchestration.server.frames import frame
from orchestration.shown import shown
from orchestration.streams import RunStream

if TYPE_CHECKING:
    from starlette.responses import StreamingResponse

HEARTBEAT_SECONDS: Final = 15.0
"""Silence after which a comment is sent; proxies cut lines that are silent for half a minute or more."""

_ID: Final = re.compile(r"([0-9]{1,18})(?:\.([0-9]{1,18}))?")

LEAST_HEARTBEAT: Final = 0.01
"""A shorter silence than this one is none."""

_LOG: Final = logging.getLogger(__name__)


def sse(
    stream: AsyncIterable[Any],
    *,
    items: bool = False,
    heartbeat: float = HEARTBEAT_SECONDS,
    resumable: bool = False,
) -> "StreamingResponse":
    """Answer a request with a stream, as server-sent events.

    Args:
        stream: a handle such as `stream_batch` gives (its events are sent), or any async iterator of items. Texts are
            sent as they are, everything else as JSON (models and dataclasses as objects). It is closed when the answer
            ends, whatever ends it.
        items: of a handle, send only what its generators yield, as chats want it, instead of events.
        heartbeat: seconds of silence after which a comment is sent; `math.inf` for no comments.
        resumable: whether the stream begins behind the `Last-Event-ID` that the request may carry. Without, such a
            request gets 204, which ends the reconnecting of a browser, and the stream is not begun.

    Events of a run have their `seq` as id, its live output `seq.n`; items are counted, behind the `Last-Event-ID` of a
    stream that goes on there. An error is sent as a last event
    by the name `error`, whose data is that of an error envelope; with `items`, one that says so of a run that failed or
    was cancelled too.

    Raises:
        UsageError: this is nothing that can be streamed, or the heartbeat is no time.
    """
    if not _is_silence(heartbeat):
        told = f"heartbeat is {heartbeat!r:.40}; it is a number of seconds from {LEAST_HEARTBEAT} on"
        raise UsageError(told, hint="math.inf for no comments")
    if not hasattr(stream, "__aiter__") and not hasattr(stream, "__aenter__"):
        raise UsageError(f"{stream!r:.80} is no stream", hint="give an async iterator: an async generator, called")
    from orchestration.server.event_stream import EventStream  # noqa: PLC0415  # brings Starlette, which may be missing

    source, numbers = _Source(stream), _Numbers()
    frames = _frames(source, numbers, items=items)
    return EventStream(
        frames, source.close, heartbeat=heartbeat, resumable=resumable, begin_behind=numbers.begin_behind
    )


def _is_silence(heartbeat: object) -> bool:
    if isinstance(heartbeat, bool) or not isinstance(heartbeat, int | float):
        return False
    return heartbeat >= LEAST_HEARTBEAT  # which nan is not


class _Source:
    """What is streamed, to be opened and closed once, whichever of the two protocols it has for that."""

    def __init__(self, stream: AsyncIterable[Any]) -> None:
        self.stream = stream
        self._is_open = False

    async def open(self) -> None:
        if hasattr(self.stream, "__aenter__"):
            await self.stream.__aenter__()
            self._is_open = True

    async def close(self) -> None:
        if hasattr(self.stream, "aclose"):
            await self.stream.aclose()
        elif self._is_open:
            await self.stream.__aexit__(None, None, None)  # type: ignore[attr-defined]  # who can be entered has it


async def _frames(source: _Source, numbers: "_Numbers", *, items: bool) -> AsyncIterator[bytes]:
    """The events; closing is left to whoever ends the answer, as this may be in the middle of a cancellation."""
    try:
        await source.open()
        async for item in _chosen(source.stream, items=items):
            text = item if isinstance(item, str) else dumps(shown(item))
            yield frame(text, number=numbers.of(item, is_event=not items))
        if items and (failed := await _what_failed(source.stream)):
            yield frame(dumps(error_data(failed)), name="error")
    except Exception as error:  # noqa: BLE001  # whatever the stream's own code may raise
        yield error_frame(error)


async def _what_failed(stream: AsyncIterable[Any]) -> OrchError | None:
    """That a run came to no good end, for whoever is told of none of its events."""
    if not isinstance(stream, RunStream):
        return None
    run = await stream.result()
    if run.status not in {RunStatus.FAILED, RunStatus.CANCELLED}:
        return None
    first = next((one for one in run.results if one.status is ExecutionStatus.FAILED), None)
    why = run.reason or run.status.value if first is None else f"{first.task_id}: {first.error}"
    error = OrchError(f"the run was cancelled: {why}" if run.status is RunStatus.CANCELLED else why)
    error.code = f"run_{run.status.value}"
    return error


def error_frame(error: Exception) -> bytes:
    """The last event of a stream that failed."""
    if not isinstance(error, OrchError):
        _LOG.error("a stream failed", exc_info=error)
        fault = OrchError(f"internal error: {type(error).__name__}: {error}")
        fault.code = "internal"
        error = fault
    return frame(dumps(error_data(error)), name="error")


def _chosen(stream: AsyncIterable[Any], *, items: bool) -> AsyncIterable[Any]:
    if not items:
        return stream
    own = getattr(stream, "items", None)
    if own is not None:
        chosen: AsyncIterable[Any] = own()
        return chosen
    return _items_of(stream) if hasattr(stream, "result") else stream


async def _items_of(stream: AsyncIterable[Any]) -> AsyncIterator[Any]:
    """What generators yield, of all that a run tells; what programs print names the stream that it came from."""
    async for event in stream:
        if event.get("type") == "task_chunk" and "stream" not in event:
            yield event["chunk"]


class _Numbers:
    """The ids of what is sent."""

    def __init__(self) -> None:
        self._seq = 0
        self._n = 0

    def begin_behind(self, last: str) -> None:
        """Go on counting behind an id that was sent before; of one that cannot have been, nothing is known."""
        if fit := _ID.fullmatch(last):
            seq, n = fit.groups()
            self._seq, self._n = (0, int(seq)) if n is None else (int(seq), int(n))

    def of(self, item: Any, *, is_event: bool) -> str:  # noqa: ANN401  # any item
        """The event's own number, the last one's with a count behind it for live output, or just the count."""
        if is_event and isinstance(item, Mapping) and "type" in item:
            seq = item.get("seq")
            if isinstance(seq, int) and not isinstance(seq, bool):
                self._seq, self._n = seq, 0
                return str(seq)
            if not self._seq and item["type"] == "task_chunk":  # so the id that was sent last was that of an event
                self._seq, self._n = self._n, 0
        self._n += 1
        return f"{self._seq}.{self._n}" if self._seq else str(self._n)
