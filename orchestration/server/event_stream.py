"""An answer that may never end: frames as they come, a comment when none do, and an end as soon as nobody reads.

Starlette's own streaming answer learns that the client left when it next sends something, which may be never. This one
waits for that news all the time. Whoever makes the frames is cancelled once and waited for, so that it can clean up;
what they are made of is closed after that, also if we are cancelled meanwhile.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any, Final

from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from orchestration.scheduler import cancel_all, shielded
from orchestration.server.frames import HEARTBEAT

HEADERS: Final = {
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",  # nginx would collect what is meant to arrive at once
}
TURN: Final = 4
"""Frames after which others have their turn, also where the client takes everything at once. So it is known in time too
that it has left: asyncio complains of the fifth write to a connection that is lost."""


class EventStream(StreamingResponse):
    """Server-sent events.

    Args:
        frames: the events as bytes.
        close: ends what they are made of; called once, whatever happens.
        heartbeat: seconds of silence after which a comment is sent.
        resumable: whether the frames begin behind the request's `Last-Event-ID`; if not, there is no second time.
        begin_behind: is told that id before the first frame is asked for.
    """

    media_type = "text/event-stream"

    def __init__(
        self,
        frames: AsyncIterator[bytes],
        close: Callable[[], Awaitable[Any]],
        *,
        heartbeat: float,
        resumable: bool,
        begin_behind: Callable[[str], None] | None = None,
    ) -> None:
        """Nothing is begun before the answer is."""
        super().__init__(frames, headers=HEADERS)
        self._frames = frames
        self._close_source = close
        self._heartbeat = heartbeat
        self._resumable = resumable
        self._begin_behind = begin_behind
        self._last_sent = 0.0
        self._sending = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        last = _last_event_id(scope)
        try:
            if last and self._resumable and self._begin_behind is not None:
                self._begin_behind(last)
            if self._resumable or not last:
                await self._answer(scope, receive, send)
            else:
                await Response(status_code=204, headers=HEADERS)(scope, receive, send)
        finally:
            await shielded(self._close())
        if self.background is not None:
            await self.background()

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_head = scope["method"] == "HEAD"
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            if not is_head:
                await self._stream(receive, send)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except OSError:  # the client left while something was sent
            return

    async def _stream(self, receive: Receive, send: Send) -> None:
        pump = asyncio.create_task(self._pump(send), name="send events")
        beside = [asyncio.create_task(_wait_for_leaving(receive)), asyncio.create_task(self._beat(send))]
        try:
            await asyncio.wait([pump, *beside], return_when=asyncio.FIRST_COMPLETED)
        finally:
            await cancel_all([pump, *beside])
        for task in (pump, *beside):
            if not task.cancelled():
                task.result()

    async def _pump(self, send: Send) -> None:
        count = 0
        async for frame in self._frames:
            await self._send(send, frame)
            count += 1
            if count % TURN == 0:
                await asyncio.sleep(0)

    async def _beat(self, send: Send) -> None:
        clock = asyncio.get_running_loop().time
        self._last_sent = clock()
        while True:
            left = self._last_sent + self._heartbeat - clock()
            if left > 0:
                await asyncio.sleep(left)
            else:
                await self._send(send, HEARTBEAT)

    async def _send(self, send: Send, body: bytes) -> None:
        async with self._sending:
            await send({"type": "http.response.body", "body": body, "more_body": True})
            self._last_sent = asyncio.get_running_loop().time()

    async def _close(self) -> None:
        """Close what the frames are made of, then the frames, also if the first fails to."""
        async with AsyncExitStack() as stack:
            close = getattr(self._frames, "aclose", None)
            if close is not None:
                stack.push_async_callback(close)
            stack.push_async_callback(self._close_source)


async def _wait_for_leaving(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _last_event_id(scope: Scope) -> str:
    return next((value.decode("latin-1") for name, value in scope["headers"] if name == b"last-event-id"), "")
