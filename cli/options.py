"""Options that several commands share, as Typer is told of them."""

from typing import Annotated, Any, TypeAlias

import typer

from cli.values import MOST_AT_ONCE, whole_number
from orchestration.kinds import Mode, Priority

TaskIds: TypeAlias = Annotated[
    list[str] | None, typer.Argument(metavar="[IDS]...", help="Tasks; all without any.", show_default=False)
]
TaskId: TypeAlias = Annotated[str, typer.Argument(metavar="TASK", help="The task's id.", show_default=False)]
Labels: TypeAlias = Annotated[
    list[str] | None, typer.Option("--label", "-l", metavar="LABEL", help="Only tasks with this label (repeatable).")
]
Phases: TypeAlias = Annotated[
    list[str] | None, typer.Option("--phase", metavar="PHASE", help="Only tasks of this phase (repeatable).")
]
Priorities: TypeAlias = Annotated[
    list[Priority] | None,
    typer.Option("--priority", case_sensitive=False, help="Only tasks of this priority (repeatable)."),
]


def at_once(told: str) -> Any:  # noqa: ANN401  # as Typer says of its options
    """The option for how much runs at once; what runs, and how many without it, differs between commands."""
    number = whole_number("--max-concurrent", 1, MOST_AT_ONCE)
    return typer.Option("--max-concurrent", "-j", metavar="N", parser=number, help=told)


AtOnce: TypeAlias = Annotated[int | None, at_once("How many tasks run at once (default: the project's setting, 3).")]
AgentName: TypeAlias = Annotated[
    str | None, typer.Option("--agent", "-a", metavar="AGENT", help="Have this agent do it, whatever the task says.")
]
BackendName: TypeAlias = Annotated[
    str | None,
    typer.Option("--backend", metavar="BACKEND", help="Where it runs, whatever its agent and the settings say."),
]
Force: TypeAlias = Annotated[bool, typer.Option("--force", help="Run what is done already, too.")]
Events: TypeAlias = Annotated[bool, typer.Option("--events", help="Print every event as a line of JSON.")]
ModeName: TypeAlias = Annotated[
    Mode | None, typer.Option("--mode", case_sensitive=False, help="How it is to be done, whatever the task says.")
]
RunOption: TypeAlias = Annotated[
    str | None, typer.Option("--run", "-r", metavar="RUN", help="The run (default: the newest).", show_default=False)
]
RunArgument: TypeAlias = Annotated[
    str | None, typer.Argument(metavar="[RUN]", help="The run; without it, the newest.", show_default=False)
]
By: TypeAlias = Annotated[str, typer.Option("--by", metavar="NAME", help="Who says so.", show_default=False)]
