"""Listening: the socket, uvicorn on it, and an end that waits for the runs that were started here.

The end has an order: no new runs, the running ones end and are recorded, whoever reads them hears of it, and only then
no more requests. Signals are not taken here; whoever calls says when it is time (`Served.stop`).
"""

import asyncio
import errno
import ipaddress
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orchestration.errors import RequestRefused, UsageError
from orchestration.scheduler import cancel_all, shielded
from orchestration.server.answers import error_answer
from orchestration.server.served import Served

BACKLOG: Final = 512
MOST_CONNECTIONS: Final = 2_000
"""Requests at once, those that follow a run included; more are answered with 503."""

PATIENCE_FOR_REQUESTS: Final = 5
"""Seconds that requests have to end when the server ends."""

LONGEST_HEAD: Final = 256 * 1024
"""Bytes of a request's head: `Last-Event-ID` names each attempt that runs."""


def listen(host: str, port: int) -> socket.socket:
    """Listen on an address.

    Raises:
        UsageError: that cannot be done.
    """
    where = f"{host} port {port}"
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        listening = socket.socket(family, kind, protocol)
    except (OSError, OverflowError, UnicodeError) as error:
        raise UsageError(f"{where} is no address of this machine: {error}", hint="leave out --host") from error
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(BACKLOG)
        listening.settimeout(0)
    except OSError as error:
        listening.close()
        is_no_address = error.errno == errno.EADDRNOTAVAIL
        hint = "name an address of this machine" if is_no_address else "name another port; --port 0 takes a free one"
        raise UsageError(f"cannot listen on {where}: {error.strerror}", hint=hint) from error
    return listening


def is_every_address(host: str) -> bool:
    """Whether a host stands for all addresses of the machine."""
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return host == ""


def is_of_this_machine_only(listening: socket.socket) -> bool:
    """Whether nobody from another machine can reach it."""
    return ipaddress.ip_address(listening.getsockname()[0].partition("%")[0]).is_loopback


def url_of(listening: socket.socket, host: str) -> str:
    """The address for people's browsers."""
    if is_every_address(host):
        host = "127.0.0.1"
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{listening.getsockname()[1]}/"


async def serve(served: Served, app: ASGIApp, listening: socket.socket) -> None:
    """Answer requests until `served` is stopped, then end in order; it is closed afterwards."""
    config = uvicorn.Config(
        _until_it_ends(app),
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=MOST_CONNECTIONS,
        h11_max_incomplete_event_size=LONGEST_HEAD,
        timeout_graceful_shutdown=PATIENCE_FOR_REQUESTS,
    )
    server = _Server(config)
    answering = asyncio.create_task(server.serve(sockets=[listening]), name="answer requests")
    asked = asyncio.create_task(served.asked_to_end.wait())
    try:
        await asyncio.wait([answering, asked], return_when=asyncio.FIRST_COMPLETED)
        await served.end()
        server.should_exit = True
        await answering
    finally:
        server.should_exit = server.force_exit = True
        await cancel_all([asked, answering])
        await shielded(served.aclose())


def _until_it_ends(app: ASGIApp) -> ASGIApp:
    """The same application, with an end for requests that are not over when the server's patience is.

    Uvicorn cancels them, and takes what an application raises for a fault of it. Nothing else cancels a request.
    """

    async def answering(scope: Scope, receive: Receive, send: Send) -> None:
        has_begun = False

        async def noting(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await app(scope, receive, noting)
        except asyncio.CancelledError:
            if not has_begun:
                await error_answer(RequestRefused(503, "the server is ending"))(scope, receive, send)

    return answering


class _Server(uvicorn.Server):
    """Uvicorn without its hand on signals, which end runs first."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave them alone."""
        yield
