"""`sse`: streams as answers of people's own applications."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Self

import httpx
import pytest
import uvicorn
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from orchestration import AsyncPipeline, AsyncPythonTask, ProjectOrchestrator
from orchestration.errors import UsageError, WrongState
from orchestration.server import serving, sse
from tests.world.projects import make_project, shell, until
from tests.world.serving import Leaving, Message, Parser, messages, parsed, seqs_of

Endpoint = Any


@asynccontextmanager
async def app_with(endpoint: Endpoint, *middleware: Middleware) -> AsyncIterator[httpx.AsyncClient]:
    """An application of somebody's own, with one address."""
    app = Starlette(routes=[Route("/", endpoint, methods=["GET", "POST"])], middleware=middleware)
    with serving.listen("127.0.0.1", 0) as listening:
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, ws="none", lifespan="off"))
        task = asyncio.create_task(server._serve([listening]))  # noqa: SLF001  # without its hand on signals
        url = serving.url_of(listening, "127.0.0.1")
        try:
            async with httpx.AsyncClient(base_url=url, timeout=30, limits=httpx.Limits(max_connections=None)) as client:
                yield client
        finally:
            server.should_exit = True
            await task


async def read(client: httpx.AsyncClient, **more: Any) -> list[Message]:  # noqa: ANN401  # any options of a request
    async with client.stream("GET", "/", **more) as response:
        assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
        return [message async for message in messages(response)]


async def test_a_run_is_streamed_with_the_numbers_of_its_events(tmp_path: Path) -> None:
    make_project(tmp_path, [shell("A", "echo one; echo two"), shell("B", "true", "A")])

    async def endpoint(_: Request) -> Response:
        return sse(ProjectOrchestrator(tmp_path).stream_batch())

    async with app_with(endpoint) as client:
        found = await read(client)
    events = [message.json for message in found]
    assert [message.id for message, event in zip(found, events, strict=True) if "seq" in event] == [
        str(event["seq"]) for event in events if "seq" in event
    ]
    assert seqs_of(found) == list(range(1, len(seqs_of(found)) + 1))
    assert len({message.id for message in found}) == len(found)
    assert events[-1]["type"] == "run_completed"
    assert "".join(event["chunk"] for event in events if event["type"] == "task_chunk") == "one\ntwo\n"


async def test_items_are_sent_as_they_are_and_counted() -> None:
    sent = ["plain", "two\nlines", "cr\rlf\r\n", "", {"a": "b\nc"}, 1.5, None, ["x"], "  lead", "ünï\u2028"]

    async def items() -> AsyncIterator[Any]:
        for item in sent:
            yield item

    async def endpoint(_: Request) -> Response:
        return sse(items(), items=True)

    async with app_with(endpoint) as client:
        found = await read(client)
    texts = [item.replace("\r\n", "\n").replace("\r", "\n") for item in sent if isinstance(item, str)]
    strings = [m.data for m in found if not m.data.startswith(("{", "[", "1", "n"))]
    assert strings == texts
    assert [json.loads(m.data) for m in found if m.data.startswith(("{", "[", "1", "n"))] == [
        {"a": "b\nc"},
        1.5,
        None,
        ["x"],
    ]
    assert [message.id for message in found] == [str(n) for n in range(1, 11)]


class Part(BaseModel):
    text: str
    score: float = 0.5


@dataclass
class Place:
    x: int


async def test_records_are_sent_as_the_objects_that_they_are() -> None:
    async def items() -> AsyncIterator[Any]:
        yield Part(text="a")
        yield {"parts": [Part(text="b")], "place": Place(1), "day": date(2020, 1, 2), "loss": float("nan")}

    async def endpoint(_: Request) -> Response:
        return sse(items())

    async with app_with(endpoint) as client:
        found = [message.json for message in await read(client)]
    assert found == [
        {"text": "a", "score": 0.5},
        {"parts": [{"text": "b", "score": 0.5}], "place": {"x": 1}, "day": "2020-01-02", "loss": "nan"},
    ]


def test_what_is_no_stream_is_refused_where_it_is_given() -> None:
    async def items() -> AsyncIterator[str]:
        yield "one"

    for wrong in (None, iter("ab"), items):
        with pytest.raises(UsageError, match="is no stream"):
            sse(wrong)  # type: ignore[arg-type]  # that is the point


