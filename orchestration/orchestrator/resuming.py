"""Which interrupted or paused run is meant."""

from orchestration.errors import RunOwned, UnknownRun, WrongState
from orchestration.loading import Project
from orchestration.orchestrator.lastword import OPEN_RUNS
from orchestration.orchestrator.looking import find_run
from orchestration.orchestrator.selection import Selection
from orchestration.protocols import Owner, RunRecord, RunStore
from orchestration.store.locks import already_owned


async def open_run(store: RunStore, run_id: str | None) -> RunRecord:
    """The run to continue: the named one, or the newest that is open and that nobody drives.

    Raises:
        UnknownRun: there is none.
        WrongState: the named run has ended.
        RunOwned: somebody drives it.
    """
    if run_id is None:
        found = [record for record in await store.runs() if record.status in OPEN_RUNS and record.is_of_backlog]
        at_rest = [record for record in found if not store.is_live(record.run_id)]
        if at_rest:
            return at_rest[0]
        if found:
            raise await _owned(store, found[0].run_id)
        raise UnknownRun("there is no interrupted or paused run to continue", hint="orch run-batch starts one")
    record = await find_run(store, run_id)
    if record.status not in OPEN_RUNS:
        again = "`orch retry --failed` opens what failed again; `orch run-batch` does what is left"
        anew = "orch pipeline FILE.py runs it anew"
        raise WrongState(
            f"run {run_id} has ended ({record.status.value}), there is nothing to continue",
            hint=again if record.is_of_backlog else anew,
        )
    if not record.is_of_backlog:
        raise WrongState(
            f"run {run_id} is one of a {record.kind}, which only the file that describes it can continue",
            hint=f"orch pipeline FILE.py --run {run_id}",
        )
    if store.is_live(run_id):
        raise await _owned(store, run_id)
    return record


async def owner_of_run(store: RunStore, run_id: str) -> Owner | None:
    """The process that drives a live run, as far as it claims anything."""
    owners = (claim.owner for claim in (await store.claims()).values() if claim.run_id == run_id)
    return next((owner for owner in owners if owner is not None), None)


async def _owned(store: RunStore, run_id: str) -> RunOwned:
    owner = await owner_of_run(store, run_id)
    return already_owned(None if owner is None else owner.pid, run_id)


def selection_of(record: RunRecord, project: Project) -> Selection:
    """The tasks of a run, as far as the backlog still has them; that some are gone is told as a changed graph."""
    return Selection.of([task_id for task_id in record.tasks if task_id in project.graph.index])
