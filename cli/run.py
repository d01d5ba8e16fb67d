"""`execute-task`, `run-batch` and `resume`: the commands that do the work, watched live."""

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import (
    AgentName,
    AtOnce,
    Events,
    Force,
    Labels,
    ModeName,
    Phases,
    Priorities,
    TaskId,
    TaskIds,
    budget_option,
    refuse_both,
    seconds_option,
    selection_of,
)
from cli.session import Session, say, session_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from cli.interrupts import Interrupts
    from cli.render.watching import Watcher
    from orchestration.orchestrator import ProjectOrchestrator
    from orchestration.results import ExecutionResult, RunResult

WithDependencies = Annotated[bool, typer.Option("--with-dependencies", help="First run what it depends on.")]
FailFast = Annotated[
    bool, typer.Option("--fail-fast/--keep-going", help="At the first failure end everything, or only what needs it.")
]
FailFastAsBefore = Annotated[
    bool | None,
    typer.Option(
        "--fail-fast/--keep-going",
        help="At the first failure end everything, or only what needs it (default: as before).",
    ),
]
OpenRun = Annotated[
    str | None,
    typer.Argument(metavar="[RUN]", help="The run; without it, the newest that is open.", show_default=False),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only show what would run, and why.")]
TimeOut = Annotated[
    str | None, typer.Option("--timeout", metavar="DURATION", help="End the run after this time, such as 30m.")
]

BudgetOption = Annotated[
    str | None,
    typer.Option("--budget", metavar="BUDGET", help="Stop when it is spent: 5 (dollars), or tokens=1000000,wall=2h."),
]


def execute_task(
    context: typer.Context,
    task_id: TaskId,
    agent: AgentName = None,
    mode: ModeName = None,
    with_dependencies: WithDependencies = False,
    force: Force = False,
    events: Events = False,
) -> int:
    """Run one task.

    What it depends on has to be done, or is run first with --with-dependencies.
    """
    from cli import exit_codes
    from cli.main import drive
    from cli.render.summary import problem_of_task, task_summary

    session = session_of(context)
    refuse_both("--json", "--events", both=session.json and events)

    async def work(interrupts: "Interrupts") -> "tuple[ExecutionResult, int]":
        async with watched(session, interrupts, events=events) as (orchestrator, watcher):
            result = await orchestrator.execute_task(
                task_id, agent, mode, with_dependencies=with_dependencies, force=force, listener=watcher.hear
            )
            return result, exit_codes.of_task(result, interrupts.signal)

    result, code = drive(work)
    if not events:
        session.give("execution_result", result.to_dict(), task_summary(result, session.colour_of_data))
    if code:
        say(problem_of_task(result))
    return code


def run_batch(
    context: typer.Context,
    ids: TaskIds = None,
    max_concurrent: AtOnce = None,
    labels: Labels = None,
    phases: Phases = None,
    priorities: Priorities = None,
    fail_fast: FailFast = False,
    timeout: TimeOut = None,
    budget: BudgetOption = None,
    agent: AgentName = None,
    mode: ModeName = None,
    dry_run: DryRun = False,
    force: Force = False,
    events: Events = False,
) -> int:
    """Run the backlog, or the selected tasks, as far as possible.

    The same command again continues where the last run ended; when all is done, it does nothing.
    """
    from cli import exit_codes

    session = session_of(context)
    refuse_both("--json", "--events", both=session.json and events)
    refuse_both("--dry-run", "--events", both=dry_run and events)
    seconds, bounds = seconds_option(timeout, "--timeout"), budget_option(budget)
    selection = selection_of(ids, labels, phases, priorities)
    if dry_run:
        from cli.planning import give_forecast

        give_forecast(session, selection, max_concurrent, agent=agent, mode=mode, force=force)
        return exit_codes.SUCCESS

    async def work(orchestrator: "ProjectOrchestrator", watcher: "Watcher") -> "RunResult":
        return await orchestrator.run_batch(
            max_concurrent=max_concurrent,
            fail_fast=fail_fast,
            selection=selection,
            agent=agent,
            mode=mode,
            timeout=seconds,
            budget=bounds,
            force=force,
            listener=watcher.hear,
        )

    return _give_run(session, work, events=events)


def resume(
    context: typer.Context,
    run_id: OpenRun = None,
    max_concurrent: AtOnce = None,
    fail_fast: FailFastAsBefore = None,
    timeout: TimeOut = None,
    budget: BudgetOption = None,
    agent: AgentName = None,
    mode: ModeName = None,
    events: Events = False,
) -> int:
    """Continue a run that was interrupted or is paused.

    It goes on with its own tasks. What it had begun when orch was killed is ended first, then on_crash decides.
    """
    session = session_of(context)
    refuse_both("--json", "--events", both=session.json and events)
    seconds, bounds = seconds_option(timeout, "--timeout"), budget_option(budget)

    async def work(orchestrator: "ProjectOrchestrator", watcher: "Watcher") -> "RunResult":
        return await orchestrator.resume(
            run_id,
            max_concurrent,
            fail_fast=fail_fast,
            agent=agent,
            mode=mode,
            timeout=seconds,
            budget=bounds,
            listener=watcher.hear,
        )

    return _give_run(session, work, events=events)


def _give_run(
    session: Session,
    work: "Callable[[ProjectOrchestrator, Watcher], Awaitable[RunResult]]",
    *,
    events: bool,
) -> int:
    """Drive a run, show it, and say what came of it."""
    from cli import exit_codes
    from cli.main import drive
    from cli.render.summary import problem_of_run, run_summary

    async def watch(interrupts: "Interrupts") -> "tuple[RunResult, int, int]":
        async with watched(session, interrupts, events=events) as (orchestrator, watcher):
            run = await work(orchestrator, watcher)
            return run, watcher.progress.started, exit_codes.of_run(run, interrupts.signal)

    run, started, code = drive(watch)
    if not events and not (session.quiet and not session.json):
        session.give("run_result", run.to_dict(), run_summary(run, started, session.colour_of_data))
    if code:
        say(problem_of_run(run, started))
    return code


@asynccontextmanager
async def watched(
    session: Session, interrupts: "Interrupts", *, events: bool
) -> "AsyncIterator[tuple[ProjectOrchestrator, Watcher]]":
    """The project, somebody who shows what happens in it, and signals that end it."""
    from cli.render.progress import Progress
    from orchestration.process import become_subreaper, raise_file_limit

    raise_file_limit()
    become_subreaper()
    async with session.orchestrator() as orchestrator:
        weights = {task.id: task.estimate_hours for task in orchestrator.project.tasks if task.estimate_hours}
        async with session.watcher(Progress(weights), orchestrator.events, events=events) as watcher:
            with interrupts.end(orchestrator.stop, watcher.note):
                yield orchestrator, watcher
