"""`execute-task`, `run-batch` and `resume`: the commands that do the work, as Typer is told of them.

What they do is in `cli.doing`; `cli.lean` reads their usual command lines, and a test holds its table to this one.
"""

from typing import Annotated

import typer

from cli import doing
from cli.options import (
    AgentName,
    AtOnce,
    BackendName,
    Events,
    Force,
    Labels,
    ModeName,
    Phases,
    Priorities,
    TaskId,
    TaskIds,
    at_once,
)
from cli.session import session_of

WithDependencies = Annotated[bool, typer.Option("--with-dependencies", help="First run what it depends on.")]
FailFast = Annotated[
    bool, typer.Option("--fail-fast/--keep-going", help="At the first failure end everything, or only what needs it.")
]
AtOnceAsBefore = Annotated[int | None, at_once("How many tasks run at once (default: as many as before).")]
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
    backend: BackendName = None,
    events: Events = False,
) -> int:
    """Run one task.

    What it depends on has to be done, or is run first with --with-dependencies.
    """
    return doing.execute_task(session_of(context), task_id, agent, mode, with_dependencies, force, backend, events)


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
    backend: BackendName = None,
    events: Events = False,
) -> int:
    """Run the backlog, or the selected tasks, as far as possible.

    The same command again continues where the last run ended; when all is done, it does nothing.
    """
    return doing.run_batch(
        session_of(context),
        ids,
        max_concurrent,
        labels,
        phases,
        priorities,
        fail_fast,
        timeout,
        budget,
        agent,
        mode,
        dry_run,
        force,
        backend,
        events,
    )


def resume(
    context: typer.Context,
    run_id: OpenRun = None,
    max_concurrent: AtOnceAsBefore = None,
    fail_fast: FailFastAsBefore = None,
    timeout: TimeOut = None,
    budget: BudgetOption = None,
    agent: AgentName = None,
    mode: ModeName = None,
    backend: BackendName = None,
    events: Events = False,
) -> int:
    """Continue a run that was interrupted or is paused.

    It goes on with its own tasks. What it had begun when orch was killed is ended first, then on_crash decides.
    """
    return doing.resume(
        session_of(context), run_id, max_concurrent, fail_fast, timeout, budget, agent, mode, backend, events
    )
