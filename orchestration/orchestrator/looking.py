"""Looking at a project's runs: nothing is started, nothing is written, nothing has to be alive."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from orchestration.errors import UnknownRun
from orchestration.events import TaskCancelled
from orchestration.graph import Graph, nearest
from orchestration.kinds import ExecutionStatus
from orchestration.orchestrator.lastword import Books, ledger_of
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
    ledger = await ledger_of(store, record.run_id)
    own = {task_id: record.shape[task_id]["needs"] for task_id in ledger.tasks if task_id in record.shape}
    graph = Graph.build([(task_id, [need for need in needs if need in own]) for task_id, needs in own.items()])

    def critical_path(seconds: Sequence[float]) -> float:
        measured = dict(zip(ledger.tasks, seconds, strict=True))
        return graph.critical_path([measured[task_id] for task_id in own])[1]

    return ledger.run_result(critical_path)


async def and_what_runs(store: RunStore, task_ids: Iterable[str]) -> list[str]:
    """The tasks of the backlog, and behind them those that it does not have any more, but a run that goes on has."""
    return list(dict.fromkeys([*task_ids, *(await Books.of(store)).holders]))


async def status(store: RunStore, task_ids: Sequence[str], agents: Mapping[str, str]) -> list[ExecutionResult]:
    """Each task's live state, else its standing, else pending.

    Args:
        store: the project's state.
        task_ids: the backlog in declaration order, or what is asked for.
        agents: who is to do each task, as far as nobody has begun.
    """
    standings = await store.standings(task_ids)
    books = await Books.of(store)
    found: list[ExecutionResult] = []
    for task_id in task_ids:
        standing = standings.get(task_id)
        speaking = await books.speaking(task_id, None if _never_begun(standing) else standing)
        run_id = speaking[0].run_id if speaking else standing.run_id if standing else None
        if run_id is None:
            found.append(ExecutionResult(task_id, agents.get(task_id), ExecutionStatus.PENDING))
            continue
        result = (await books.of_run(run_id)).result(task_id)
        held = result.status is ExecutionStatus.PENDING and task_id in books.holders
        found.append(replace(result, reason=f"claimed_by {books.holders[task_id]}") if held else result)
    return found


def _never_begun(standing: Standing | None) -> bool:
    """Whether its run was stopped before it came to the task, of which that says nothing: an open run knows better."""
    return standing is not None and isinstance(standing.event, TaskCancelled) and standing.event.reason == NOT_STARTED
