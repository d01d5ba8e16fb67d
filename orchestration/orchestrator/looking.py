"""Looking at a project's runs: nothing is started, nothing is written, nothing has to be alive."""

from collections.abc import Mapping, Sequence

from orchestration.errors import UnknownRun
from orchestration.graph import Graph, nearest
from orchestration.kinds import ExecutionStatus, RunStatus
from orchestration.ledger import Ledger
from orchestration.protocols import Claim, RunRecord, RunStore
from orchestration.results import ExecutionResult, RunResult

OPEN_RUNS = frozenset({RunStatus.RUNNING, RunStatus.PAUSED})


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


async def ledger_of(store: RunStore, run_id: str) -> Ledger:
    """The books of a stored run."""
    ledger = Ledger()
    for event in await store.events(run_id):
        ledger.apply(event)
    return ledger


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


async def status(store: RunStore, task_ids: Sequence[str], agents: Mapping[str, str]) -> list[ExecutionResult]:
    """Each task's live state, else its standing, else pending.

    Args:
        store: the project's state.
        task_ids: the backlog, in declaration order.
        agents: who is to do each task, as far as nobody has begun.
    """
    standings = await store.standings(task_ids)
    books: dict[str, Ledger] = {}
    records = await store.runs()
    age = {record.run_id: number for number, record in enumerate(records)}
    open_runs = [record for record in records if record.status in OPEN_RUNS and record.is_of_backlog]
    for run_id in {record.run_id for record in open_runs} | {standing.run_id for standing in standings.values()}:
        books[run_id] = await ledger_of(store, run_id)

    def look(task_id: str) -> ExecutionResult:
        standing = standings.get(task_id)
        ended = books[standing.run_id].result(task_id) if standing else None
        for record in open_runs:
            book = books[record.run_id]
            live = book.result(task_id) if task_id in book.tasks else None
            if live is None or live.status.is_final:
                continue
            later_run = standing is not None and age[record.run_id] < age.get(standing.run_id, 0)
            if (later_run and live.started_at is not None) or _is_newer(live, ended, record):
                return live
        return ended or ExecutionResult(task_id, agents.get(task_id), ExecutionStatus.PENDING)

    return [look(task_id) for task_id in task_ids]


def _is_newer(live: ExecutionResult, ended: ExecutionResult | None, record: RunRecord) -> bool:
    """Whether what an open run says of a task is later than the task's end in another run, by the clock of the runs."""
    began = live.started_at or live.queued_at or record.created_at
    return ended is None or ended.completed_at is None or began >= ended.completed_at
