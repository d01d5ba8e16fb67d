"""`logs` and `events`: what tasks printed and what happened, once or followed while it goes on."""

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import RunArgument, RunOption, TaskId
from cli.render.envelope import for_stream
from cli.render.pouring import LogPrinter
from cli.session import Session, session_of
from cli.values import refuse_both, whole_number
from orchestration.exporting.envelope import event_line
from orchestration.orchestrator.following import SECONDS_BETWEEN_LOOKS, Followed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cli.interrupts import Interrupts
    from orchestration.events import Event
    from orchestration.orchestrator import ProjectOrchestrator

Attempt = Annotated[
    int | None,
    typer.Option("--attempt", parser=whole_number("--attempt", 1), metavar="N", help="Which try (default: the last)."),
]
Stderr = Annotated[bool, typer.Option("--stderr", help="What it printed on standard error.")]
Follow = Annotated[bool, typer.Option("--follow", "-f", help="Go on until it ends.")]
Since = Annotated[
    int | None,
    typer.Option("--since", parser=whole_number("--since", 0), metavar="SEQ", help="Only events after this one."),
]


def logs(
    context: typer.Context,
    task_id: TaskId,
    run: RunOption = None,
    attempt: Attempt = None,
    stderr: Stderr = False,
    follow: Follow = False,
) -> None:
    """Print what a task's attempt printed.

    With --follow also what it prints from now on, and what the attempts after it print, until the task has ended.
    """
    from cli.main import drive

    session = session_of(context)
    refuse_both("--json", "--follow", both=session.json and follow)
    name = "stderr.log" if stderr else "stdout.log"

    async def work(_: "Interrupts") -> None:
        async with session.orchestrator(looks=True) as orchestrator:
            live = await _live_run(orchestrator, task_id, run) if follow else None
            if live is not None:
                followed = Followed(task_id)
                await _follow(orchestrator, live, followed, attempt, name)
                _tell_if_cut_off(session, live, followed)
                return
            folder = await orchestrator.log_folder(task_id, run, attempt)
            if session.json:
                _give_log(session, task_id, folder)
            else:
                LogPrinter(folder, name).print_to_the_end()

    drive(work)


def events(context: typer.Context, run: RunArgument = None, since: Since = None, follow: Follow = False) -> None:
    """Print the events of a run as JSON lines."""
    from cli.main import drive

    session = session_of(context)
    refuse_both("--json", "--follow", both=session.json and follow)

    async def work(_: "Interrupts") -> None:
        async with session.orchestrator(looks=True) as orchestrator:
            if session.json:
                from orchestration.events import to_dict

                found = await orchestrator.events(run, since or 0)
                session.give("events", [to_dict(event) for event in found], "")
            else:
                await _print_events(session, orchestrator, run, since or 0, follow=follow)

    drive(work)


def _give_log(session: Session, task_id: str, folder: Path) -> None:
    data: dict[str, object] = {"task_id": task_id, "folder": str(folder)}
    for name in ("stdout", "stderr"):
        file = folder / f"{name}.log"
        data[name] = file.read_text(encoding="utf-8", errors="replace") if file.exists() else ""
    session.give("logs", data, "")


async def _live_run(orchestrator: "ProjectOrchestrator", task_id: str, run: str | None) -> str | None:
    """The run in which the task may print something now: the given one or the newest with it, if it goes on."""
    for record in await orchestrator.runs():
        if record.run_id == run or (run is None and task_id.partition("/")[0] in record.tasks):
            return record.run_id if orchestrator.store.is_live(record.run_id) else None
    return None


async def _follow(
    orchestrator: "ProjectOrchestrator", run: str, followed: Followed, attempt: int | None, name: str
) -> None:
    """Print the log of an attempt, which need not have begun yet, and unless it was asked for, of those after it."""
    task_id = followed.task_id or ""
    await _look(orchestrator, run, followed)
    number = attempt or followed.begun or 1
    if not await _has_begun(orchestrator, run, followed, number):
        LogPrinter(await orchestrator.log_folder(task_id, None, attempt), name).print_to_the_end()  # of an earlier run
        return
    while True:
        log = LogPrinter(await orchestrator.log_folder(task_id, run, number), name)
        while not followed.has_ended(number):
            log.print_what_is_new()
            await asyncio.sleep(SECONDS_BETWEEN_LOOKS)
            await _look(orchestrator, run, followed)
        log.print_to_the_end()  # what it wrote was there before its end was known
        number += 1
        if attempt is not None or not await _has_begun(orchestrator, run, followed, number):
            return


async def _has_begun(orchestrator: "ProjectOrchestrator", run: str, followed: Followed, number: int) -> bool:
    """Wait until an attempt has begun; False if it never will."""
    while (followed.begun or 0) < number:
        if followed.is_over:
            return False
        await asyncio.sleep(SECONDS_BETWEEN_LOOKS)
        await _look(orchestrator, run, followed)
    return True


async def _look(orchestrator: "ProjectOrchestrator", run: str, followed: Followed) -> "Sequence[Event]":
    """Learn what is new; a run that nobody owns any more is over, whatever its last event says."""
    live = orchestrator.store.is_live(run)
    new = await orchestrator.events(run, followed.seq)
    followed.hear(new)
    if not live:
        followed.hear_that_it_is_at_rest()
    return new


def _tell_if_cut_off(session: Session, run: str, followed: Followed) -> None:
    """That nothing more comes is no end of what was followed."""
    if followed.cut_off:
        session.remark(f"run {run} was interrupted, as whoever drove it is dead; to go on: orch resume {run}")


async def _print_events(
    session: Session, orchestrator: "ProjectOrchestrator", run: str | None, since: int, *, follow: bool
) -> None:
    """Print the events after a number, and those that come, until the run has ended or paused."""
    run = run or (await orchestrator.run_result()).run_id
    followed = Followed()
    while True:
        for event in await _look(orchestrator, run, followed):
            if event.seq > since:
                sys.stdout.write(for_stream(event_line(event), sys.stdout))
        sys.stdout.flush()
        if not follow:
            return
        if followed.is_over:
            _tell_if_cut_off(session, run, followed)
            return
        await asyncio.sleep(SECONDS_BETWEEN_LOOKS)
