"""`list`, `show`, `next`, `validate`: the backlog as it is written, with the state of each task."""

import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import listing
from cli.listing import backlog_of
from cli.options import AgentName, Labels, ModeName, Phases, Priorities, TaskId
from cli.render.clean import clean, clean_line
from cli.render.tables import table
from cli.render.words import STATUS_WORDS, count, hours, listed
from cli.session import Session, session_of
from orchestration.errors import UsageError
from orchestration.exporting.facts import task_details
from orchestration.kinds import ExecutionStatus, Mode

if TYPE_CHECKING:
    from cli.interrupts import Interrupts
    from orchestration.loading import Project
    from orchestration.orchestrator import ForecastTask, ProjectOrchestrator
    from orchestration.results import ExecutionResult

Statuses = Annotated[
    list[ExecutionStatus] | None,
    typer.Option("--status", case_sensitive=False, help="Only tasks in this state (repeatable)."),
]

Prompt = Annotated[bool, typer.Option("--prompt", help="Only what would be sent next, to the letter.")]

_TO_DO = frozenset({ExecutionStatus.PENDING, ExecutionStatus.NEEDS_INPUT})
_SATISFIED = frozenset({ExecutionStatus.SUCCESS, ExecutionStatus.SKIPPED})


def list_tasks(
    context: typer.Context,
    labels: Labels = None,
    phases: Phases = None,
    priorities: Priorities = None,
    statuses: Statuses = None,
) -> None:
    """List the tasks with their state."""
    listing.list_tasks(session_of(context), labels, phases, priorities, statuses)


def show(
    context: typer.Context, task_id: TaskId, prompt: Prompt = False, agent: AgentName = None, mode: ModeName = None
) -> None:
    """Show everything about one task.

    With --prompt only what would be sent next to whoever does it, with secrets masked.
    """
    from orchestration.orchestrator import Selection

    session = session_of(context)
    if prompt:
        _give_prompt(session, task_id, agent, mode)
        return
    if agent is not None or mode is not None:
        raise UsageError("--agent and --mode belong to --prompt", hint=f"orch show {task_id} --prompt --agent AGENT")
    project, results = backlog_of(session)
    (task,) = Selection.of([task_id]).choose(project)
    result = results.get(task_id)
    data = task_details(project, task, results)
    session.give("task", data, _details(data, result))


def _give_prompt(session: Session, task_id: str, agent: str | None, mode: Mode | None) -> None:
    """On a terminal, control sequences are taken out; elsewhere it is the text to the letter."""
    from cli.main import drive

    async def work(_: "Interrupts") -> str:
        async with session.orchestrator() as orchestrator:
            return await orchestrator.prompt(task_id, agent, mode)

    text = drive(work)
    session.give("prompt", {"task_id": task_id, "prompt": text}, clean(text) if sys.stdout.isatty() else text)


def _details(data: Mapping[str, Any], result: "ExecutionResult | None") -> Iterator[str]:
    title = clean_line(data["title"])
    yield f"{data['id']}: {title}" if title else data["id"]
    state = STATUS_WORDS[data["status"]]
    yield f"  state        {state}{f', {clean_line(result.reason)}' if result and result.reason else ''}"
    yield f"  written in   {clean_line(data['file'])}:{data['line']}"
    for name in ("agent", "priority", "phase", "labels", "depends_on", "needed_by", "estimate_hours", "deliverables"):
        if (value := data[name]) not in (None, [], ()):
            yield f"  {name:<12} {_shown(name, value)}"
    for name in ("acceptance", "verify"):
        for item in data[name]:
            yield f"  {name:<12} {clean_line(item)}"
    if result is not None:
        yield from _came_of(result)
    if description := clean(data["description"]).strip():
        yield ""
        yield from (f"  {line}".rstrip() for line in description.split("\n"))
    if result is not None and (asked := clean(str(result.metadata.get("prompt") or "")).strip()):
        yield from ("", "  waits for a person:")
        yield from (f"    {line}".rstrip() for line in asked.split("\n"))


