"""`agents`, `agents check`, `agents test`: who there is, who is ready for work, and what an adapter understands."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import typer

from cli.session import say, session_of
from cli.values import whole_number

if TYPE_CHECKING:
    from cli.interrupts import Interrupts
    from orchestration.adapters import Adapter, End
    from orchestration.orchestrator.agents import AgentCheck
    from orchestration.orchestrator.replaying import Replay

MAX_STDERR: Final = 16 * 1024 * 1024
"""Bytes of recorded standard error, and of a side file, that are read."""

Names = Annotated[
    list[str] | None, typer.Argument(metavar="[NAMES]...", help="Agents; all without any.", show_default=False)
]
Probe = Annotated[bool, typer.Option("--probe", help="Have each do a trivial task, which costs a little.")]
AdapterName = Annotated[
    str, typer.Argument(metavar="ADAPTER", help="A preset, or an adapter file.", show_default=False)
]
Transcripts = Annotated[
    list[str],
    typer.Argument(metavar="TRANSCRIPT...", help="Files with what the agent printed.", show_default=False),
]
ExitCode = Annotated[
    int | None,
    typer.Option(
        "--exit-code", parser=whole_number("--exit-code", 0, 255), metavar="N", help="How it exited (default: 0)."
    ),
]
Signal = Annotated[
    int | None,
    typer.Option("--signal", parser=whole_number("--signal", 1, 64), metavar="N", help="The signal that ended it."),
]
EndedBy = Annotated[
    Literal["itself", "timeout", "idle_timeout", "first_output", "cancelled", "lingering", "budget"],
    typer.Option("--ended-by", metavar="WORD", help="Who ended it, such as idle_timeout (default: itself)."),
]
StderrFile = Annotated[
    str | None, typer.Option("--stderr", metavar="FILE", help="What it printed on standard error.", show_default=False)
]
SideFiles = Annotated[
    list[str] | None,
    typer.Option("--side-file", metavar="FILE", help="A file that it left beside its output (repeatable)."),
]


def agents(context: typer.Context) -> None:
    """List the agents that tasks can be given to."""
    if context.invoked_subcommand is not None:
        return
    from cli.main import drive
    from cli.render.agents import agent_rows
    from cli.render.tables import table

    session = session_of(context)

    async def work(_: "Interrupts") -> list[dict[str, Any]]:
        async with session.orchestrator(looks=True) as orchestrator:
            for fault in orchestrator.registry.look_for_plugins():
                say(f"warning: {fault}{f' ({fault.hint})' if fault.hint else ''}")
            return [
                {
                    "name": name,
                    "kind": agent.kind,
                    "model": getattr(agent, "model", None),
                    "account": agent.account,
                    "enabled": agent.enabled,
                    "capabilities": list(agent.capabilities),
                    "description": agent.description,
                }
                for name, agent in orchestrator.registry.items()
            ]

    data = drive(work)
    header = ("AGENT", "KIND", "MODEL", "ACCOUNT", "ENABLED", "CAPABILITIES")
    text = table(header, agent_rows(data), width=session.width(), colour=session.colour_of_data)
    session.give("agents", {"agents": data}, text)


def check(context: typer.Context, names: Names = None, probe: Probe = False) -> int:
    """Say which agents are installed and ready, and which version.

    Only what tasks use, or is named, decides the exit code.
    """
    from cli import exit_codes
    from cli.main import drive
    from cli.render.agents import check_lines, problem_of_agents

    session = session_of(context)

    async def work(_: "Interrupts") -> "list[AgentCheck]":
        async with session.orchestrator() as orchestrator:
            return await orchestrator.check_agents(names or (), probe=probe)

    found = drive(work)
    lines = check_lines(found, named=bool(names), width=session.width(), colour=session.colour_of_data)
    session.give("agents_check", {"agents": [one.to_dict() for one in found]}, lines)
    wrong = [one for one in found if one.problems and one.agent.enabled and (names or one.used_by)]
    if not wrong:
        return exit_codes.SUCCESS
    say(problem_of_agents(wrong))
    return exit_codes.AGENT_MISSING if all(one.missing for one in wrong) else exit_codes.FAILED


def replay(
    context: typer.Context,
    adapter: AdapterName,
    transcripts: Transcripts,
    exit_code: ExitCode = None,
    signal: Signal = None,
    ended_by: EndedBy = "itself",
    stderr: StderrFile = None,
    side_files: SideFiles = None,
) -> None:
    """Show what an adapter makes of recorded output.

    Without --exit-code and --signal it is taken to have exited with 0.
    """
    from cli.render.agents import replay_lines
    from cli.values import refuse_both
    from orchestration.adapters import End

    session = session_of(context)
    refuse_both("--exit-code", "--signal", both=exit_code is not None and signal is not None)
    found = _adapter(adapter)
    complaint = _bytes_of(stderr) if stderr is not None else b""
    beside = {str(Path(name).absolute()): _bytes_of(name).decode("utf-8", "replace") for name in side_files or ()}
    end = End(
        exit_code=None if signal is not None else exit_code or 0,
        signal=signal,
        ended_by=ended_by,
        stderr_tail=complaint[-64 * 1024 :].decode("utf-8", "replace"),
    )
    replays = [(name, _replay(found, name, end, complaint, beside)) for name in transcripts]
    data = {"adapter": found.name, "transcripts": [{"file": name, **replay.to_dict()} for name, replay in replays]}
    session.give("agents_test", data, replay_lines(replays, width=session.width(), colour=session.colour_of_data))


def _adapter(name: str) -> "Adapter":
    """The preset, or the file; raises InvalidProject, and UsageError for a name that is neither."""
    from orchestration.errors import UsageError
    from orchestration.graph import nearest
    from orchestration.loading.adapters import PRESETS, load_adapter

    path = Path(name)
    if name not in PRESETS and not path.exists():
        hint = nearest(name, PRESETS) or f"presets: {', '.join(PRESETS)}; or name an adapter file"
        raise UsageError(f"{name!r} is neither a preset nor a file", hint=hint)
    return load_adapter(path)


def _replay(
    adapter: "Adapter",
    name: str,
    end: "End",
    complaint: bytes,
    beside: dict[str, str],
) -> "Replay":
    from orchestration.orchestrator.replaying import replayed

    try:
        with Path(name).open("rb") as transcript:
            return replayed(adapter, transcript, end, stderr=complaint, side_files=beside)
    except OSError as error:
        raise _unreadable(name, error) from error


def _bytes_of(name: str) -> bytes:
    try:
        with Path(name).open("rb") as file:
            return file.read(MAX_STDERR)
    except OSError as error:
        raise _unreadable(name, error) from error


def _unreadable(name: str, error: OSError) -> Exception:
    from orchestration.errors import UsageError

    return UsageError(f"{(error.strerror or str(error)).lower()}: cannot be read", file=name, hint="name another file")
