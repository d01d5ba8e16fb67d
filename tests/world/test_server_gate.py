"""Who may come in: by which name, from which page, with which token, with how much."""

from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from orchestration.errors import UsageError
from orchestration.server.gate import HEADERS, MAX_BODY, Gate
from tests.world.serving import error_of

TOKEN = "a token of tests".replace(" ", "-")
BEARER = {"Authorization": f"Bearer {TOKEN}"}


async def _echo(request: Request) -> Response:
    return PlainTextResponse(await request.body())


def client_of(*, names: tuple[str, ...] = (), any_address: bool = False) -> httpx.AsyncClient:
    app = Starlette(routes=[Route("/", _echo, methods=["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"])])
    gate = Gate(app, token=TOKEN, names=names, any_address=any_address)
    return httpx.AsyncClient(transport=httpx.ASGITransport(gate), base_url="http://127.0.0.1:8383")


@pytest.mark.parametrize(
    ("host", "is_let_in"),
    [
        ("127.0.0.1:8383", True),
        ("127.0.0.1", True),
        ("localhost:9000", True),
        ("LOCALHOST", True),
        ("[::1]:8383", True),
        ("evil.example", False),
        ("evil.example:8383", False),
        ("127.0.0.1.evil.example", False),
        ("localhost.evil.example", False),
        ("127.0.0.1@evil.example", False),
        ("evil.example#127.0.0.1", False),
        ("evil.example/127.0.0.1", False),
        ("127.0.0.1:x", False),
        ("127.0.0.1, evil.example", False),
        ("192.168.1.5:8383", False),
        ("0.0.0.0:8383", False),
        ("[::1", False),
        ("", False),
        ("allowed.example", True),
        ("sub.allowed.example", False),
    ],
)
async def test_only_names_of_this_machine_and_allowed_ones_are_answered_to(host: str, is_let_in: bool) -> None:
    async with client_of(names=("allowed.example",)) as client:
        answer = await client.get("/", headers={"Host": host})
    assert answer.status_code == (200 if is_let_in else 403)
    if not is_let_in:
        assert error_of(answer) == (403, "refused")


@pytest.mark.parametrize(
    ("host", "is_let_in"), [("192.168.1.5:8383", True), ("[fe80::1]", True), ("evil.example", False), ("1.2.3", False)]
)
async def test_where_it_listens_on_all_addresses_any_address_will_do_but_no_name(host: str, is_let_in: bool) -> None:
    async with client_of(any_address=True) as client:
        assert (await client.get("/", headers={"Host": host})).is_success is is_let_in


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    ("host", "origin", "is_let_in"),
    [
        ("127.0.0.1:8383", "http://127.0.0.1:8383", True),
        ("localhost:9000", "http://localhost:9000", True),
        ("localhost", "http://localhost:80", True),
        ("localhost", "https://localhost", True),
        ("localhost", "https://localhost:443", True),
        ("localhost", "http://localhost:443", False),
        ("127.0.0.1:8383", "http://127.0.0.1:3000", False),
        ("127.0.0.1:8383", "http://localhost:8383", False),
        ("127.0.0.1:8383", "http://evil.example", False),
        ("127.0.0.1:8383", "https://evil.example:8383", False),
        ("127.0.0.1:8383", "null", False),
        ("127.0.0.1:8383", "", False),
        ("127.0.0.1:8383", "file://", False),
        ("127.0.0.1:8383", "chrome-extension://abc", False),
        ("127.0.0.1:8383", "http://127.0.0.1:8383@evil.example", False),
        ("127.0.0.1:8383", "http://127.0.0.1:8383/path", False),
        ("127.0.0.1:8383", "http://[::1", False),
        ("127.0.0.1:8383", "http://127.0.0.1:99999", False),
    ],
)
async def test_only_our_own_page_may_send_requests(host: str, origin: str, is_let_in: bool, method: str) -> None:
    async with client_of() as client:
        answer = await client.request(method, "/", headers={"Host": host, "Origin": origin, **BEARER})
    assert answer.status_code == (200 if is_let_in else 403)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
@pytest.mark.parametrize(
    ("header", "is_let_in"),
    [
        (f"Bearer {TOKEN}", True),
        (f"bearer {TOKEN}", True),
        (f"Bearer  {TOKEN} ", True),
        (None, False),
        ("", False),
        ("Bearer", False),
        ("Bearer ", False),
        (TOKEN, False),
        (f"Basic {TOKEN}", False),
        (f"Bearer {TOKEN}x", False),
        (f"Bearer {TOKEN[:-1]}", False),
        (f"Bearer {TOKEN.upper()}", False),
        ("Bearer ünï", False),
    ],
)
async def test_whatever_may_change_something_needs_the_token(header: str | None, is_let_in: bool, method: str) -> None:
    headers = [] if header is None else [(b"Authorization", header.encode())]
    async with client_of() as client:
        answer = await client.request(method, "/", headers=headers)
    assert answer.status_code == (200 if is_let_in else 401)
    if not is_let_in:
        assert answer.headers["www-authenticate"] == "Bearer"
        assert error_of(answer) == (401, "refused")


async def test_reading_needs_no_token() -> None:
    async with client_of() as client:
        assert (await client.get("/")).is_success


async def test_two_hosts_or_two_origins_are_none() -> None:
    async with client_of() as client:
        twice = [("Host", "127.0.0.1"), ("Host", "evil.example")]
        assert (await client.get("/", headers=twice)).status_code == 403
        origins = [("Origin", "http://127.0.0.1:8383"), ("Origin", "http://evil.example")]
        assert (await client.get("/", headers=origins)).status_code == 403


@pytest.mark.parametrize("is_chunked", [False, True])
async def test_a_body_comes_through_whole_up_to_a_bound(is_chunked: bool) -> None:
    async with client_of() as client:
        for size, status in ((MAX_BODY, 200), (MAX_BODY + 1, 413)):
            body = b"x" * size

            async def parts(whole: bytes = body) -> AsyncIterator[bytes]:
                for i in range(0, len(whole), 300_000):
                    yield whole[i : i + 300_000]

            answer = await client.post("/", content=parts() if is_chunked else body, headers=BEARER)
            assert answer.status_code == status
            assert status != 200 or answer.content == body


@pytest.mark.parametrize("headers", [{}, {"Host": "evil.example"}])
async def test_every_answer_keeps_browsers_from_taking_text_for_more(headers: dict[str, str]) -> None:
    async with client_of() as client:
        answer = await client.get("/", headers=headers)
    for name, value in HEADERS:
        assert answer.headers[name.decode()] == value.decode()


@pytest.mark.parametrize("name", ["x:80", "http://x", "", "*", "*.x", "a/b", "a@b", "a b", "[::1]:80", "x?y"])
def test_a_name_by_which_nobody_would_be_let_in_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="is no name of a host"):
        client_of(names=(name,))


@pytest.mark.parametrize(
    ("name", "host"),
    [("Example.ORG", "example.org:80"), ("[fe80::1]", "[FE80::1]:8383"), ("fe80::1", "[fe80::1]"), ("10.0.0.1",) * 2],
)
async def test_names_may_be_written_as_people_write_them(name: str, host: str) -> None:
    async with client_of(names=(name,)) as client:
        assert (await client.get("/", headers={"Host": host})).status_code == 200
