"""Drives one run of the project: the owner lock, the claims, the command table, the run's time limit.

A task that another live run has claimed is held here; when that run ends it, it is adopted, and when that run dies or
lets go without an end that counts, it is done here. Commands from other terminals are looked for every `TICK` seconds
and answered when what they asked for has happened: a cancelled task only when it has really ended.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Final

from orchestration.calls import ended_with_thread
from orchestration.errors import IllegalEvent, OrchError, WrongState
from orchestration.events import TaskAdopted
from orchestration.executor import LiveRun
from orchestration.orchestrator import answering
from orchestration.orchestrator.leftovers import end_what_others_left
from orchestration.orchestrator.standings import adoption, is_kept
from orchestration.plan import FINAL, State
from orchestration.process import LiveChildren
from orchestration.protocols import CommandRow, RunStore, Standing
from orchestration.records import dataclass
from orchestration.scheduler import cancel_all
from orchestration.store.owners import told_of

_LOG: Final = logging.getLogger(__name__)
TICK: Final = 0.2
"""Seconds between looks at the command table and at other runs' tasks."""
MOST_TOLD: Final = 20
"""Tasks of another run that are named in a line."""


@dataclass(slots=True)
class Drive:
    """One run while this process owns it; `inside` is the marker of the attempt that this process is part of."""

    run: LiveRun
    store: RunStore
    standings: Mapping[str, Standing]
    children: LiveChildren
    inside: str = ""
    waiting: dict[int, CommandRow] = field(default_factory=dict)

    async def claim(self) -> None:
        """Take the run's tasks; those that another live run has are held.

        Raises:
            WrongState: it is the run that this process is part of, which would so wait for itself.
        """
        wanted = list(self.run.plan.tasks_in(State.WAITING, State.RETRYING, State.NEEDS_INPUT))
        if not wanted:
            return
        taken = await self.store.claim(self.run.run_id, wanted)
        outer, _, attempt = self.inside.partition("/")
        if mine := [task_id for task_id, run in taken.items() if run == outer]:
            await self.store.release(self.run.run_id)
            raise WrongState(
                f"this command is part of {attempt.rpartition('/')[0]} in run {outer}, which has to do {_few(mine)}: "
                "it would wait for itself",
                hint="leave these tasks to that run, or name others",
            )
        for task_id, other in taken.items():
            self.run.plan.hold(task_id, f"claimed_by {other}")
        if taken:
            await self._tell_who_has(taken)

    async def _tell_who_has(self, taken: Mapping[str, str]) -> None:
        claims = await self.store.claims()
        for other in dict.fromkeys(taken.values()):
            theirs = [task_id for task_id, run in taken.items() if run == other]
            who = next((f" ({told_of(claims[name])})" for name in theirs if name in claims), "")
            _LOG.warning("run %s%s is doing %s; waiting for what comes of it", other, who, _few(theirs))

    async def go(self, slots: int | None, seconds: float | None) -> None:
        """Drive the run to its end or pause, and end it gracefully after so many seconds."""
        watch = asyncio.create_task(self._watch(), name="watch commands")
        loop = asyncio.get_running_loop()
        alarm = loop.call_later(seconds, self.run.scheduler.stop, "timeout") if seconds is not None else None
        try:
            with ended_with_thread():
                await self.run.scheduler.run(self.store, slots)
        finally:
            if alarm is not None:
                alarm.cancel()
            await cancel_all([watch])
        if not watch.cancelled():
            watch.result()
        await self._answer_the_rest()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(TICK)
            try:
                await self._tick()
            except OrchError as error:
                self.run.scheduler.stop(f"commands could not be read: {error}")
                return
            except Exception as error:
                self.run.scheduler.stop(f"{type(error).__name__}: {error}")
                raise

    async def _tick(self) -> None:
        for row in await self.store.commands(self.run.run_id):
            if row.number not in self.waiting:
                await self._obey(row)
        await self._answer_cancelled()
        if self.run.plan.has_held:
            await self._look_at_held()

    # -- commands -----------------------------------------------------------------------------------------------

    async def _obey(self, row: CommandRow) -> None:
        try:
            if row.action == "cancel":
                self._cancel(row)
                return
            answering.apply(self.run, row.action, row.task_id or "", row.body)
        except KeyError:
            await self.store.answer(row.number, {"error": f"the run has no task {row.task_id}"})
        except (OrchError, IllegalEvent) as error:
            hint = error.hint if isinstance(error, OrchError) else None
            await self.store.answer(row.number, {"error": str(error), "hint": hint})
        else:
            await self.run.recorder.commit(self.store)
            self.run.scheduler.look_again()
            await self.store.answer(row.number, {"done": [row.task_id]})

    def _cancel(self, row: CommandRow) -> None:
        cause = row.body.get("note") or "cancelled from another terminal"
        self.waiting[row.number] = row
        if row.task_id is None:
            self.run.scheduler.stop(cause, for_good=True)
        else:
            self.run.scheduler.cancel(row.task_id, cause)

    async def _answer_cancelled(self) -> None:
        """Say that a task was cancelled only when its end is recorded."""
        for row in list(self.waiting.values()):
            if row.task_id is not None and self.run.plan.state_of(row.task_id) in FINAL:
                await self._answer(row)

    async def _answer_the_rest(self) -> None:
        for row in await self.store.commands(self.run.run_id):
            if row.number in self.waiting:
                await self._answer(row)
            else:
                await self.store.answer(row.number, {"error": f"run {self.run.run_id} has ended", "ended": True})

    async def _answer(self, row: CommandRow) -> None:
        self.waiting.pop(row.number, None)
        own = self.run.ledger.tasks if row.task_id is None else (row.task_id,)
        done = [task_id for task_id in own if self.run.plan.state_of(task_id) is State.CANCELLED]
        await self.store.answer(row.number, {"done": done})

    # -- tasks of others ----------------------------------------------------------------------------------------

    async def _look_at_held(self) -> None:
        """Adopt what has ended elsewhere, and take what nobody has any more.

        Reading comes first: many who wait must not keep from writing the one who works.
        """
        await self._adopt_what_ended(self.run.plan.held)
        claims = await self.store.claims()
        free = [name for name in self.run.plan.held if name not in claims or not self._is_live(claims[name].run_id)]
        if not free:
            return
        still = await self.store.claim(self.run.run_id, free)
        freed = [task_id for task_id in free if task_id not in still]
        await end_what_others_left(self.store, self.children, self.run.run_id, freed)
        await self._adopt_what_ended(freed)
        for task_id in freed:
            if task_id in self.run.plan.held:
                self.run.scheduler.release(task_id)

    async def _adopt_what_ended(self, task_ids: Sequence[str]) -> None:
        """What ended so that it counts; what was only cut off there is done here, when nobody has it any more."""
        standings = await self.store.standings(task_ids)
        for task_id in task_ids:
            standing = standings.get(task_id)
            adoptable = self.run.plan.state_of(task_id) in {State.WAITING, State.RETRYING}
            if standing is None or not adoptable or standing == self.standings.get(task_id):
                continue
            if is_kept(standing):
                self.run.plan.release(task_id)
                self.run.recorder.emit(TaskAdopted, **adoption(standing))
        if self.run.recorder.pending:
            self.run.scheduler.look_again()

    def _is_live(self, run_id: str) -> bool:
        return run_id != self.run.run_id and self.store.is_live(run_id)


def _few(task_ids: Sequence[str]) -> str:
    return ", ".join(task_ids[:MOST_TOLD]) + (" …" if len(task_ids) > MOST_TOLD else "")
