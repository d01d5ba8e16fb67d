"""Looking at a project's runs: nothing is started, nothing is written, nothing has to be alive."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from orchestration.errors import UnknownRun
from orchestration.events import TaskCancelled
from orchestration.executor import Planned
from orchestration.graph import nearest
from orchestration.kinds import ExecutionStatus
from orchestration.orchestrator.lastword import Books, replayed
from orchestration.orchestrator.measuring import heaviest_path
from orchestration.orchestrator.resting import Rest, resting
from orchestration.protocols import Claim, RunRecord, RunStore, Standing
from orchestration.results import ExecutionResult, RunResult
from orchestration.scheduler import NOT_STARTED


async def find_run(store: RunStore, run_id: str | None) -> RunRecord:
    """The run with this id, or the newest.

    Raises:
        UnknownRun: there is none.
    """
    records = await store.runs()
    if run_id is None:
        if records:
            return records[0]
        raise UnknownRun("nothing has been run in this project yet", hint="orch run-batch")
    for record in records:
        if record.run_id == run_id:
            return record
    hint = nearest(run_id, [record.run_id for record in records]) or "see `orch runs`"
    raise UnknownRun(f"there is no run {run_id}", hint=hint)


async def live_runs(store: RunStore) -> dict[str, list[Claim]]:
    """The runs that somebody drives now, newest first, each with the tasks that it has still to end."""
    live: dict[str, list[Claim]] = {run.run_id: [] for run in await store.runs() if store.is_live(run.run_id)}
    for claim in (await store.claims()).values() if live else ():
        live.get(claim.run_id, []).append(claim)
    return live


async def run_result(store: RunStore, run_id: str | None) -> RunResult:
    """How a run ended, or how far it is."""
    record = await find_run(store, run_id)
    events = await store.events(record.run_id)
    ledger = replayed(events)
    return ledger.run_result(lambda _: heaviest_path(record, events, ledger))


async def rests(books: Books, planned: Sequence[Planned]) -> dict[str, Rest]:
    """The tasks that could not start now whatever else is to be said of them, with what they wait for."""
    return await resting(books, planned, datetime.now(UTC))


async def status(store: RunStore, planned: Sequence[Planned], *, and_what_runs: bool = False) -> list[ExecutionResult]:
    """Each task's live state, else its standing, else pending; with what keeps it from starting now, if that is time.

    Args:
        store: the project's state.
        planned: tasks of the backlog with who is to do each, as far as nobody has begun, in declaration order.
        and_what_runs: behind these also those that the backlog has lost, but a run that goes on has.
    """
    agents = {task.id: task.assignment.agent_name for task in planned}
    books = await Books.of(store)
    ids = list(dict.fromkeys([*agents, *books.holders])) if and_what_runs else [*agents]
    standings = await store.standings(ids)
    waiting = await rests(books, planned)
    found: list[ExecutionResult] = []
    for task_id in ids:
        standing = standings.get(task_id)
        speaking = await books.speaking(task_id, None if _never_begun(standing) else standing)
        run_id = speaking[0].run_id if speaking else standing.run_id if standing else None
        if run_id is None:
            result = ExecutionResult(task_id, agents.get(task_id), ExecutionStatus.PENDING)
        else:
            result = (await books.of_run(run_id)).result(task_id)
        found.append(_with_what_keeps_it(result, books.holders.get(task_id), waiting.get(task_id)))
    return found


def _with_what_keeps_it(result: ExecutionResult, holder: str | None, rest: Rest | None) -> ExecutionResult:
    """The result of a task that somebody else has, or that could not start before a moment, says so."""
    if rest is not None and _may_start(result):
        facts = {"waits_until": rest.until.isoformat(), "waits_for": rest.account}
        result = replace(result, reason=str(rest), metadata={**result.metadata, **facts})
    if holder is not None and result.status is ExecutionStatus.PENDING:
        result = replace(result, reason=f"claimed_by {holder}")
    return result


def _may_start(result: ExecutionResult) -> bool:
    """Whether no attempt goes on, and an end is still to come; a part of it says for itself what it waits for."""
    if result.status is ExecutionStatus.PENDING:
        return True
    ended = not result.attempts or result.attempts[-1].completed_at is not None
    return result.status is ExecutionStatus.IN_PROGRESS and ended


def _never_begun(standing: Standing | None) -> bool:
    """Whether its run was stopped before it came to the task, of which that says nothing: an open run knows better."""
    return standing is not None and isinstance(standing.event, TaskCancelled) and standing.event.reason == NOT_STARTED
