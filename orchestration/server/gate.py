"""Who may come in: an ASGI layer before everything else.

The server listens on this machine, but a page in this machine's browser can send requests too, wherever it came from.

- Host: a name that somebody else's name server makes point to us (DNS rebinding) would make our answers readable for
  their page. So only names that nobody else can own are taken: addresses of this machine, `localhost`, and those that
  the user allowed.
- Origin: a browser says from which page a request comes. One from any other page is refused, also for reading.
- Token: whatever changes something needs it. It is compared in constant time, and no cookie is ever set, so no browser
  adds it by itself.
- Body: it is read here, up to a bound, before anything looks at it.

Every answer tells browsers to take no text for a page or a script, and to let no page frame ours.
"""

import hmac
import ipaddress
from collections.abc import Iterable, MutableMapping
from typing import Any, Final
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orchestration.errors import RequestRefused, UsageError
from orchestration.server.answers import error_answer

MAX_BODY: Final = 1 << 20
"""Bytes of a request; what people decide fits many times over."""

READING: Final = frozenset({"GET", "HEAD"})
LOCAL_NAMES: Final = frozenset({"localhost", "127.0.0.1", "::1"})
DEFAULT_PORTS: Final = {"http": 80, "https": 443}

HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
)


class Gate:
    """Lets in what may come in.

    Args:
        app: what is behind it.
        token: what changes need.
        names: hosts by which the server may be called, beside those of this machine.
        any_address: whether it may be called by any address; right where it listens on all of them.

    Raises:
        UsageError: one of the names is none that a request could call it by.
    """

    def __init__(self, app: ASGIApp, *, token: str, names: Iterable[str] = (), any_address: bool = False) -> None:
        """Nobody is let in yet."""
        self._app = app
        self._token = token.encode()
        self._names = LOCAL_NAMES | {_checked(name) for name in names}
        self._any_address = any_address

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a request, or pass it on."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *HEADERS]
            await send(message)

        try:
            self._check(scope)
            if scope["method"] not in READING:
                receive = await _whole_body(receive)
        except RequestRefused as refused:
            headers = {"WWW-Authenticate": "Bearer"} if refused.status == 401 else {}  # noqa: PLR2004  # unauthorized
            await error_answer(refused, headers)(scope, receive, send_safely)
            return
        await self._app(scope, receive, send_safely)

    def _check(self, scope: Scope) -> None:
        headers = _single(scope["headers"])
        host = headers.get(b"host", "")
        if not self._is_ours(_name_in(f"//{host}")):
            raise RequestRefused(
                403, f"this server is not called {host[:80]!r}", hint="call it by its address, or allow the name"
            )
        origin = headers.get(b"origin")
        if origin is not None and not _is_page_of(origin, host):
            raise RequestRefused(403, f"a page of {origin[:80]!r} may not use this server")
        if scope["method"] not in READING and not self._is_token(headers.get(b"authorization", "")):
            raise RequestRefused(
                401,
                "whatever changes something needs the server's token",
                hint="send the header `Authorization: Bearer TOKEN`; the server has printed it, or was given it",
            )

    def _is_ours(self, name: str | None) -> bool:
        if name is None:
            return False
        return name in self._names or (self._any_address and _is_address(name))

    def _is_token(self, header: str) -> bool:
        scheme, _, token = header.partition(" ")
        return hmac.compare_digest(token.strip().encode(), self._token) and scheme.lower() == "bearer"


def _single(headers: Iterable[tuple[bytes, bytes]]) -> MutableMapping[bytes, str]:
    """The headers by name; one that is there twice is joined, and then is like none that we know."""
    found: dict[bytes, str] = {}
    for name, value in headers:
        text = value.decode("latin-1").strip()
        found[name] = f"{found[name]}, {text}" if name in found else text
    return found


def _checked(name: str) -> str:
    """A name as it is compared; nobody would be let in by one with a scheme, a port, a star or a space."""
    plain = name.removeprefix("[").removesuffix("]") if _is_address(name.strip("[]")) else name
    called = _name_in(f"//[{plain}]" if ":" in plain else f"//{plain}")
    if called is None or called != plain.lower() or "*" in plain or " " in plain:
        raise UsageError(f"{name!r:.80} is no name of a host", hint="write the name alone, such as example.org")
    return called


def _name_in(url: str) -> str | None:
    """The host in an address, None where it is none that can be understood."""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  # raises for one that is no number
    except ValueError:
        return None
    wrong = parts.path or parts.query or parts.fragment or "@" in parts.netloc or parts.hostname is None
    return None if wrong else str(parts.hostname)


def _is_page_of(origin: str, host: str) -> bool:
    """Whether an origin is that of the pages which are had by this host."""
    scheme, separator, _ = origin.partition("://")
    if not separator or scheme not in DEFAULT_PORTS:  # `null`, files, extensions
        return False
    page, ours = _place_in(origin), _place_in(f"{scheme}://{host}")
    return page is not None and page == ours


def _place_in(url: str) -> tuple[str, int] | None:
    name = _name_in(url)
    if name is None:
        return None
    parts = urlsplit(url)
    return name, parts.port or DEFAULT_PORTS[parts.scheme]


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


async def _whole_body(receive: Receive) -> Receive:
    """Read the body; what is returned gives it again.

    Raises:
        RequestRefused: it is too long.
    """
    parts: list[bytes] = []
    more, size = True, 0
    while more:
        message = await receive()
        if message["type"] != "http.request":
            return _first(message, receive)
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        more = message.get("more_body", False)
        if size > MAX_BODY:
            raise RequestRefused(413, f"the body is longer than {MAX_BODY:,} bytes")
    return _first({"type": "http.request", "body": b"".join(parts), "more_body": False}, receive)


def _first(message: Any, receive: Receive) -> Receive:  # noqa: ANN401  # any message
    waiting = [message]

    async def again() -> Message:
        return waiting.pop() if waiting else await receive()

    return again
