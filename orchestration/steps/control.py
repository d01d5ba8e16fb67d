"""Ending a run of steps from outside: by whoever began it, and by commands from other terminals.

Commands are rows of the store, as for runs of the backlog; steps can be cancelled, and wait for nobody. One is answered
when what it asked for has happened.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from orchestration.errors import OrchError
from orchestration.plan import FINAL, State
from orchestration.protocols import CommandRow, RunStore
from orchestration.scheduler import Scheduler

TICK: Final = 0.2
"""Seconds between looks at the commands."""


class Control:
    """The hand on a run that goes on; what is asked for before it has begun happens when it has."""

    def __init__(self) -> None:
        """No run yet."""
        self._scheduler: Scheduler | None = None
        self._wish: Callable[[Scheduler], None] | None = None

    def take(self, scheduler: Scheduler) -> None:
        """The run begins."""
        self._scheduler = scheduler
        if self._wish is not None:
            self._wish(scheduler)

    def stop(self, reason: str) -> None:
        """End the run gracefully, for good."""
        self._ask(lambda scheduler: scheduler.stop(reason))

    def suspend(self, reason: str) -> None:
        """End what runs, and leave the run open: the same command again continues it."""
        self._ask(lambda scheduler: scheduler.suspend(reason))

    def _ask(self, wish: Callable[[Scheduler], None]) -> None:
        self._wish = wish
        if self._scheduler is not None:
            wish(self._scheduler)


class Orders:
    """The commands from other terminals to one run.

    Args:
        scheduler: drives the run.
        store: has the commands.
    """

    def __init__(self, scheduler: Scheduler, store: RunStore) -> None:
        """Nothing was asked for yet."""
        self._scheduler = scheduler
        self._plan = scheduler.plan
        self._store = store
        self._waiting: dict[int, CommandRow] = {}

    async def watch(self) -> None:
        """Look for commands until cancelled."""
        while True:
            await asyncio.sleep(TICK)
            try:
                await self._look()
            except OrchError as error:
                self._scheduler.stop(f"commands could not be read: {error}")
                return
            except Exception as error:
                self._scheduler.stop(f"{type(error).__name__}: {error}")
                raise

    async def answer_the_rest(self) -> None:
        """The run is over: what was asked for has happened, or comes too late."""
        for row in await self._store.commands(self._plan.run_id):
            if row.number in self._waiting:
                await self._answer(row)
            else:
                await self._store.answer(row.number, {"error": f"run {row.run_id} has ended", "ended": True})

    async def _look(self) -> None:
        for row in await self._store.commands(self._plan.run_id):
            if row.number not in self._waiting:
                await self._obey(row)
        for row in [*self._waiting.values()]:
            if row.task_id is not None and self._plan.state_of(row.task_id) in FINAL:
                await self._answer(row)

    async def _obey(self, row: CommandRow) -> None:
        cause = row.body.get("note") or "cancelled from another terminal"
        if row.action != "cancel":
            told = "steps of pipelines and flows wait for nobody; they can be cancelled"
            await self._store.answer(row.number, {"error": told})
        elif row.task_id is None:
            self._waiting[row.number] = row
            self._scheduler.stop(cause, for_good=True)
        elif row.task_id not in self._plan.graph.index:
            await self._store.answer(row.number, {"error": f"the run has no step {row.task_id}"})
        else:
            self._waiting[row.number] = row
            self._scheduler.cancel(row.task_id, cause)

    async def _answer(self, row: CommandRow) -> None:
        self._waiting.pop(row.number, None)
        own = list(self._plan.graph.ids) if row.task_id is None else [row.task_id]
        done = [path for path in own if self._plan.state_of(path) is State.CANCELLED]
        await self._store.answer(row.number, {"done": done})
