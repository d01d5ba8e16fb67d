"""`report`, `schema`, `version`: documents about a run, about what users write, and about this program."""

import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cli.options import RunArgument
from cli.session import Session, session_of
from orchestration.errors import UsageError

if TYPE_CHECKING:
    from cli.interrupts import Interrupts
    from orchestration.results import RunResult

Format = Annotated[Literal["md", "json"], typer.Option("--format", case_sensitive=False, help="Which kind of text.")]
OutFile = Annotated[str | None, typer.Option("--output", "-o", metavar="FILE", help="Write it to a file instead.")]
Topic = Annotated[
    Literal["task", "agent", "settings"] | None,
    typer.Argument(metavar="[task|agent|settings]", help="Only this one.", show_default=False),
]


def report(context: typer.Context, run: RunArgument = None, kind: Format = "md", output: OutFile = None) -> None:
    """Report on a run: outcomes, reasons, durations, usage, checks, logs."""
    from cli.main import drive
    from cli.render.envelope import for_stream
    from orchestration.exporting.envelope import envelope
    from orchestration.exporting.markdown import markdown

    session = session_of(context)

    async def work(_: "Interrupts") -> "RunResult":
        async with session.orchestrator(looks=True) as orchestrator:
            return await orchestrator.run_result(run)

    result = drive(work)
    as_json = kind == "json" or session.json
    text = envelope("report", result.to_dict()) + "\n" if as_json else markdown(result)
    if output is None:
        session.has_given = True
        sys.stdout.write(for_stream(text, sys.stdout) if as_json else text)
        return
    write_whole(Path(output), text)
    session.remark(f"wrote {output}")
    if session.json:
        session.give("report", {"run_id": result.run_id, "file": output}, "")


def write_whole(file: Path, text: str) -> None:
    """Write a file so that it is there whole or not at all; what is no file, or a link, is written to as it stands.

    Raises:
        UsageError: it cannot be written there.
    """
    try:
        if file.is_symlink() or (file.exists() and not file.is_file()):  # a pipe, a device, /dev/stdout
            file.write_text(text, encoding="utf-8", errors="replace")
            return
        handle, temporary = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name[:40]}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8", errors="replace") as opened:
                opened.write(text)
            Path(temporary).chmod(0o666 & ~_mask())
            Path(temporary).replace(file)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise UsageError(f"{error.strerror}: cannot be written", file=file, hint="name another file") from error


def _mask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def schema(context: typer.Context, topic: Topic = None) -> None:
    """Print the JSON Schemas of what users write."""
    import json

    from orchestration.loading import agent_schema, settings_schema, task_schema

    makers = {"task": task_schema, "agent": agent_schema, "settings": settings_schema}
    data = makers[topic]() if topic else {name: make() for name, make in makers.items()}
    session_of(context).give("schema", data, json.dumps(data, indent=2))


def version(context: typer.Context) -> None:
    """Print the version."""
    give_version(session_of(context))


def give_version(session: Session) -> None:
    """Print it as the fast answer in `cli.main` does, or with `--json` what else belongs to a report of a fault."""
    import platform

    from orchestration._version import __version__

    data = {"version": __version__, "python": platform.python_version(), "platform": platform.platform()}
    session.give("version", data, f"orch {__version__}")
