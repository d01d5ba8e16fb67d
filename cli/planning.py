"""`plan` and `graph`: what would happen, and what depends on what."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import AgentName, AtOnce, Force, Labels, Phases, Priorities, TaskIds
from cli.session import Session, session_of
from cli.values import selection_of

if TYPE_CHECKING:
    from cli.interrupts import Interrupts
    from orchestration.kinds import ExecutionStatus, Mode
    from orchestration.loading import Project
    from orchestration.orchestrator import Forecast, Selection


class GraphFormat(StrEnum):
    """How a graph is drawn."""

    TREE = "tree"
    MERMAID = "mermaid"
    DOT = "dot"


GraphOption = Annotated[GraphFormat, typer.Option("--format", case_sensitive=False, help="How to draw it.")]


def plan(
    context: typer.Context,
    ids: TaskIds = None,
    max_concurrent: AtOnce = None,
    labels: Labels = None,
    phases: Phases = None,
    priorities: Priorities = None,
    agent: AgentName = None,
    force: Force = False,
) -> None:
    """Show what would run, in which order, and why each task will or will not."""
    selection = selection_of(ids, labels, phases, priorities)
    give_forecast(session_of(context), selection, max_concurrent, agent=agent, force=force)


def give_forecast(
    session: Session,
    selection: "Selection",
    max_concurrent: int | None,
    *,
    agent: str | None = None,
    mode: "Mode | None" = None,
    force: bool = False,
    backend: str | None = None,
) -> None:
    """Print what a run of the selection would do; nothing is started and nothing is written."""
    from cli.main import drive
    from cli.render.forecast import forecast_lines

    async def work(_: "Interrupts") -> "Forecast":
        async with session.orchestrator() as orchestrator:
            return await orchestrator.forecast(
                selection, max_concurrent, agent=agent, mode=mode, force=force, backend=backend
            )

    forecast = drive(work)
    lines = forecast_lines(forecast, width=session.width(), colour=session.colour_of_data)
    session.give("plan", forecast.to_dict(), lines)


def graph(context: typer.Context, kind: GraphOption = GraphFormat.TREE) -> None:
    """Draw the dependency graph."""
    from cli.main import drive

    session = session_of(context)

    async def work(_: "Interrupts") -> "tuple[Project, dict[str, ExecutionStatus]]":
        async with session.orchestrator(looks=True) as orchestrator:
            return orchestrator.project, {result.task_id: result.status for result in await orchestrator.status()}

    project, statuses = drive(work)
    text = _drawn(session, project, statuses, kind)
    session.give("graph", _data(project, statuses, kind, text if session.json else ""), text)


def _drawn(session: Session, project: "Project", statuses: "dict[str, ExecutionStatus]", kind: GraphFormat) -> str:
    titles = {task.id: task.title for task in project.tasks}
    if kind is GraphFormat.MERMAID:
        from orchestration.exporting.mermaid import mermaid

        return mermaid(project.graph, titles, statuses)
    if kind is GraphFormat.DOT:
        from orchestration.exporting.dot import dot

        return dot(project.graph, titles, statuses)
    return _tree(session, project, titles, statuses)


def _tree(session: Session, project: "Project", titles: dict[str, str], statuses: "dict[str, ExecutionStatus]") -> str:
    import sys

    from cli.render.clean import clean_line
    from cli.render.tree import ASCII, LINES, tree
    from cli.render.words import STATUS_COLOURS, STATUS_WORDS, painted

    colour = session.colour_of_data

    def label(task_id: str) -> str:
        status = statuses[task_id]
        state = painted(f"[{STATUS_WORDS[status]}]", STATUS_COLOURS.get(status), colour)
        return f"{task_id}  {state}  {clean_line(titles[task_id])}".rstrip()

    strokes = LINES if sys.stdout.encoding.lower().startswith("utf") else ASCII
    return "\n".join(tree(project.graph, label, strokes)) or "no tasks"


def _data(
    project: "Project", statuses: "dict[str, ExecutionStatus]", kind: GraphFormat, text: str
) -> dict[str, object]:
    tasks = [
        {
            "id": task.id,
            "title": task.title,
            "depends_on": list(task.depends_on),
            "status": statuses[task.id].value,
        }
        for task in project.tasks
    ]
    return {"format": kind.value, "text": text, "tasks": tasks}
