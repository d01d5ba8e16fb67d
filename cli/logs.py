"""`logs` and `events`: what tasks printed and what happened, once or followed while it goes on."""

import asyncio
import codecs
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from cli.options import RunArgument, RunOption, TaskId, refuse_both, whole_number
from cli.render.clean import Cleaner
from cli.render.envelope import event_line, for_stream
from cli.session import Session, session_of
from orchestration.kinds import ExecutionStatus, RunStatus

if TYPE_CHECKING:
    from cli.interrupts import Interrupts
    from orchestration.orchestrator import ProjectOrchestrator

SECONDS_BETWEEN_LOOKS: Final = 0.1
BLOCK: Final = 1 << 16

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
    """Print what a task's attempt printed."""
    from cli.main import drive

    session = session_of(context)
    refuse_both("--json", "--follow", both=session.json and follow)
    name = "stderr" if stderr else "stdout"

    async def work(_: "Interrupts") -> None:
        async with session.orchestrator() as orchestrator:
            folder = await orchestrator.log_folder(task_id, run, attempt)
            if session.json:
                _give_log(session, task_id, folder)
                return

            async def is_over() -> bool:
                return not follow or await _has_ended(orchestrator, task_id, run)

            await _pour(folder / f"{name}.log", is_over)

    drive(work)


def events(context: typer.Context, run: RunArgument = None, since: Since = None, follow: Follow = False) -> None:
    """Print the events of a run as JSON lines."""
    from cli.main import drive

    session = session_of(context)
    refuse_both("--json", "--follow", both=session.json and follow)

    async def work(_: "Interrupts") -> None:
        async with session.orchestrator() as orchestrator:
            if session.json:
                from orchestration.events import to_dict

                found = await orchestrator.events(run, since or 0)
                session.give("events", [to_dict(event) for event in found], "")
            else:
                await _print_events(orchestrator, run, since or 0, follow=follow)

    drive(work)


def _give_log(session: Session, task_id: str, folder: Path) -> None:
    data: dict[str, object] = {"task_id": task_id, "folder": str(folder)}
    for name in ("stdout", "stderr"):
        file = folder / f"{name}.log"
        data[name] = file.read_text(encoding="utf-8", errors="replace") if file.exists() else ""
    session.give("logs", data, "")


async def _has_ended(orchestrator: "ProjectOrchestrator", task_id: str, run: str | None) -> bool:
    """Whether the task does nothing more by itself: it ended, or waits for a person."""
    result = next((r for r in (await orchestrator.run_result(run)).results if r.task_id == task_id), None)
    return result is None or result.status is ExecutionStatus.NEEDS_INPUT or result.status.is_final


async def _pour(file: Path, is_over: Callable[[], Awaitable[bool]]) -> None:
    """Print a file, and go on as long as it may grow; one that does not exist yet may come to be."""
    printer = _Cleaned() if sys.stdout.isatty() else _Raw()
    position = 0
    over = False
    while not over:
        over = await is_over()  # asked before the look, so that what was written last is seen
        while block := _block_of(file, position):
            position += len(block)
            printer.show(block)
        if not over:
            await asyncio.sleep(SECONDS_BETWEEN_LOOKS)
    printer.close()


def _block_of(file: Path, position: int) -> bytes:
    try:
        with file.open("rb") as opened:
            opened.seek(position)
            return opened.read(BLOCK)
    except FileNotFoundError:
        return b""


class _Raw:
    """Passes the bytes on as they are: for files and pipes."""

    def show(self, block: bytes) -> None:
        """Print a block."""
        sys.stdout.buffer.write(block)
        sys.stdout.buffer.flush()

    def close(self) -> None:
        """Nothing is held back."""


class _Cleaned:
    """Takes out whatever a terminal would obey."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._cleaner = Cleaner()

    def show(self, block: bytes) -> None:
        """Print a block."""
        sys.stdout.write(self._cleaner.feed(self._decoder.decode(block)))
        sys.stdout.flush()

    def close(self) -> None:
        """Print what was held back."""
        sys.stdout.write(self._cleaner.feed(self._decoder.decode(b"", final=True)) + self._cleaner.rest())
        sys.stdout.flush()


async def _print_events(orchestrator: "ProjectOrchestrator", run: str | None, since: int, *, follow: bool) -> None:
    """Print the events after a number, and those that come, until the run has ended or paused."""
    run = run or (await orchestrator.run_result()).run_id
    while True:
        over = not follow or (await orchestrator.run_result(run)).status is not RunStatus.RUNNING
        for event in await orchestrator.events(run, since):
            since = event.seq
            sys.stdout.write(for_stream(event_line(event), sys.stdout))
        sys.stdout.flush()
        if over:
            return
        await asyncio.sleep(SECONDS_BETWEEN_LOOKS)
