"""What an agent would be told next about a task: the exact text of the attempt that would come, with secrets masked.

The run in which that would be is replayed, or begun in memory as a real one would be; nothing of it is stored, and the
files that belong to an attempt are made in a folder that is gone afterwards. Edges survived: a run that goes on in
another process, results of other runs, an agent that the caller names instead of the task's, a hybrid agent (the texts
of the parts with which it begins).
"""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

from orchestration.attempts import Assignment, Crew, Place
from orchestration.attempts.hybrid import first_parts
from orchestration.errors import OrchError
from orchestration.events import TaskExpanded
from orchestration.executor import LiveRun, Planned, assignment_of, new_run_id
from orchestration.executor.parts import parts_of
from orchestration.kinds import Mode
from orchestration.loading import Project
from orchestration.models import HybridAgent
from orchestration.orchestrator.catching import look_elsewhere, resume, take_up
from orchestration.orchestrator.lastword import Books
from orchestration.orchestrator.opening import begin, planned_from, replay
from orchestration.orchestrator.selection import Selection
from orchestration.protocols import RunRecord, RunStore, Work
from orchestration.registry import AgentRegistry

AtRest: TypeAlias = Callable[[str, Sequence[Planned], Path], LiveRun]
"""Puts a run together that is only looked at; its files go into the folder."""

PlaceOf: TypeAlias = Callable[[str, Path], Place]
PlanOf: TypeAlias = Callable[[Selection, str | None, Mode | str | None], list[Planned]]


class Prompter:
    """Says what would be sent.

    Args:
        plan: who does which task, given a selection, an agent and a mode.
        project: its tasks.
        registry: who there is.
        store: the runs so far.
        assemble: puts a run together.
        place: where that happens.
    """

    def __init__(
        self,
        plan: PlanOf,
        project: Project,
        registry: AgentRegistry,
        store: RunStore,
        assemble: AtRest,
        place: PlaceOf,
    ) -> None:
        """Nothing is read yet."""
        self._plan = plan
        self._project = project
        self._registry = registry
        self._store = store
        self._assemble = assemble
        self._place = place

    async def prompt(self, task_id: str, agent: str | None, mode: Mode | str | None) -> str:
        """The text, for the agent that the task has, or for the one that is named.

        Raises:
            UnknownAgent: nobody can do the task.
            TemplateError: a text of the task cannot be filled in (yet).
            SecretMissing: a secret that it needs cannot be had.
        """
        asked = agent is not None or mode is not None
        own = next(task for task in self._plan(Selection.of([task_id]), agent, mode) if task.id == task_id)
        if isinstance(own.assignment.agent, OrchError):
            raise own.assignment.agent
        every = self._plan(Selection(), None, None)
        planned = [replace(task, assignment=own.assignment) if task.id == task_id else task for task in every]
        with tempfile.TemporaryDirectory(prefix="orch-") as folder:
            record = await self._open_run(task_id)
            if record is None:
                run = await self._as_new(planned, task_id, Path(folder))
            else:
                run = await self._as_resumed(record, own if asked else None, Path(folder))
            parts = self._parts(own, run)
            if not parts:
                return _text(await run.crew.brief(task_id))
            crew = Crew(run.run_id, self._place(run.run_id, Path(folder)), parts, _above(run, task_id), run.ledger)
            briefed = [await crew.brief(part) for part in parts]
            return "\n\n".join(
                f"--- {work.task.id} ({work.agent_name}) ---\n\n{_text(work).rstrip()}" for work in briefed
            )

    async def _open_run(self, task_id: str) -> RunRecord | None:
        """The run in which the task may still be begun."""
        books = await Books.of(self._store)
        speaking = await books.speaking(task_id, (await self._store.standings([task_id])).get(task_id))
        return speaking[0] if speaking else None

    async def _as_new(self, planned: Sequence[Planned], task_id: str, folder: Path) -> LiveRun:
        run = self._assemble(new_run_id(), planned, folder)
        standings = await self._store.standings([task.id for task in planned])
        again = frozenset({task_id})
        begin(run, planned, standings, max_concurrent=1, fail_fast=False, force=again, reopen=again)
        return run

    async def _as_resumed(self, record: RunRecord, own: Planned | None, folder: Path) -> LiveRun:
        planned = planned_from(record, self._project, self._registry)
        if own is not None:
            planned = [replace(task, assignment=own.assignment) if task.id == own.id else task for task in planned]
        run = self._assemble(record.run_id, planned, folder)
        replay(run, await self._store.events(record.run_id))
        if not self._store.is_live(record.run_id):
            standings = await self._store.standings(record.tasks)
            elsewhere = await look_elsewhere(self._store, record, run, standings)
            resume(run, elsewhere)
            take_up(run, elsewhere)
        return run

    def _parts(self, own: Planned, run: LiveRun) -> dict[str, Assignment]:
        """The parts with which a hybrid agent begins; none for any other."""
        agent = own.assignment.agent
        if not isinstance(agent, HybridAgent):
            return {}
        items = first_parts(agent, own.id, 0).items
        event = TaskExpanded(run.run_id, 0, run.recorder.at(), own.id, 1, "", items)
        parts = parts_of(own, event, lambda task, agent: assignment_of(self._registry, task, agent, None))
        return {part.id: part.assignment for part in parts if not part.needs}


def _above(run: LiveRun, task_id: str) -> Callable[[str], list[str]]:
    """Everything that the task depends on, which is what its parts depend on."""
    above = [need for need in run.graph.upstream([task_id]) if need != task_id]
    return lambda _: above


def _text(work: Work) -> str:
    return work.prompt if work.masker is None else work.masker.text(work.prompt)
