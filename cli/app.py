"""The command line as a whole: which commands there are, where each lives, and the options that all of them take.

A command's module is imported when that command runs, and for nobody else: `orch list` does not pay for `orch graph`,
and `orch --help` reads the table below. Global options are understood before the command and behind it.
"""

import importlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import typer
from typer.core import TyperGroup, TyperOption
from typer.main import get_command

from orchestration.errors import UsageError
from orchestration.records import dataclass

if TYPE_CHECKING:
    from cli.session import Session

HELP: Final = "Get the tasks of a project done by agents, as one dependency graph."


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a command lives, and its line in the list of commands (a test holds it equal to the docstring's first)."""

    module: str
    function: str
    help: str


COMMANDS: Final[Mapping[str, Entry]] = {  # a name of two words is a command of the first one's
    "init": Entry("cli.writing", "init", "Make a folder a project: settings and a first task."),
    "add": Entry("cli.writing", "add", "Add a task to the backlog."),
    "list": Entry("cli.backlog", "list_tasks", "List the tasks with their state."),
    "show": Entry("cli.backlog", "show", "Show everything about one task."),
    "next": Entry("cli.backlog", "next_tasks", "List the tasks that could start now, in order."),
    "validate": Entry("cli.backlog", "validate", "Check settings and tasks; list all problems with their place."),
    "plan": Entry("cli.planning", "plan", "Show what would run, in which order, and why each task will or will not."),
    "graph": Entry("cli.planning", "graph", "Draw the dependency graph."),
    "execute-task": Entry("cli.run", "execute_task", "Run one task."),
    "run-batch": Entry("cli.run", "run_batch", "Run the backlog, or the selected tasks, as far as possible."),
    "pipeline": Entry("cli.pipeline", "pipeline", "Run a pipeline or a flow of a Python file."),
    "resume": Entry("cli.run", "resume", "Continue a run that was interrupted or is paused."),
    "status": Entry("cli.runs", "status", "Show how far the backlog is, and what runs."),
    "runs": Entry("cli.runs", "runs", "List the runs, newest first."),
    "logs": Entry("cli.logs", "logs", "Print what a task's attempt printed."),
    "events": Entry("cli.logs", "events", "Print the events of a run as JSON lines."),
    "why": Entry("cli.runs", "why", "Explain why a task is in its state."),
    "cancel": Entry("cli.answers", "cancel", "Cancel a run or a task."),
    "complete": Entry("cli.answers", "complete", "Say that a task which waits for a person is done."),
    "fail": Entry("cli.answers", "fail", "Say that a task which waits for a person cannot be done."),
    "approve": Entry("cli.answers", "approve", "Approve a task that waits to start, or its result."),
    "reject": Entry("cli.answers", "reject", "Refuse a task that waits to start, or its result."),
    "retry": Entry("cli.answers", "retry", "Reopen tasks, so that the next run does them again."),
    "report": Entry("cli.reports", "report", "Report on a run: outcomes, reasons, durations, usage, checks, logs."),
    "agents": Entry("cli.agents", "agents", "List the agents that tasks can be given to."),
    "agents check": Entry("cli.agents", "check", "Say which agents are installed and ready, and which version."),
    "agents test": Entry("cli.agents", "replay", "Show what an adapter makes of recorded output."),
    "doctor": Entry("cli.doctor", "doctor", "Look the state over: the database, what dead runs left, the disk."),
    "backup": Entry("cli.doctor", "backup", "Make a verified copy of the state; it never replaces a file."),
    "restore": Entry("cli.doctor", "restore", "Put a backup in place of the state, which is kept as a backup."),
    "serve": Entry("cli.serve", "serve", "Serve the project over HTTP: a board, REST, server-sent events."),
    "schema": Entry("cli.reports", "schema", "Print the JSON Schemas of what users write."),
    "version": Entry("cli.reports", "version", "Print the version."),
}


NOT_YET: Final[Mapping[str, str]] = {
    "merge": "tasks work in the project's folder, so there is nothing to merge",
    "export": "orch report --json has what there is to export",
    "clean": "what a run has left is in .orchestration/runs, a folder for each run",
}
"""Commands that are planned and not there yet, and what there is instead."""


class Commands(TyperGroup):
    """A group of commands, each of which is built when it is asked for: all of them, or those of one command."""

    family = ""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ANN401, ARG002  # Typer's context, of whichever version
        """The names, in the order of the table."""
        return [name.removeprefix(self.family) for name in COMMANDS if name.startswith(self.family)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ANN401, ARG002  # as above
        """Import and build one command.

        Raises:
            UsageError: there is no such command.
        """
        entry = COMMANDS.get(self.family + cmd_name)
        if entry is None and self.family + cmd_name in NOT_YET:
            raise UsageError(f"this version has no command {cmd_name!r} yet", hint=NOT_YET[cmd_name])
        if entry is None:
            raise UsageError(f"there is no command {self.family + cmd_name!r}", hint=self._hint_for(cmd_name))
        return build(self.family + cmd_name, entry)

    def _hint_for(self, name: str) -> str:
        from orchestration.graph import nearest

        known = [known for known in COMMANDS if known.startswith(self.family)]
        return nearest(self.family + name, known) or f"orch {self.family}--help lists the commands"

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401  # as above
        """List the commands from the table, without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[self.family + name].help) for name in self.list_commands(ctx)])


def build(name: str, entry: Entry) -> Any:  # noqa: ANN401  # Typer's command, of whichever version
    """The command, with the global options behind its own."""
    function = getattr(importlib.import_module(entry.module), entry.function)
    family = f"{name} "
    if any(other.startswith(family) for other in COMMANDS):
        command: Any = get_command(_group(function, invoke_without_command=True))
        command.family, command.name = family, name.rpartition(" ")[2]
    else:
        single = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
        single.command(name.rpartition(" ")[2])(function)
        command = get_command(single)
    command.params.extend(global_options())
    return command


def _group(function: Callable[..., Any], *, invoke_without_command: bool) -> typer.Typer:
    app = typer.Typer(
        cls=Commands,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        invoke_without_command=invoke_without_command,
    )
    app.callback()(function)
    return app


def application() -> Any:  # noqa: ANN401  # Typer's group, of whichever version
    """The whole command line."""
    group = get_command(_group(_nothing, invoke_without_command=False))
    group.help = HELP
    group.params.extend([*global_options(), _version_option()])
    return group


def _nothing() -> None:
    pass


def global_options() -> list[TyperOption]:
    """New options that write into the session; one that is not given leaves it as it is."""
    return [
        _option("root", ["-C", "--project-root"], "The project's folder, instead of looking upward.", metavar="FOLDER"),
        _option("json", ["--json"], "Print one JSON document instead of text."),
        _option("quiet", ["--quiet", "-q"], "Print no progress, only data and problems."),
        _option("no_color", ["--no-color"], "Plain text: no colours, no live display."),
    ]


def _option(field: str, names: list[str], text: str, metavar: str | None = None) -> TyperOption:
    def remember(ctx: Any, _option: object, value: object) -> None:  # noqa: ANN401  # as above
        session: Session = ctx.find_root().obj
        if value is not None and value is not False:
            setattr(session, field, value)

    return TyperOption(
        param_decls=[*names, f"global_{field}"],
        help=text,
        metavar=metavar,
        is_flag=metavar is None,
        default=None if metavar else False,
        type=str if metavar else None,
        callback=remember,
        expose_value=False,
        show_default=False,
    )


def _version_option() -> TyperOption:
    """Only for the list of options: what it does is done before Typer is imported, or as the command `version`."""

    def answer(ctx: Any, _option: object, value: object) -> None:  # noqa: ANN401  # as above
        if value and not ctx.resilient_parsing:
            from cli.reports import give_version

            give_version(ctx.find_root().obj)
            ctx.exit()

    return TyperOption(
        param_decls=["--version", "global_version"],
        help="Print the version.",
        is_flag=True,
        default=False,
        callback=answer,
        expose_value=False,
        show_default=False,
    )
