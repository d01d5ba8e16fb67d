"""What a person decides about tasks and runs, from any terminal: done, failed, approved, rejected, cancelled, again."""

import contextlib
import os
import pwd
from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.options import By, TaskId
from cli.render.words import count, listed
from cli.session import Session, session_of
from cli.values import from_stdin, refuse_both
from orchestration.errors import UsageError

if TYPE_CHECKING:
    from cli.interrupts import Interrupts
    from orchestration.results import ExecutionResult

Output = Annotated[
    str | None, typer.Option("--output", "-o", metavar="TEXT", help="What came of it; - reads standard input.")
]
Values = Annotated[
    list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A value for the tasks after it (repeatable).")
]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why.", show_default=False)]
Note = Annotated[str | None, typer.Option("--note", metavar="TEXT", help="What is to be said about it.")]
SameAsNote = Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="The same as --note.")]
Target = Annotated[str, typer.Argument(metavar="TARGET", help="A run or a task.", show_default=False)]
RetryIds = Annotated[list[str] | None, typer.Argument(metavar="[IDS]...", help="Tasks.", show_default=False)]
AllFailed = Annotated[bool, typer.Option("--failed", help="All that failed, were cancelled, or are blocked by it.")]


def complete(
    context: typer.Context, task_id: TaskId, output: Output = None, values: Values = None, by: By = ""
) -> None:
    """Say that a task which waits for a person is done.

    Its checks run first; if one fails, the task still waits. With `approve: after`, what came of it then waits for
    approval.
    """
    session = session_of(context)
    outputs = dict(_pair(text) for text in values or [])
    if output == "-":
        output = from_stdin("the output", "-o").rstrip("\r\n")  # as of what programs print

    async def work(_: "Interrupts") -> "ExecutionResult":
        async with session.orchestrator() as orchestrator:
            return await orchestrator.complete(task_id, output=output, outputs=outputs, by=by or _person(session))

    _give(session, work)


def fail(context: typer.Context, task_id: TaskId, reason: Reason, by: By = "") -> None:
    """Say that a task which waits for a person cannot be done."""
    session = session_of(context)

    async def work(_: "Interrupts") -> "ExecutionResult":
        async with session.orchestrator() as orchestrator:
            return await orchestrator.fail(task_id, reason, by=by or _person(session))

    _give(session, work)


def approve(context: typer.Context, task_id: TaskId, note: Note = None, by: By = "") -> None:
    """Approve a task that waits to start, or its result."""
    session = session_of(context)

    async def work(_: "Interrupts") -> "ExecutionResult":
        async with session.orchestrator() as orchestrator:
            return await orchestrator.approve(task_id, note=note or "", by=by or _person(session))

    _give(session, work)


def reject(context: typer.Context, task_id: TaskId, note: Note = None, reason: SameAsNote = None, by: By = "") -> None:
    """Refuse a task that waits to start, or its result.

    A task that may not start is cancelled; one whose result is refused is tried again if its `retry` allows.
    """
    session = session_of(context)
    refuse_both("--note", "--reason", both=note is not None and reason is not None)

    async def work(_: "Interrupts") -> "ExecutionResult":
        async with session.orchestrator() as orchestrator:
            return await orchestrator.reject(task_id, note or reason or "", by=by or _person(session))

    _give(session, work)


def cancel(context: typer.Context, target: Target, reason: Reason = "") -> None:
    """Cancel a run or a task.

    Returns when everything that it ran has ended.
    """
    from cli.main import drive

    session = session_of(context)

    async def work(_: "Interrupts") -> list[str]:
        async with session.orchestrator(looks=True) as orchestrator:
            return await orchestrator.cancel(target, reason=reason)

    ids = drive(work)
    session.give_line("cancelled", {"target": target, "tasks": ids}, _said("cancelled", ids))


def retry(context: typer.Context, ids: RetryIds = None, failed: AllFailed = False) -> None:
    """Reopen tasks, so that the next run does them again."""
    from cli.main import drive

    session = session_of(context)
    if bool(ids) == failed:
        raise UsageError(
            "retry takes either tasks or --failed", hint="orch retry TASK..., or orch retry --failed for all of them"
        )

    async def work(_: "Interrupts") -> list[str]:
        async with session.orchestrator() as orchestrator:
            return await orchestrator.retry(tuple(ids or ()), failed=failed)

    reopened = drive(work)
    again = "; then: orch run-batch" if reopened else ""
    session.give_line("retried", {"tasks": reopened}, _said("reopened", reopened) + again)


def _give(session: Session, work: "Callable[[Interrupts], Coroutine[Any, Any, ExecutionResult]]") -> None:
    from cli.main import drive
    from cli.render.summary import task_summary

    result = drive(work)
    session.give("execution_result", result.to_dict(), task_summary(result, session.colour_of_data))


def _said(done: str, ids: Sequence[str]) -> str:
    return f"{done} {count(len(ids), 'task')}: {listed(ids, 20)}" if ids else f"nothing was {done}"


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise UsageError(f"--set {text!r} is no NAME=VALUE", hint="the name is a word, for example: --set size=12")
    return name.strip(), value


def _person(session: Session) -> str:
    """Who is asking, by the environment, or else by the system; nobody where neither knows."""
    named = session.environment.get("USER") or session.environment.get("LOGNAME")
    if named:
        return named
    with contextlib.suppress(KeyError):  # a container may run with a number that no user has
        return pwd.getpwuid(os.getuid()).pw_name
    return ""
