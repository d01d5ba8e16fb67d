"""`pipeline`: runs a pipeline or a flow that a Python file describes, watched live, kept in the project's state."""

import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from cli.options import Events, at_once
from cli.run import TimeOut
from cli.session import Session, say, session_of
from cli.values import refuse_both, seconds_option

if TYPE_CHECKING:
    from cli.interrupts import Interrupts
    from orchestration.process import LiveChildren
    from orchestration.results import RunResult
    from orchestration.steps.home import Home
    from orchestration.steps.program import Program

Target = Annotated[
    str, typer.Argument(metavar="FILE", help="The Python file; FILE:NAME for one of several.", show_default=False)
]
Params = Annotated[
    list[str] | None,
    typer.Option("--param", "-p", metavar="NAME=VALUE", help="A parameter; JSON, or else text (repeatable)."),
]
ParamsFile = Annotated[
    str | None, typer.Option("--params-file", metavar="FILE", help="Parameters from a YAML or JSON file.")
]
StepsAtOnce = Annotated[int | None, at_once("How many steps run at once (default: as many as can).")]
RunId = Annotated[
    str | None,
    typer.Option(
        "--run", "-r", metavar="RUN", help="Continue this run, or give a new one this id.", show_default=False
    ),
]


def pipeline(
    context: typer.Context,
    target: Target,
    params: Params = None,
    params_file: ParamsFile = None,
    max_concurrent: StepsAtOnce = None,
    timeout: TimeOut = None,
    run_id: RunId = None,
    events: Events = False,
) -> int:
    """Run a pipeline or a flow of a Python file.

    The same command again continues a run that was interrupted; finished steps are not run again.
    """
    from cli import exit_codes
    from cli.apart import data_apart
    from cli.described import described_in
    from cli.leaving import nobody_leaves
    from cli.main import drive
    from cli.parameters import parameters_of
    from cli.render.summary import problem_of_steps, run_summary

    session = session_of(context)
    refuse_both("--json", "--events", both=session.json and events)
    seconds = seconds_option(timeout, "--timeout")
    with (
        data_apart() if session.json or events else nullcontext() as data,
        nobody_leaves(lambda status: _left(session, data, status)),
    ):
        program, home = described_in(target)
        given = parameters_of(program, params)
        lines = data if events else None

        async def work(interrupts: "Interrupts") -> "tuple[RunResult, int, int]":
            run, started = await _run(
                session, interrupts, program, home, (given, params_file), (max_concurrent, seconds, run_id), lines
            )
            return run, started, exit_codes.of_run(run, interrupts.signal)

        run, started, code = drive(work)
    if not events and not (session.quiet and not session.json):
        session.give("run_result", run.to_dict(), run_summary(run, started, session.colour_of_data))
    if code:
        say(problem_of_steps(run))
    return code


def _left(session: Session, data: TextIO | None, status: int) -> int:
    """Say that a function has ended this process; returns the exit code."""
    from cli.problems import report
    from orchestration.errors import OrchError

    if data is not None:
        sys.stdout = data
    told = f"code of the pipeline has ended orch by os._exit({status}); what ran is cut off as by a crash"
    code = report(OrchError(told, hint="raise an error, or call sys.exit; the same command goes on"), session, ())
    sys.stdout.flush()
    sys.stderr.flush()
    return code


async def _run(
    session: Session,
    interrupts: "Interrupts",
    program: "Program",
    home: "Home",
    parameters: tuple[dict[str, Any], str | None],
    wanted: tuple[int | None, float | None, str | None],
    lines: TextIO | None,
) -> "tuple[RunResult, int]":
    from cli.render.progress import Progress
    from orchestration.process import LiveChildren, become_subreaper, end_descendants, raise_file_limit
    from orchestration.steps.control import Control
    from orchestration.steps.running import Options, run_program, run_to_continue
    from orchestration.store.sqlite import SqliteStore
    from orchestration.warden import Warden

    children, control, store = LiveChildren(Warden()), Control(), SqliteStore(_state_folder(session))
    raise_file_limit()
    become_subreaper()
    at_once, seconds, run_id = wanted
    (given, file), home = parameters, _at_home(session, home, children)

    def stop(cause: str, *, now: bool = False) -> None:
        control.suspend(cause)
        if now:
            children.kill_now()

    try:
        run_id = run_id or await run_to_continue(program, given, store, home, file)
        async with session.watcher(Progress(), store.events, events=lines is not None, data=lines) as watcher:
            with interrupts.end(stop, watcher.note):
                options = Options(
                    run_id=run_id,
                    max_concurrent=at_once,
                    deadline=seconds,
                    store=store,
                    home=home,
                    control=control,
                    listener=watcher.hear,
                    parameters_file=file,
                )
                run = await run_program(program, given, options)
        return run, watcher.progress.started
    finally:
        await end_descendants(children)
        await store.close()


def _state_folder(session: Session) -> Path:
    """The state of the project, or of this folder where there is no project."""
    from orchestration.errors import NoProject
    from orchestration.loading import STATE_FOLDER

    try:
        return session.folder / STATE_FOLDER
    except NoProject:
        return session.start / STATE_FOLDER


def _at_home(session: Session, home: "Home", children: "LiveChildren") -> "Home":
    """Where commands and agents work: as the pipeline says, else in the project, by its agents and settings."""
    from orchestration.errors import NoProject
    from orchestration.loading import load_project
    from orchestration.registry import AgentRegistry

    try:
        project = load_project(session.folder)
    except NoProject:
        return home.filled(directory=session.start, environment=session.environment, children=children)
    return home.filled(
        directory=project.root,
        registry=AgentRegistry.from_settings(project.settings),
        settings=project.settings,
        environment=session.environment,
        children=children,
    )
