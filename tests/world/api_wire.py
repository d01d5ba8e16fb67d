"""A service on 127.0.0.1 that answers every request with the same bytes, for what the model server has no step for.

It lives in the test's own loop, keeps what was asked, and notices when whoever asked hangs up.
"""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

PATIENCE = 30.0  # seconds in which something that is about to happen has to happen


@dataclass(slots=True)
class Wire:
    """What one service was asked."""

    answer: bytes
    port: int = 0
    headers: list[dict[str, str]] = field(default_factory=list)
    bodies: list[Any] = field(default_factory=list)
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    hung_up: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    async def wait_until_asked(self) -> None:
        """Wait for the first request."""
        async with asyncio.timeout(PATIENCE):
            await self.asked.wait()

    async def wait_until_hung_up(self) -> None:
        """Wait until a connection was closed from the other side."""
        async with asyncio.timeout(PATIENCE):
            await self.hung_up.wait()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request, then wait for the end of the connection."""
        try:
            lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[1:]
            headers = {
                name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)
            }
            self.headers.append(headers)
            self.bodies.append(json.loads(await reader.readexactly(int(headers.get("content-length", "0"))) or b"{}"))
            writer.write(self.answer)
            await writer.drain()
            self.asked.set()
            if self.answer is not BEGUN and writer.can_write_eof():
                writer.write_eof()
            await reader.read()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.hung_up.set()
            writer.close()


@asynccontextmanager
async def wire(answer: bytes, context: ssl.SSLContext | None = None) -> AsyncIterator[Wire]:
    """Listen, in the open or with a certificate; at the end nothing listens any more."""
    service = Wire(answer)
    server = await asyncio.start_server(service.serve, "127.0.0.1", 0, ssl=context)
    service.port = server.sockets[0].getsockname()[1]
    try:
        yield service
    finally:
        server.close()
        await server.wait_closed()


def whole(body: bytes, status: str = "200 OK", kind: str = "application/json", **headers: str) -> bytes:
    """An answer with its length."""
    more = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    head = f"HTTP/1.1 {status}\r\ncontent-type: {kind}\r\n{more}content-length: {len(body)}\r\n\r\n"
    return head.encode() + body


def events(*data: object, done: bool = True, names: bool = False) -> bytes:
    """A stream of events that ends properly, as far as HTTP is concerned."""
    pieces = [
        (f"event: {item['type']}\n" if names and isinstance(item, dict) else "") + f"data: {json.dumps(item)}\n\n"
        for item in data
    ]
    text = "".join(pieces) + ("data: [DONE]\n\n" if done else "")
    return whole(text.encode(), kind="text/event-stream")


def said(text: str, finish: str | None = None, **delta: Any) -> dict[str, Any]:  # noqa: ANN401  # any field of it
    """A piece of an answer in OpenAI's chat language."""
    choice = {"index": 0, "delta": {"content": text, **delta}, "finish_reason": finish}
    return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m-2025-01-01", "choices": [choice]}


BEGUN = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n" + f"data: {json.dumps(said('Be'))}\n\n".encode()
"""The beginning of an answer that goes on for ever."""