async def test_of_a_pipeline_what_its_generators_yield_is_sent() -> None:
    async def words(text: str) -> AsyncIterator[Any]:
        for word in text.split():
            await asyncio.sleep(0)
            yield word
        yield {"type": "done", "count": len(text.split())}

    async def doubled(count: int) -> int:
        return 2 * count

    said = AsyncPythonTask(words, name="words", returns=["count"], stream_end_type="done")
    pipeline = AsyncPipeline(name="chat", steps=[said, AsyncPythonTask(doubled, name="doubled", returns=["twice"])])

    async def endpoint(request: Request) -> Response:
        text = request.query_params["text"]
        return sse(pipeline.execute_streaming(parameters={"text": text}), items="items" in request.query_params)

    async with app_with(endpoint) as client:
        items = await read(client, params={"text": "good morning", "items": "1"})
        events = await read(client, params={"text": "good morning"})
    assert [message.data for message in items] == ["good", "morning", '{"type":"done","count":2}']
    assert seqs_of(events) == [1, 2, 3, 4, 5, 6]
    assert [message.id for message in events if "seq" not in message.json] == ["2.1", "2.2", "2.3"]


class Handle:
    """A handle like those of pipelines: events, items, a result, and an end."""

    def __init__(self) -> None:
        self.happened: list[str] = []

    async def __aenter__(self) -> Self:
        self.happened.append("entered")
        return self

    async def __aexit__(self, *_: object) -> None:
        self.happened.append("left")

    async def __aiter__(self) -> AsyncIterator[dict[str, Any]]:
        yield {"type": "run_started", "seq": 1}
        yield {"type": "task_chunk", "n": 1, "chunk": "printed", "stream": "stdout"}
        yield {"type": "task_chunk", "n": 2, "chunk": "yielded"}
        yield {"type": "run_completed", "seq": 2}

    async def result(self) -> None:
        """Of no use here."""


class WithItems(Handle):
    async def items(self) -> AsyncIterator[Any]:
        yield "of its own"


@pytest.mark.parametrize(
    ("handle", "items", "data", "ids"),
    [
        (Handle(), True, ["yielded"], ["1"]),
        (WithItems(), True, ["of its own"], ["1"]),
        (Handle(), False, None, ["1", "1.1", "1.2", "2"]),
    ],
)
async def test_of_a_handle_events_or_items_are_sent_and_it_is_left(
    handle: Handle, items: bool, data: list[str] | None, ids: list[str]
) -> None:
    async def endpoint(_: Request) -> Response:
        return sse(handle, items=items)

    async with app_with(endpoint) as client:
        found = await read(client)
    assert [message.id for message in found] == ids
    assert data is None or [message.data for message in found] == data
    assert handle.happened == ["entered", "left"]


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (WrongState("not now"), "wrong_state", "not now"),
        (ValueError("boom"), "internal", "internal error: ValueError: boom"),
    ],
)
async def test_an_error_is_the_last_event(error: Exception, code: str, message: str) -> None:
    async def items() -> AsyncIterator[str]:
        yield "one"
        raise error

    async def endpoint(_: Request) -> Response:
        return sse(items())

    async with app_with(endpoint) as client:
        first, last = await read(client)
    assert first.data == "one"
    assert last.name == "error"
    assert (last.json["code"], last.json["message"]) == (code, message)


async def breaks(text: str) -> AsyncIterator[str]:
    for word in text.split():
        yield word
    if text != "all is well":
        raise LookupError("no more words")


@pytest.mark.parametrize("text", ["half a", "all is well"])
async def test_who_is_told_of_items_only_is_told_that_the_run_failed(text: str) -> None:
    pipeline = AsyncPipeline([AsyncPythonTask(breaks)])

    async def endpoint(request: Request) -> Response:
        stream = pipeline.execute_streaming({"text": text})
        return sse(stream, items="items" in request.query_params)

    async with app_with(endpoint) as client:
        found = await read(client, params={"items": "1"})
        events = await read(client)
    words = [message.data for message in found if message.name == "message"]
    assert words == text.split()
    errors = [message.json for message in found if message.name == "error"]
    assert [one["code"] for one in errors] == ([] if text == "all is well" else ["run_failed"])
    assert all("breaks: " in one["message"] and "no more words" in one["message"] for one in errors)
    assert {message.name for message in events} == {"message"}


async def test_a_silent_stream_is_kept_open_by_comments() -> None:
    go_on = asyncio.Event()

    async def items() -> AsyncIterator[str]:
        await go_on.wait()
        yield "at last"

    async def endpoint(_: Request) -> Response:
        return sse(items(), heartbeat=0.02)

    parser = Parser()
    async with app_with(endpoint) as client, client.stream("GET", "/") as response:
        async for line in response.aiter_lines():
            message = parser.feed(line)
            if parser.comments == 3:
                go_on.set()
            if message is not None:
                break
    assert message is not None
    assert message.data == "at last"


