"""The HTTP client of one attempt: its surroundings come from the attempt's environment, never from our own process's.

Edges survived: a proxy that is not for every host, certificates of a company, variables of the process by which the
providers' libraries would add headers or tell services about our machine, a close that hangs or is cancelled.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final
from urllib.parse import urlsplit
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]  # there, but not in the stubs

import httpx2

from orchestration.binding import Dialect, Endpoint
from orchestration.process.steadfast import Steadfast

CONNECT: Final = 15.0
"""Seconds in which a connection has to be made."""

SILENCE: Final = 600.0
"""Seconds without a byte after which a connection counts as dead, for attempts without an idle timeout of their own."""

CLOSING: Final = 5.0
"""Seconds that closing may take: nothing is waited for, so that is generous."""

PLAIN_HEADERS: Final = frozenset(
    {
        "host",
        "user-agent",
        "connection",
        "accept",
        "accept-encoding",
        "content-type",
        "content-length",
        "transfer-encoding",
    }
)
KEY_HEADERS: Final[Mapping[Dialect, frozenset[str]]] = {
    Dialect.CHAT: frozenset({"authorization"}),
    Dialect.RESPONSES: frozenset({"authorization"}),
    Dialect.MESSAGES: frozenset({"x-api-key", "anthropic-version", "anthropic-beta"}),
    Dialect.GEMINI: frozenset({"x-goog-api-key"}),
}
"""What a request says beside its body, and nothing else."""


@asynccontextmanager
async def opened(endpoint: Endpoint, environment: Mapping[str, str]) -> AsyncIterator[httpx2.AsyncClient]:
    """A client for one endpoint; everything that it opened is closed at the end, whatever happens."""
    is_plain = endpoint.base_url.lower().startswith("http://")  # then there is nobody to trust; no redirect is followed
    trusted = False if is_plain else await asyncio.to_thread(_certificates, environment)  # reading them takes a while
    client = client_for(endpoint, environment, trusted=trusted)
    try:
        yield client
    finally:
        await _close(client)


def client_for(
    endpoint: Endpoint, environment: Mapping[str, str], *, trusted: ssl.SSLContext | bool
) -> httpx2.AsyncClient:
    """The client; nothing is opened yet."""
    extra = endpoint.settings.get("extra_headers")
    allowed = {*PLAIN_HEADERS, *KEY_HEADERS[endpoint.dialect], *_lowered(extra if isinstance(extra, Mapping) else ())}

    async def keep_allowed(request: httpx2.Request) -> None:  # the client awaits its hooks
        for name in list(request.headers):
            if name.lower() not in allowed:
                del request.headers[name]

    return httpx2.AsyncClient(
        trust_env=False,
        verify=trusted,
        proxy=proxy_for(endpoint.base_url, environment),
        timeout=httpx2.Timeout(SILENCE, connect=CONNECT),
        event_hooks={"request": [keep_allowed]},
    )


def proxy_for(url: str, environment: Mapping[str, str]) -> str | None:
    """The proxy through which an address is reached, by the usual variables in either case."""
    found = urlsplit(url)
    given = {name.lower(): value for name, value in environment.items() if name.lower().endswith("_proxy") and value}
    host = found.hostname or ""
    if given.get("no_proxy") and proxy_bypass_environment(host, {"no": given["no_proxy"]}):
        return None
    return given.get(f"{found.scheme}_proxy") or given.get("all_proxy")


def _certificates(environment: Mapping[str, str]) -> ssl.SSLContext:
    """Whom to trust: what the user's variables name, else whom the library trusts by itself."""
    file, folder = environment.get("SSL_CERT_FILE"), environment.get("SSL_CERT_DIR")
    if file or folder:
        return ssl.create_default_context(cafile=file, capath=folder)
    return httpx2.create_ssl_context(trust_env=False)


def _lowered(names: Iterable[Any]) -> set[str]:
    return {str(name).lower() for name in names}


async def _close(client: httpx2.AsyncClient) -> None:
    """Close it also when we are cancelled (again): a connection that is left open is one that is still paid for."""
    closed, steady = asyncio.Event(), Steadfast()
    closing = asyncio.get_running_loop().create_task(client.aclose())
    closing.add_done_callback(lambda _: closed.set())
    await steady.wait_for(closed, CLOSING)
    if not closing.done():
        closing.cancel()
    elif not closing.cancelled() and (error := closing.exception()) is not None and not isinstance(error, OSError):
        raise error
    if steady.cancellation is not None:
        raise steady.cancellation