def _came_of(result: "ExecutionResult") -> Iterator[str]:
    """What its attempts used and changed, and the parts that it became."""
    from orchestration.exporting.spent import legs_of, spent_in

    if spent := spent_in([result]):
        yield f"  {'used':<12} {spent}"
    if changed := result.metadata.get("changed_files"):
        yield f"  {'changed':<12} {clean_line(listed(map(str, changed), 10))}"
    for leg in legs_of(result):
        failed = f", {leg.failure.value}" if leg.failure else ""
        by = f", by {leg.agent}" if leg.agent else ""
        words = f"{leg.task_id}: {STATUS_WORDS[leg.status]}{failed}{by}"
        yield f"    {clean_line(words)}"


def _shown(name: str, value: object) -> str:
    if name == "estimate_hours" and isinstance(value, float | int):
        return hours(value)
    return clean_line(", ".join(map(str, value)) if isinstance(value, list) else str(value))


def next_tasks(context: typer.Context) -> None:
    """List the tasks that could start now, in order."""
    from cli.main import drive

    session = session_of(context)

    async def work(_: "Interrupts") -> "list[ForecastTask]":
        async with session.orchestrator() as orchestrator:
            return await _ready(orchestrator)

    ready = drive(work)
    data = [_facts(task) for task in ready if task.waits_until is None]
    resting = [_facts(task) | {"until": task.waits_until} for task in ready if task.waits_until is not None]
    rows = [(task["id"], task["priority"], task["agent"], task["title"]) for task in data]
    text = table(("TASK", "PRIORITY", "AGENT", "TITLE"), rows, width=session.width(), colour=session.colour_of_data)
    nothing = "nothing could start now; see: orch plan"
    session.give("next", {"tasks": data, "resting": resting}, text if rows else nothing)
    if not session.json:
        for task in resting:
            session.remark(f"not now: {task['id']}: {task['why']}")


def _facts(task: "ForecastTask") -> dict[str, Any]:
    return {
        "id": task.task_id,
        "title": task.title,
        "priority": task.priority,
        "agent": task.agent,
        "why": task.why,
    }


async def _ready(orchestrator: "ProjectOrchestrator") -> "list[ForecastTask]":
    """Tasks that wait for no other: first those that would run, in order, then those that a person has to do."""
    forecast = await orchestrator.forecast(max_concurrent=max(1, len(orchestrator.project.tasks)))
    states = {result.task_id: result.status for result in await orchestrator.status()}
    coming = {task.task_id for task in forecast.tasks if task.will_run or task.claimed_by}
    people = {name for name, agent in orchestrator.registry.items() if agent.kind == "interactive"}
    return [
        task
        for task in forecast.tasks
        if (task.will_run and not coming.intersection(task.depends_on))
        or (
            task.agent in people
            and states[task.task_id] in _TO_DO
            and all(states[need] in _SATISFIED for need in task.depends_on)
        )
    ]


def validate(context: typer.Context) -> None:
    """Check settings and tasks; list all problems with their place."""
    from orchestration.errors import InvalidProject
    from orchestration.loading import check_fit, load_project

    session = session_of(context)
    project = load_project(session.folder, check=False)
    for warning in project.warnings:
        session.remark(f"warning: {warning}")
    found = {"tasks": len(project.tasks), "warnings": [warning.to_dict() for warning in project.warnings]}
    try:
        check_fit(project)
    except InvalidProject as error:
        error.facts = {"valid": False, **found}
        raise
    session.give("validation", {"valid": True, "problems": [], **found}, _verdict(project))


def _verdict(project: "Project") -> str:
    agents = count(len(project.settings.agents), "agent")
    warnings = f", {count(len(project.warnings), 'warning')}" if project.warnings else ""
    return f"{count(len(project.tasks), 'task')} and {agents}: no problems{warnings}"