async def test_a_client_that_leaves_ends_the_stream_also_one_that_is_silent() -> None:
    stream = Leaving(asyncio.Event().wait)
    clock = asyncio.get_running_loop().time

    async def endpoint(_: Request) -> Response:
        return sse(stream)

    async with app_with(endpoint) as client:
        async with client.stream("GET", "/"):
            await until(lambda: stream.begun)
            left = clock()
        async with asyncio.timeout(20):
            await stream.closed.wait()
        assert clock() - left < 5  # it is not the next heartbeat that notices


@pytest.mark.slow
async def test_a_client_that_leaves_ends_its_run(tmp_path: Path) -> None:
    make_project(tmp_path, [shell("A", "echo $$ >pid; exec sleep 600")])

    async def endpoint(_: Request) -> Response:
        return sse(ProjectOrchestrator(tmp_path).stream_batch())

    async with app_with(endpoint) as client:
        async with client.stream("GET", "/"):
            await until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text().endswith("\n"))
        looking = ProjectOrchestrator(tmp_path)
        async with asyncio.timeout(20):
            while (await looking.run_result()).status.value == "running":  # noqa: ASYNC110  # what happens beside us
                await asyncio.sleep(0.02)
        result = await looking.run_result()
        await looking.aclose()
    assert result["A"].status.value == "cancelled"
    assert not Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}").exists()


async def test_the_cleanup_of_a_generator_is_not_cut_short() -> None:
    cleaned, begun = asyncio.Event(), asyncio.Event()

    async def items() -> AsyncIterator[str]:
        try:
            begun.set()
            await asyncio.Event().wait()
            yield "never"
        finally:
            await asyncio.sleep(0.01)
            cleaned.set()

    async def endpoint(_: Request) -> Response:
        return sse(items())

    async with app_with(endpoint) as client:
        async with client.stream("GET", "/"):
            await begun.wait()
        async with asyncio.timeout(20):
            await cleaned.wait()


async def test_a_browser_that_reconnects_does_not_begin_the_work_again() -> None:
    streams: list[Leaving] = []

    async def endpoint(request: Request) -> Response:
        streams.append(Leaving(asyncio.Event().wait))
        return sse(streams[-1], resumable=bool(request.query_params))

    async with app_with(endpoint) as client:
        again = await client.get("/", headers={"Last-Event-ID": "3"})
        assert (again.status_code, again.content) == (204, b"")
        assert not streams[0].begun
        assert streams[0].closed.is_set()
        async with client.stream("GET", "/?resumable=1", headers={"Last-Event-ID": "3"}) as response:
            assert response.status_code == 200
            await until(lambda: streams[1].begun)


async def test_a_hundred_clients_get_each_their_own_text() -> None:
    async def items(name: str) -> AsyncIterator[str]:
        for n in range(20):
            await asyncio.sleep(0)
            yield f"{name} {n}"

    async def endpoint(request: Request) -> Response:
        return sse(items(request.query_params["name"]), items=True)

    async with app_with(endpoint) as client:

        async def one(name: str) -> list[str]:
            return [message.data for message in await read(client, params={"name": name})]

        names = [f"client-{i}" for i in range(100)]
        for name, texts in zip(names, await asyncio.gather(*map(one, names)), strict=True):
            assert texts == [f"{name} {n}" for n in range(20)]


def test_the_helper_needs_no_fastapi_and_imports_starlette_only_when_it_is_called() -> None:
    code = (
        "import sys; from orchestration.server import sse; print(sorted({'fastapi', 'starlette'} & set(sys.modules))); "
    )
    code += "\nasync def items():\n    yield 1\nsse(items()); print('fastapi' in sys.modules)"
    printed = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert printed.split() == ["[]", "False"]


def test_a_stream_that_was_sent_whole_is_what_the_standard_calls_one() -> None:
    assert parsed(b"data: a\n\n")[0].data == "a"


async def test_behind_a_middleware_too_a_client_that_leaves_ends_the_stream() -> None:
    streams: list[Leaving] = []

    async def endpoint(request: Request) -> Response:
        await request.body()
        streams.append(Leaving(asyncio.Event().wait))
        return sse(streams[-1])

    async def passing_on(request: Request, call_next: RequestResponseEndpoint) -> Response:
        return await call_next(request)

    async with app_with(endpoint, Middleware(BaseHTTPMiddleware, dispatch=passing_on)) as client:
        for method in ("GET", "POST"):
            async with client.stream(method, "/", content=b"{}"):
                await until(lambda: bool(streams) and streams[-1].begun)
            async with asyncio.timeout(20):
                await streams.pop().closed.wait()
