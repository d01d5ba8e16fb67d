"""Before anything new starts, what a dead owner of a run left is ended and proved dead.

On resume that is the run's own earlier life. A task that another, dead run had begun may still be at work too, so
before it is begun here that run's processes are ended as well, while its owner lock is held: nobody can resume it
meanwhile, and a run that is alive is never touched.
"""

import logging
from collections.abc import Sequence
from typing import Final

from orchestration.checks import MARKER
from orchestration.errors import RunOwned, StillAlive
from orchestration.executor import LiveRun
from orchestration.kinds import RunStatus
from orchestration.plan import State
from orchestration.process import LiveChildren, end_leftovers
from orchestration.protocols import RunRecord, RunStore

_LOG: Final = logging.getLogger(__name__)


async def end_what_is_left(children: LiveChildren, record: RunRecord) -> None:
    """End what is left of a run whose owner lock we hold.

    Raises:
        StillAlive: some of it cannot be ended, so nothing may begin.
    """
    found, survivors = await end_leftovers(children, MARKER, f"{record.run_id}/")
    if survivors:
        raise StillAlive(record.run_id, survivors)
    if found:
        word = "process" if found == 1 else "processes"
        _LOG.warning("ended %d %s that run %s had left when orch was killed", found, word, record.run_id)


def cut_off(run: LiveRun) -> list[tuple[str, int]]:
    """The attempts of a run that was replayed, and nothing more, that ran when its owner died."""
    running = ((task_id, run.plan.attempt_of(task_id)) for task_id in run.plan.tasks_in(State.RUNNING))
    return [(task_id, attempt) for task_id, attempt in running if attempt is not None]


async def clear_away(
    children: LiveChildren, record: RunRecord, run: LiveRun, attempts: Sequence[tuple[str, int]]
) -> None:
    """End what is left of these attempts, and remove what only they needed; see above for what it raises."""
    await end_what_is_left(children, record)
    for task_id, attempt in attempts:
        run.crew.forget(task_id, attempt)


async def end_what_others_left(store: RunStore, children: LiveChildren, run_id: str, task_ids: Sequence[str]) -> None:
    """End what dead runs that had any of these tasks have left; see above for what it raises."""
    wanted = set(task_ids)
    for record in await store.runs():
        open_run = record.status is RunStatus.RUNNING and record.is_of_backlog and record.run_id != run_id
        if not open_run or not wanted & set(record.tasks) or store.is_live(record.run_id):
            continue
        try:
            with store.own(record.run_id):
                await end_what_is_left(children, record)
        except RunOwned:  # somebody continues it just now, and has ended it all
            continue
