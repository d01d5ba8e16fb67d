"""`status`, `runs`, `why`: how far the backlog is, what was run, and why a task is in its state."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Final

import typer

from cli.options import TaskId
from cli.render.clean import clean_line
from cli.render.tables import Cell, table
from cli.render.words import RUN_COLOURS, STATUS_COLOURS, STATUS_WORDS, count, counted, moment
from cli.session import Session, session_of
from cli.values import whole_number
from orchestration.exporting.facts import counts_of, run_facts, status_facts
from orchestration.exporting.markdown import why as reason_of
from orchestration.kinds import ExecutionStatus, RunStatus

if TYPE_CHECKING:
    from cli.interrupts import Interrupts
    from orchestration.protocols import Claim, RunRecord
    from orchestration.results import ExecutionResult

SHOWN_RUNS: Final = 20

Everything = Annotated[bool, typer.Option("--all", help="Also tasks that are done, skipped or not begun.")]
Most = Annotated[
    int | None,
    typer.Option(
        "--limit", "-n", parser=whole_number("--limit", 1), metavar="N", help="At most so many (default: 20)."
    ),
]

_CUT_OFF: Final = "interrupted"
_AT_WORK = frozenset({ExecutionStatus.IN_PROGRESS})
_SAY_NOTHING = frozenset({ExecutionStatus.SUCCESS, ExecutionStatus.SKIPPED, ExecutionStatus.PENDING})


def status(context: typer.Context, everything: Everything = False) -> None:
    """Show how far the backlog is, and what runs."""
    from cli.main import drive
    from orchestration.orchestrator.looking import live_runs

    session = session_of(context)

    async def work(_: "Interrupts") -> "tuple[list[ExecutionResult], dict[str, list[Claim]], list[str]]":
        async with session.orchestrator(looks=True) as orchestrator:
            live = await live_runs(orchestrator.store)
            records = [record for record in await orchestrator.runs() if record.is_of_backlog]
            dead = [
                record.run_id for record in records if _state_of_run(record, live=record.run_id in live) == _CUT_OFF
            ]
            return await orchestrator.status(), live, dead

    results, live, dead = drive(work)
    lines = _status_lines(session, results, live, dead, everything=everything)
    session.give("status", status_facts(results, live), lines)


def _status_lines(
    session: Session,
    results: "Sequence[ExecutionResult]",
    live: "Mapping[str, Sequence[Claim]]",
    dead: "Sequence[str]",
    *,
    everything: bool,
) -> Iterator[str]:
    from orchestration.store.owners import told_of

    yield f"{count(len(results), 'task')}: {counted(counts_of(results))}"
    for run_id, claims in live.items():
        yield f"running: {run_id}{f' ({told_of(claims[0])})' if claims else ''}"
    for run_id in dead[:SHOWN_RUNS]:
        yield f"interrupted: {run_id}; orch resume {run_id}"
    yield from _paused(results)
    at_work = {claim.task_id: f"run {run_id}" for run_id, claims in live.items() for claim in claims}
    rows = [
        (
            result.task_id,
            Cell(STATUS_WORDS[result.status], STATUS_COLOURS.get(result.status)),
            result.agent or "",
            reason_of(result) or (at_work.get(result.task_id, "") if result.status in _AT_WORK else ""),
        )
        for result in results
        if everything or result.status not in _SAY_NOTHING
    ]
    if rows:
        yield ""
        yield table(("TASK", "STATE", "AGENT", "WHY"), rows, width=session.width(), colour=session.colour_of_data)


def _paused(results: "Sequence[ExecutionResult]") -> Iterator[str]:
    """The accounts that have reached their limit, each with until when, and how many tasks wait for it."""
    waiting = Counter(
        (result.metadata["waits_for"], result.reason) for result in results if result.metadata.get("waits_for")
    )
    for (_, reason), number in waiting.items():
        yield clean_line(f"paused: {reason}; {count(number, 'task')} cannot start before")


def runs(context: typer.Context, most: Most = None) -> None:
    """List the runs, newest first."""
    from cli.main import drive

    session = session_of(context)

    async def work(_: "Interrupts") -> "list[tuple[RunRecord, bool]]":
        async with session.orchestrator(looks=True) as orchestrator:
            records = (await orchestrator.runs())[: most or SHOWN_RUNS]
            return [(record, orchestrator.store.is_live(record.run_id)) for record in records]

    found = drive(work)
    data = [run_facts(record, live=live) for record, live in found]
    rows = [
        (
            record.run_id,
            Cell(_state_of_run(record, live=live), RUN_COLOURS[record.status]),
            moment(record.created_at),
            moment(record.updated_at),
            count(len(record.tasks), "task") if record.is_of_backlog else f"{record.kind} of {len(record.tasks)}",
        )
        for record, live in found
    ]
    header = ("RUN", "STATE", "BEGUN", "LAST CHANGE", "TASKS")
    text = table(header, rows, width=session.width(), colour=session.colour_of_data) if rows else "no runs yet"
    session.give("runs", data, text)


def _state_of_run(record: "RunRecord", *, live: bool) -> str:
    """A run that says it is running while nobody runs it was interrupted."""
    return _CUT_OFF if record.status is RunStatus.RUNNING and not live else record.status.value


def why(context: typer.Context, task_id: TaskId) -> None:
    """Explain why a task is in its state."""
    from cli.main import drive

    session = session_of(context)

    async def work(_: "Interrupts") -> list[str]:
        async with session.orchestrator(looks=True) as orchestrator:
            return await orchestrator.why(task_id)

    sentences = drive(work)
    session.give("why", {"task_id": task_id, "because": sentences}, map(clean_line, sentences))
