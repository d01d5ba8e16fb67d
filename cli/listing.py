"""The tasks with their state: what `list` prints, and what others say of a task too. It knows nothing of Typer."""

from typing import TYPE_CHECKING

from cli.render.tables import Cell, table
from cli.render.words import STATUS_COLOURS, STATUS_WORDS
from cli.session import Session
from cli.values import selection_of
from orchestration.exporting.facts import status_of, task_facts
from orchestration.kinds import ExecutionStatus

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cli.interrupts import Interrupts
    from orchestration.kinds import Priority
    from orchestration.loading import Project
    from orchestration.models import Task
    from orchestration.results import ExecutionResult


def list_tasks(
    session: Session,
    labels: list[str] | None = None,
    phases: list[str] | None = None,
    priorities: "list[Priority] | None" = None,
    statuses: list[ExecutionStatus] | None = None,
) -> None:
    """List the tasks with their state; see `cli.backlog`."""
    project, results = backlog_of(session)
    selection = selection_of(None, labels, phases, priorities)
    chosen = [task for task in selection.choose(project) if not statuses or status_of(results, task) in statuses]
    data = [task_facts(project, task, results) for task in chosen]
    rows = [_row(task, status_of(results, task)) for task in chosen]
    header = ("TASK", "STATE", "PRIORITY", "PHASE", "AGENT", "TITLE")
    text = table(header, rows, width=session.width(), colour=session.colour_of_data) if rows else "no tasks"
    session.give("task_list", {"tasks": data}, text)


def backlog_of(session: Session) -> "tuple[Project, Mapping[str, ExecutionResult]]":
    """The project and how its tasks stand; of a project that is not fit to be run, what can be read."""
    from cli.main import drive

    async def work(_: "Interrupts") -> "tuple[Project, list[ExecutionResult]]":
        async with session.orchestrator(looks=True) as orchestrator:
            return orchestrator.project, await orchestrator.status()

    project, results = drive(work)
    return project, {result.task_id: result for result in results}


def _row(task: "Task", status: ExecutionStatus) -> tuple[str | Cell, ...]:
    state = Cell(STATUS_WORDS[status], STATUS_COLOURS.get(status))
    return (task.id, state, task.priority.value, task.phase or "", task.agent or "", task.title)
