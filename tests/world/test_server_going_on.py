"""`sse` of streams that go on where a client was: each id leads on, and nothing comes twice."""

import math
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from orchestration.errors import UsageError
from orchestration.server import sse

Told = dict[str, Any]


def event(seq: int) -> Told:
    return {"type": "task_started", "seq": seq}


def chunk(n: int) -> Told:
    return {"type": "task_chunk", "n": n}


ITEMS = [f"item {n}" for n in range(7)]
EVENTS = [event(1), chunk(1), chunk(2), chunk(3), event(2), event(3), chunk(1)]
"""Two chunks have the same `n` behind different events."""


def client_of(told: list[Any], ids: list[str], *, items: bool) -> httpx.AsyncClient:
    """Of an application that knows by the ids of these which of them come next."""

    async def behind(last: str) -> AsyncIterator[Any]:
        for one in told[ids.index(last) + 1 :] if last in ids else told:
            yield one

    async def endpoint(request: Request) -> Response:
        return sse(behind(request.headers.get("Last-Event-ID", "")), items=items, resumable=True)

    app = Starlette(routes=[Route("/", endpoint)])
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://app")


async def read(client: httpx.AsyncClient, last: str = "") -> tuple[list[str], list[str]]:
    """The ids and the data of an answer."""
    lines = (await client.get("/", headers={"Last-Event-ID": last} if last else {})).text.splitlines()
    return [one[4:] for one in lines if one.startswith("id: ")], [one[6:] for one in lines if one.startswith("data: ")]


@pytest.mark.parametrize(("told", "items"), [(ITEMS, True), (ITEMS, False), (EVENTS, False)])
async def test_a_client_that_comes_back_after_any_message_gets_the_others_by_the_same_ids(
    told: list[Any], *, items: bool
) -> None:
    known: list[str] = []
    async with client_of(told, known, items=items) as client:
        ids, data = await read(client)
        assert len(set(ids)) == len(told)
        known += ids
        for k, last in enumerate(ids):
            assert await read(client, last) == (ids[k + 1 :], data[k + 1 :])


@pytest.mark.parametrize("last", ["x", "-1", "1.", ".1", "1.2.3", "1e3", "9" * 30])
async def test_an_id_that_was_never_given_is_not_counted_on_from(last: str) -> None:
    async with client_of(ITEMS, [], items=True) as client:
        ids, _ = await read(client, last)
        assert ids == [str(n + 1) for n in range(len(ITEMS))]


async def one_item() -> AsyncIterator[str]:
    yield "one"


@pytest.mark.parametrize("heartbeat", [0, -1, math.nan, 0.001, "15", None, True])
def test_a_heartbeat_that_would_never_be_silent_is_refused(heartbeat: Any) -> None:  # noqa: ANN401  # whatever is given
    with pytest.raises(UsageError, match=r"heartbeat is .*; it is a number of seconds from"):
        sse(one_item(), heartbeat=heartbeat)


@pytest.mark.parametrize("make", [lambda: sse(one_item(), heartbeat=math.inf), lambda: sse(one_item(), heartbeat=1)])
async def test_a_heartbeat_may_be_endless_or_a_whole_number(make: Callable[[], Response]) -> None:
    async def endpoint(_: Request) -> Response:
        return make()

    app = Starlette(routes=[Route("/", endpoint)])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://app") as client:
        assert (await client.get("/")).text == "id: 1\ndata: one\n\n"
