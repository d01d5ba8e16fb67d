"""What `execute-task`, `run-batch` and `resume` do, watched live; whoever read the command line calls it.

It knows nothing of Typer, so that a command line that was understood without it (`cli.lean`) need not import it.
"""

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from cli.session import Session, say
from cli.values import budget_option, refuse_both, seconds_option, selection_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from cli.interrupts import Interrupts
    from cli.render.watching import Watcher
    from orchestration.kinds import Mode, Priority
    from orchestration.orchestrator import ProjectOrchestrator
    from orchestration.results import ExecutionResult, RunResult


def execute_task(
    session: Session,
    task_id: str,
    agent: str | None = None,
    mode: "Mode | None" = None,
    with_dependencies: bool = False,
    force: bool = False,
    backend: str | None = None,
    events: bool = False,
) -> int:
    """Run one task; see `cli.run`."""
    from cli import exit_codes
    from cli.main import drive
    from cli.render.summary import problem_of_task, task_summary

    refuse_both("--json", "--events", both=session.json and events)

    async def work(interrupts: "Interrupts") -> "tuple[ExecutionResult, int]":
        async with watched(session, interrupts, events=events) as (orchestrator, watcher):
            result = await orchestrator.execute_task(
                task_id,
                agent,
                mode,
                with_dependencies=with_dependencies,
                force=force,
                backend=backend,
                listener=watcher.hear,
            )
            return result, exit_codes.of_task(result, interrupts.signal)

    result, code = drive(work)
    if not events:
        session.give("execution_result", result.to_dict(), task_summary(result, session.colour_of_data))
    if code:
        say(problem_of_task(result))
    return code


def run_batch(
    session: Session,
    ids: list[str] | None = None,
    max_concurrent: int | None = None,
    labels: list[str] | None = None,
    phases: list[str] | None = None,
    priorities: "list[Priority] | None" = None,
    fail_fast: bool = False,
    timeout: str | None = None,
    budget: str | None = None,
    agent: str | None = None,
    mode: "Mode | None" = None,
    dry_run: bool = False,
    force: bool = False,
    backend: str | None = None,
    events: bool = False,
) -> int:
    """Run a selection of the backlog; see `cli.run`."""
    from cli import exit_codes

    refuse_both("--json", "--events", both=session.json and events)
    refuse_both("--dry-run", "--events", both=dry_run and events)
    seconds, bounds = seconds_option(timeout, "--timeout"), budget_option(budget)
    selection = selection_of(ids, labels, phases, priorities)
    if dry_run:
        from cli.planning import give_forecast

        give_forecast(session, selection, max_concurrent, agent=agent, mode=mode, force=force, backend=backend)
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
            backend=backend,
            listener=watcher.hear,
        )

    return _give_run(session, work, events=events)


def resume(
    session: Session,
    run_id: str | None = None,
    max_concurrent: int | None = None,
    fail_fast: bool | None = None,
    timeout: str | None = None,
    budget: str | None = None,
    agent: str | None = None,
    mode: "Mode | None" = None,
    backend: str | None = None,
    events: bool = False,
) -> int:
    """Continue a run; see `cli.run`."""
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
            backend=backend,
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
