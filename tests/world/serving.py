"""A server of a project, in this process, on a port of its own; and a reader of server-sent events."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import httpx

from orchestration.process import LiveChildren
from orchestration.server import serving
from orchestration.server.app import application
from orchestration.server.served import Served

TOKEN = "a-token-of-tests"
ALLOWED = {"Authorization": f"Bearer {TOKEN}"}
PATIENCE = 30.0


@dataclass(slots=True)
class Message:
    """One event as a browser would dispatch it."""

    id: str
    name: str
    data: str

    @property
    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.data)
        return found


@dataclass(slots=True)
class Parser:
    """The standard's algorithm for a stream of lines that end with LF, CR LF or CR."""

    comments: int = 0
    _last_id: str = ""
    _id: str = ""
    _name: str = ""
    _data: list[str] = field(default_factory=list)

    def feed(self, line: str) -> Message | None:
        if not line:
            return self._dispatch()
        if line.startswith(":"):
            self.comments += 1
            return None
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            self._name = value
        elif name == "data":
            self._data.append(value)
        elif name == "id" and "\0" not in value:
            self._id = value
        return None

    def _dispatch(self) -> Message | None:
        self._last_id, name, data = self._id, self._name, self._data
        self._name, self._data = "", []
        return Message(self._last_id, name or "message", "\n".join(data)) if data else None


def parsed(stream: bytes) -> list[Message]:
    """All events of a stream that has ended."""
    parser = Parser()
    text = stream.decode().replace("\r\n", "\n").replace("\r", "\n")
    return [message for line in text.split("\n") if (message := parser.feed(line)) is not None]


async def messages(response: httpx.Response, parser: Parser | None = None) -> AsyncGenerator[Message, None]:
    """Events as they come."""
    parser = parser or Parser()
    async with aclosing(lines_of(response)) as lines:
        async for line in lines:
            message = parser.feed(line)
            if message is not None:
                yield message


async def lines_of(response: httpx.Response) -> AsyncGenerator[str, None]:
    """Lines as the standard has them, which are not those of `httpx`: no other character than these ends one."""
    rest = ""
    async for text in response.aiter_text():
        *lines, rest = (rest + text).split("\n")
        for line in lines:
            yield line


@dataclass(slots=True)
class Server:
    """A server that answers, with a client that has its token."""

    served: Served
    client: httpx.AsyncClient

    async def get(self, address: str, **more: Any) -> Any:  # noqa: ANN401  # whatever the answer has
        return data_of(await self.client.get(address, **more))

    async def post(self, address: str, body: object = None, **more: Any) -> Any:  # noqa: ANN401  # as above
        return data_of(await self.client.post(address, json=body, **more))

    async def start(self, **order: Any) -> str:  # noqa: ANN401  # any order
        run: str = (await self.post("/runs", order))["run_id"]
        return run

    async def read(self, run_id: str, last: str | None = None, most: int | None = None, **query: Any) -> list[Message]:  # noqa: ANN401
        """Events of a run to its end, or so many, behind an id."""
        headers = {"Accept": "text/event-stream", **({"Last-Event-ID": last} if last else {})}
        found: list[Message] = []
        async with self.client.stream("GET", f"/runs/{run_id}/events", headers=headers, params=query) as response:
            assert response.status_code in {200, 204}, await response.aread()
            async with aclosing(messages(response)) as coming:
                async for message in coming:
                    found.append(message)
                    if most is not None and len(found) >= most:
                        break
        return found

    async def wait_for_end(self, run_id: str) -> dict[str, Any]:
        await self.read(run_id)
        result: dict[str, Any] = await self.get(f"/runs/{run_id}")
        return result


def data_of(response: httpx.Response) -> Any:  # noqa: ANN401  # whatever the answer has
    """The data of an answer that is no error."""
    assert response.is_success, response.text
    found = response.json()
    assert set(found) == {"schema", "kind", "data"}
    return found["data"]


def error_of(response: httpx.Response) -> tuple[int, str]:
    """Status and code of an answer that is an error."""
    found = response.json()
    assert (found["schema"], found["kind"]) == ("orch/1", "error"), found
    return response.status_code, found["data"]["code"]


@asynccontextmanager
async def serving_project(root: Path) -> AsyncIterator[Server]:
    """Serve a project until the block is left; then the server ends as by a signal."""
    served = Served(root, {"PATH": "/usr/bin:/bin"}, LiveChildren())
    with serving.listen("127.0.0.1", 0) as listening:
        app = application(served, token=TOKEN)
        url = serving.url_of(listening, "127.0.0.1")
        task = asyncio.create_task(serving.serve(served, app, listening))
        limits = httpx.Limits(max_connections=None)
        try:
            async with httpx.AsyncClient(base_url=url, headers=ALLOWED, timeout=PATIENCE, limits=limits) as client:
                yield Server(served, client)
        finally:
            served.stop("the test is over")
            async with asyncio.timeout(PATIENCE):
                await task


def texts_of(found: Iterable[Message]) -> dict[tuple[str, str | None], str]:
    """What was printed, by task and stream."""
    texts: dict[tuple[str, str | None], str] = {}
    for event in (message.json for message in found):
        if event["type"] == "task_chunk":
            key = event["task"], event.get("stream")
            texts[key] = texts.get(key, "") + str(event["chunk"])
    return texts


def seqs_of(found: Iterable[Message]) -> list[int]:
    """The numbers of the stored events."""
    return [event["seq"] for event in (message.json for message in found) if "seq" in event]


class Leaving:
    """An async iterator that notes what becomes of it."""

    def __init__(self, wait: Callable[[], Any]) -> None:
        self.wait = wait
        self.closed = asyncio.Event()
        self.begun = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        self.begun = True
        await self.wait()
        return "item"

    async def aclose(self) -> None:
        self.closed.set()
