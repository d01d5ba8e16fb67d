"""The checks of `orch complete`, and whoever ends the task while they run, from another terminal or here.

Whoever completes looks now and then whether the task still waits for a person, and ends its checks where it does not.
Whoever cancels waits for that, so that nothing of the task is left when it is told to be cancelled. Edges survived: a
process that is stopped while its checks run, and cannot end them (whoever cancels does, after a while).
"""

import asyncio
from collections.abc import Awaitable, Iterable
from pathlib import Path
from typing import Final

from orchestration.checks import MARKER
from orchestration.errors import StillAlive, WrongState
from orchestration.kinds import ExecutionStatus
from orchestration.ledger import Ledger
from orchestration.process import LiveChildren, end_leftovers
from orchestration.protocols import RunStore
from orchestration.results import CheckResult
from orchestration.scheduler import cancel_all
from orchestration.store.locks import is_completing

LOOK: Final = 0.1
"""Seconds between two looks, at the task or at whoever completes it."""
PATIENCE: Final = 15.0
"""Seconds until the checks are ended for whoever should end them: thrice the usual grace of a process."""


async def while_it_waits(
    store: RunStore, run_id: str, task_id: str, checks: Awaitable[tuple[CheckResult, ...]]
) -> tuple[CheckResult, ...]:
    """Have the checks run as long as the task waits for a person.

    Raises:
        WrongState: it does so no longer; the checks have been ended.
    """
    book, seq = Ledger(), 0
    checking = asyncio.ensure_future(checks)
    try:
        while not checking.done():
            for event in await store.events(run_id, seq):
                book.apply(event)
                seq = event.seq
            if (status := book.status_of(task_id)) is not ExecutionStatus.NEEDS_INPUT:
                raise WrongState(
                    f"{task_id} does not wait for a person any more, so its checks were ended; it is {status.value}",
                    hint=f"orch why {task_id}",
                )
            await asyncio.wait([checking], timeout=LOOK)
        return checking.result()
    finally:
        await cancel_all([checking])


async def wait_until_ended(state: Path, children: LiveChildren, run_id: str, task_ids: Iterable[str]) -> None:
    """Wait until nobody completes these tasks, which have ended, any more.

    Args:
        state: the state folder.
        children: the program's book of what lives.
        run_id: the run that they have ended in.
        task_ids: the tasks.

    Raises:
        StillAlive: what their checks run cannot be ended.
    """
    left = PATIENCE
    for task_id in task_ids:
        while is_completing(state / "runs" / run_id / task_id):
            if left <= 0:
                _, survivors = await end_leftovers(children, MARKER, f"{run_id}/{task_id}/")
                if survivors:
                    raise StillAlive(run_id, survivors)
                break
            await asyncio.sleep(LOOK)
            left -= LOOK
