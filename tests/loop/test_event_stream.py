"""The answer that streams events: who else has a turn while it sends."""

import asyncio
from asyncio.constants import LOG_THRESHOLD_FOR_CONNLOST_WRITES
from collections.abc import AsyncIterator

from starlette.types import Message

from orchestration.server.event_stream import EventStream


async def test_it_sends_less_in_one_turn_than_asyncio_suffers_on_a_lost_connection() -> None:
    turns, sent = [0], list[int]()

    async def frames() -> AsyncIterator[bytes]:
        for _ in range(50):
            yield b":\n\n"

    async def count() -> None:
        while True:
            turns[0] += 1
            await asyncio.sleep(0)

    async def stays() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Message) -> None:
        if message.get("body"):
            sent.append(turns[0])

    async def close() -> None:
        """Nothing is to be closed."""

    counting = asyncio.create_task(count())
    await EventStream(frames(), close, heartbeat=60, resumable=True)({"method": "GET", "headers": []}, stays, send)
    counting.cancel()
    assert len(sent) == 50
    assert max(sent.count(turn) for turn in sent) < LOG_THRESHOLD_FOR_CONNLOST_WRITES
