"""`init` and `add`: the two commands that write what users otherwise write by hand. Neither replaces a file."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from cli.options import AgentName
from cli.session import session_of
from cli.values import from_stdin
from orchestration.errors import UsageError
from orchestration.kinds import Priority

if TYPE_CHECKING:
    from orchestration.loading import Project

MAX_TRIES: Final = 100
"""How many others may take the number of a new task just before us."""

Folder = Annotated[
    str | None, typer.Argument(metavar="[FOLDER]", help="It is made if it is missing.", show_default=False)
]
Title = Annotated[str, typer.Argument(metavar="TITLE", help="What is to be done.", show_default=False)]
NewId = Annotated[str | None, typer.Option("--id", metavar="ID", help="Its id (default: the next TASK-NNN).")]
Description = Annotated[
    str | None, typer.Option("--description", "-d", metavar="TEXT", help="What to do exactly; - reads standard input.")
]
DependsOn = Annotated[
    list[str] | None, typer.Option("--depends-on", metavar="ID", help="A task that has to be done before (repeatable).")
]
NewPriority = Annotated[Priority | None, typer.Option("--priority", case_sensitive=False, help="How urgent it is.")]
NewPhase = Annotated[str | None, typer.Option("--phase", metavar="PHASE", help="Where in the project it belongs.")]
NewLabels = Annotated[list[str] | None, typer.Option("--label", "-l", metavar="LABEL", help="A label (repeatable).")]
Verify = Annotated[
    list[str] | None, typer.Option("--verify", metavar="COMMAND", help="A command that must exit 0 (repeatable).")
]
Estimate = Annotated[float | None, typer.Option("--estimate-hours", metavar="HOURS", min=0, help="How long it takes.")]


def init(context: typer.Context, folder: Folder = None) -> None:
    """Make a folder a project: settings and a first task."""
    from orchestration.loading import init_project

    session = session_of(context)
    root = session.start / folder if folder else session.start
    made = [os.path.relpath(file, root.resolve()) for file in init_project(root)]
    if made:
        text = f"made {' and '.join(made)} in {root}; next: orch list, orch run-batch"
    else:
        text = f"{root} is a project already; nothing was changed"
    session.give_line("init", {"root": str(root), "made": made}, text)


def add(
    context: typer.Context,
    title: Title,
    task_id: NewId = None,
    description: Description = None,
    agent: AgentName = None,
    depends_on: DependsOn = None,
    priority: NewPriority = None,
    phase: NewPhase = None,
    labels: NewLabels = None,
    verify: Verify = None,
    estimate_hours: Estimate = None,
) -> None:
    """Add a task to the backlog."""
    from orchestration.loading import load_project, next_task_id

    if not title.strip():
        raise UsageError("the title is empty", hint="say in a line what is to be done")
    session = session_of(context)
    project = load_project(session.folder, check=False)
    written = {
        "id": task_id if task_id is not None else next_task_id(project),
        "title": title,
        "agent": agent,
        "depends_on": depends_on,
        "priority": priority.value if priority else None,
        "phase": phase,
        "labels": labels,
        "verify": verify,
        "estimate_hours": estimate_hours,
        "description": from_stdin("the description", "-d") if description == "-" else description,
    }
    fields = {name: value for name, value in written.items() if value not in (None, [])}
    file = _write(project, fields, is_named=task_id is not None)
    place = os.path.relpath(file, project.root)
    session.give_line("task", {"id": fields["id"], "title": title, "file": place}, f"added {fields['id']}: {place}")


def _write(project: "Project", fields: dict[str, Any], *, is_named: bool) -> Path:
    """Write the task's file; a number that somebody else takes at this moment is left to him.

    Raises:
        UsageError: there is such a file, or it cannot be written; and what `_check` raises.
    """
    from orchestration.loading import next_task_id, write_task
    from orchestration.models import BUILT_IN_AGENTS

    agents = {**BUILT_IN_AGENTS, **project.settings.agents}
    tried = 0
    while True:
        tried += 1
        _check(project, fields)
        try:
            return write_task(project.root, fields, folder=_folder_of(project), agents=agents)
        except UsageError as error:
            if is_named or tried == MAX_TRIES or not isinstance(error.__cause__, FileExistsError):
                raise
        fields["id"] = next_task_id(project)


def _check(project: "Project", fields: dict[str, Any]) -> None:
    """Refuse what would make the backlog unfit to be run.

    Raises:
        UsageError: the id is taken.
        UnknownTask: it is to depend on a task that does not exist.
        UnknownAgent: no such agent can do it.
    """
    from orchestration.orchestrator import Selection
    from orchestration.registry import AgentRegistry

    if place := project.places.get(fields["id"]):
        raise UsageError(f"there is a task {fields['id']} already, in {place[0]}:{place[1]}", hint="choose another id")
    Selection.of(fields.get("depends_on", ())).choose(project)
    if name := fields.get("agent"):
        AgentRegistry.from_settings(project.settings).get(name)


def _folder_of(project: "Project") -> str:
    """The first of the places for tasks that is a folder, or will be one.

    Raises:
        UsageError: all of them are files.
    """
    for place in project.settings.tasks:
        folder = project.root / place
        if folder.is_dir() or not (folder.exists() or folder.suffix):
            return place
    raise UsageError(
        f"the project's tasks are in files ({', '.join(project.settings.tasks)}), not in a folder",
        hint="add a folder to `tasks:` in orchestration.yaml, or write the task into one of the files",
    )
