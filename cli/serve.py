"""`serve`: the project over HTTP, until a signal ends it."""

import importlib.util
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from cli.session import Session, say, session_of
from cli.values import refuse_both, whole_number
from orchestration.errors import UsageError

if TYPE_CHECKING:
    from cli.interrupts import Interrupts

DEFAULT_HOST: Final = "127.0.0.1"
DEFAULT_PORT: Final = 8383
MOST_PORT: Final = 65_535
TOKEN_VARIABLE: Final = "ORCH_SERVER_TOKEN"  # noqa: S105  # the name of a variable
TOKEN_BYTES: Final = 32
INSTALL: Final = "pip install 'orch-tasks[serve]'"

Host = Annotated[str, typer.Option("--host", metavar="HOST", help="The address to listen on.")]
Port = Annotated[
    int | None,
    typer.Option(
        "--port",
        "-p",
        parser=whole_number("--port", 0, MOST_PORT),
        metavar="N",
        help="The port (default: 8383); 0 takes a free one.",
    ),
]
Token = Annotated[str | None, typer.Option("--token", metavar="TOKEN", help="What changes need (default: made anew).")]
TokenFile = Annotated[str | None, typer.Option("--token-file", metavar="FILE", help="A file with the token.")]
AllowHosts = Annotated[
    list[str] | None,
    typer.Option("--allow-host", metavar="NAME", help="A name by which it may be called (repeatable)."),
]


def serve(
    context: typer.Context,
    host: Host = DEFAULT_HOST,
    port: Port = None,
    token: Token = None,
    token_file: TokenFile = None,
    allow_hosts: AllowHosts = None,
) -> int:
    """Serve the project over HTTP: a board, REST, server-sent events.

    Runs that are started by it end with it. It ends with the first Ctrl-C.
    """
    from cli import exit_codes
    from cli.main import drive

    session = session_of(context)
    refuse_both("--token", "--token-file", both=token is not None and token_file is not None)
    _need_extra()
    given = _given_token(session, token, token_file)

    async def work(interrupts: "Interrupts") -> int:
        await _serve(session, interrupts, host, DEFAULT_PORT if port is None else port, given, allow_hosts or [])
        return exit_codes.SUCCESS if interrupts.signal is None else exit_codes.of_signal(interrupts.signal)

    return drive(work)


async def _serve(
    session: Session, interrupts: "Interrupts", host: str, port: int, given: str | None, allowed: list[str]
) -> None:
    import secrets

    from orchestration.process import LiveChildren, become_subreaper, raise_file_limit
    from orchestration.server import serving
    from orchestration.server.app import application
    from orchestration.server.served import Served
    from orchestration.warden import Warden

    raise_file_limit()
    become_subreaper()
    served = Served(session.folder, session.environment, LiveChildren(Warden()))
    token = given or secrets.token_urlsafe(TOKEN_BYTES)
    any_address = serving.is_every_address(host)
    with serving.listen(host, port) as listening:
        app = application(served, token=token, names=[host, *allowed], any_address=any_address)
        url = serving.url_of(listening, host)
        data = {"url": url, "host": host, "port": listening.getsockname()[1], "project": str(session.folder)}
        session.give_line("server", data, url)
        sys.stdout.flush()
        if given is None:
            say(f"the token for changes is {token} (in a browser: {url}#token={token})")
        if not serving.is_of_this_machine_only(listening):
            say("other machines can reach this server, and whoever does can read all runs, tasks and logs")
        with interrupts.end(served.stop, session.remark):
            await serving.serve(served, app, listening)


def _need_extra() -> None:
    missing = [name for name in ("fastapi", "uvicorn") if importlib.util.find_spec(name) is None]
    if missing:
        raise UsageError(f"orch serve needs the extra `serve` ({' and '.join(missing)})", hint=INSTALL)


def _given_token(session: Session, token: str | None, file: str | None) -> str | None:
    """The token that was given, None where none was.

    Raises:
        UsageError: it cannot be one, or the file cannot be read.
    """
    if token is None and file is not None:
        try:
            token = Path(file).read_text(encoding="utf-8").strip()
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or error
            raise UsageError(f"the token cannot be read: {why}", file=file, hint="name another file") from error
    if token is None:
        token = session.environment.get(TOKEN_VARIABLE)
    if token is not None and not re.fullmatch(r"[\x21-\x7e]+", token):
        raise UsageError(
            "a token is one word of ASCII characters", hint="leave it out to have one made, or give another"
        )
    return token
