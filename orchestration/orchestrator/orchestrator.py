"""`ProjectOrchestrator`: wires the parts — load, select, run, answer, look — for one project.

Several of its runs may go on at once in one loop, and several orchestrators on one project in one process or in many:
each run has its owner lock, each task its claim, and agents' and pools' limits are shared by all runs of one
orchestrator. It installs no signal handlers and reads the environment once, when it is made.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from orchestration.checks import MARKER
from orchestration.errors import UnmetDependencies
from orchestration.events import Event
from orchestration.executor import limits_for
from orchestration.kinds import Mode
from orchestration.loading import Project, load_project
from orchestration.models import Budget
from orchestration.orchestrator import looking
from orchestration.orchestrator.asking import check_limits, checked_selection
from orchestration.orchestrator.desk import Desk
from orchestration.orchestrator.lastword import Books, owner_of
from orchestration.orchestrator.opening import missing_of
from orchestration.orchestrator.resuming import open_run, selection_of
from orchestration.orchestrator.running import Options, Runs
from orchestration.orchestrator.selection import Selection, check_known
from orchestration.orchestrator.workshop import Workshop
from orchestration.process import LiveChildren
from orchestration.protocols import Listener, RunRecord, RunStore
from orchestration.registry import AgentRegistry
from orchestration.results import ExecutionResult, RunResult
from orchestration.store.sqlite import SqliteStore
from orchestration.streams import RunStream

if TYPE_CHECKING:
    from orchestration.orchestrator.agents import AgentCheck
    from orchestration.orchestrator.forecast import Forecast


class ProjectOrchestrator:
    """A project's backlog and its runs.

    Args:
        project_root: the folder with `orchestration.yaml`, `tasks/` or both.
        store: where state is kept; `.orchestration/state.db` in the project by default.
        registry: who does tasks; the project's agents by default.
        python_in_child: run `kind: python` tasks in child processes, as the command line does.
        children: every live process tree, so that all can be ended at once, and who ends them if this process dies.
        environment: what the children's allow-list draws from; this process's own by default.
        check: whether the files must be fit to be run. Without, what can be read is there to be looked at, and what is
            done can be cancelled; anything else raises InvalidProject where files are wrong.

    Raises:
        NoProject: the folder does not exist.
        InvalidProject: carries everything that is wrong with the files.
    """

    def __init__(
        self,
        project_root: str | Path = ".",
        *,
        store: RunStore | None = None,
        registry: AgentRegistry | None = None,
        python_in_child: bool = True,
        children: LiveChildren | None = None,
        environment: Mapping[str, str] | None = None,
        check: bool = True,
    ) -> None:
        """Load the project; nothing is written."""
        self.project: Project = load_project(Path(project_root), check=check)
        settings = self.project.settings
        self.registry = registry or AgentRegistry.from_settings(settings)
        self.store: RunStore = store or SqliteStore(self.project.state_folder)
        self.children = LiveChildren() if children is None else children  # an empty book is false
        seen = dict(os.environ if environment is None else environment)
        self._shop = shop = Workshop(self.project, self.registry, self.children, seen, python_in_child=python_in_child)
        self._runs = Runs(self.store, shop.assemble, self.children, seen.get(MARKER, ""))
        self._desk = Desk(self.project, self.registry, self.store, shop.at_rest, self.children)

    async def __aenter__(self) -> Self:
        """Nothing to open: what is needed is opened when it is needed."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the store."""
        await self.aclose()

    async def aclose(self) -> None:
        """Close the store; what was acknowledged is durable."""
        self.children.dismiss_warden()
        await self.store.close()

    # -- doing --------------------------------------------------------------------------------------------------

    async def execute_task(
        self,
        task_id: str,
        agent: str | None = None,
        mode: Mode | str | None = None,
        *,
        with_dependencies: bool = False,
        force: bool = False,
        backend: str | None = None,
        listener: Listener | None = None,
    ) -> ExecutionResult:
        """Do one task; one that succeeded before is not done again, one that failed is.

        Args:
            task_id: the task.
            agent: who is to do it, instead of whom the task names.
            mode: how it is to be done, such as `interactive`.
            with_dependencies: also do whatever it depends on and is not done.
            force: do it even if it succeeded before.
            backend: where it is done, instead of what its agent and the settings say.
            listener: told of events and chunks.

        Raises:
            UnknownTask: the backlog does not have it.
            UnknownAgent: the agent does not exist or is disabled.
            UnknownBackend: the backend does not exist; BrokenPlugin: its package cannot be used.
            UnmetDependencies: lists what has to be done first.
        """
        check_known(self.project, [task_id])
        wanted = self.project.graph.upstream([task_id]) if with_dependencies else [task_id]
        planned = self._shop.plan(Selection.of(wanted), None, None)
        own = {task.id: task for task in self._shop.plan(Selection.of([task_id]), agent, mode)}
        planned = [
            replace(task, assignment=own[task_id].assignment) if task.id == task_id else task for task in planned
        ]
        missing = missing_of(planned, await self.store.standings([task.id for task in planned]))
        if missing:
            raise UnmetDependencies(task_id, missing)
        options = Options(
            slots=self.project.settings.max_concurrent,
            force=frozenset({task_id}) if force else frozenset(),
            reopen=frozenset(wanted),
            backend=self._shop.backend(backend),
            listener=listener,
        )
        run = await self._runs.run(planned, options)
        return run.by_id[task_id]

    async def run_batch(  # noqa: PLR0913  # each is an option of the command line too
        self,
        task_ids: Sequence[str] | None = None,
        max_concurrent: int | None = None,
        fail_fast: bool = False,  # noqa: FBT001, FBT002  # positional by the published signature
        *,
        selection: Selection | None = None,
        agent: str | None = None,
        mode: Mode | str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109  # ends the run gracefully, which no cancel scope can
        budget: Budget | None = None,
        force: bool = False,
        backend: str | None = None,
        listener: Listener | None = None,
    ) -> RunResult:
        """Do a selection of the backlog as one run; the same call again continues, and does nothing when all is done.

        Args:
            task_ids: which tasks; all by default.
            max_concurrent: how many attempts may run at once; the project's setting (3) by default.
            fail_fast: end what runs and start nothing new after the first failure.
            selection: criteria instead of ids.
            agent: who is to do them, instead of whom the tasks name.
            mode: how they are to be done, such as `api`.
            timeout: seconds after which the run is ended gracefully.
            budget: what the run may use before it is stopped; the project's by default.
            force: do again what was done before.
            backend: where attempts run, instead of what their agents and the settings say.
            listener: told of events and chunks.

        Raises:
            UnknownTask: names every id that the backlog does not have.
            UnknownAgent: the agent does not exist or is disabled.
            UnknownBackend: the backend does not exist; BrokenPlugin: its package cannot be used.
            GraphChanged: an interrupted run of the same tasks cannot be continued.
            UsageError: an argument makes no sense.
        """
        check_limits(max_concurrent, timeout, budget)
        planned = self._shop.plan(checked_selection(task_ids, selection), agent, mode)
        options = Options(
            slots=max_concurrent or self.project.settings.max_concurrent,
            fail_fast=fail_fast,
            force=frozenset(task.id for task in planned) if force else frozenset(),
            timeout=timeout,
            budget=budget,
            backend=self._shop.backend(backend),
            listener=listener,
        )
        return await self._runs.run(planned, options)

    def stream_batch(  # noqa: PLR0913  # the same as run_batch
        self,
        task_ids: Sequence[str] | None = None,
        max_concurrent: int | None = None,
        fail_fast: bool = False,  # noqa: FBT001, FBT002  # positional by the published signature
        *,
        selection: Selection | None = None,
        agent: str | None = None,
        mode: Mode | str | None = None,
        timeout: float | None = None,
        budget: Budget | None = None,
        force: bool = False,
        backend: str | None = None,
    ) -> RunStream:
        """`run_batch` watched while it goes on; see `RunStream`."""
        run = partial(self.run_batch, task_ids, max_concurrent, fail_fast, selection=selection, agent=agent, mode=mode)
        run = partial(run, timeout=timeout, budget=budget, force=force, backend=backend)
        return RunStream(lambda listener: run(listener=listener))

    async def resume(  # noqa: PLR0913  # each is an option of the command line too
        self,
        run_id: str | None = None,
        max_concurrent: int | None = None,
        *,
        fail_fast: bool | None = None,
        agent: str | None = None,
        mode: Mode | str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109  # as in run_batch
        budget: Budget | None = None,
        backend: str | None = None,
        listener: Listener | None = None,
    ) -> RunResult:
        """Continue a run that was interrupted or is paused: the newest one, or the one that is named.

        What is not given is as it was when the run was driven last (`agent`, `mode` and `backend` are not kept); see
        `run_batch`.

        Raises:
            UnknownRun: there is none.
            WrongState: it has ended.
            RunOwned: somebody drives it.
            GraphChanged: its tasks are not what they were.
            StillAlive: something that it left running cannot be ended.
        """
        check_limits(max_concurrent, timeout, budget)
        record = await open_run(self.store, run_id)
        options = Options(
            slots=max_concurrent or self.project.settings.max_concurrent,
            fail_fast=bool(fail_fast),
            timeout=timeout,
            budget=budget,
            backend=self._shop.backend(backend),
            listener=listener,
            slots_as_before=max_concurrent is None,
            fail_fast_as_before=fail_fast is None,
        )
        planned = self._shop.plan(selection_of(record, self.project), agent, mode)
        return await self._runs.resume(record, planned, options)

    def stop(self, cause: str, *, now: bool = False) -> None:
        """End all runs that go on here: gracefully, or at once (`now`); their results say why they ended."""
        self._runs.stop(cause)
        if now:
            self.children.kill_now()

    # -- answering ----------------------------------------------------------------------------------------------

    async def complete(
        self,
        task_id: str,
        *,
        output: str | None = None,
        outputs: Mapping[str, object] | None = None,
        by: str = "",
    ) -> ExecutionResult:
        """Say that a person has done a task; its checks decide whether that is so.

        Raises:
            WrongState: nobody waits for it, or it waits to be approved.
            ChecksFailed: its checks did not pass, and it still needs input.
        """
        check_known(self.project, [owner_of(task_id)])
        return await self._desk.complete(task_id, output=output, outputs=outputs or {}, by=by)

    async def fail(self, task_id: str, reason: str, *, by: str = "") -> ExecutionResult:
        """Say that a person could not do a task; raises WrongState where nobody waits for that."""
        check_known(self.project, [owner_of(task_id)])
        return await self._desk.answer(task_id, "fail", note=reason, by=by)

    async def approve(self, task_id: str, *, note: str = "", by: str = "") -> ExecutionResult:
        """Approve a task that waits to start, or its result; raises WrongState where nothing waits for that."""
        check_known(self.project, [owner_of(task_id)])
        return await self._desk.answer(task_id, "approve", note=note, by=by)

    async def reject(self, task_id: str, reason: str = "", *, by: str = "") -> ExecutionResult:
        """Refuse what `approve` would approve: the task is cancelled, or its attempt has failed; raises WrongState."""
        check_known(self.project, [owner_of(task_id)])
        return await self._desk.answer(task_id, "reject", note=reason, by=by)

    async def cancel(self, target: str, *, reason: str = "") -> list[str]:
        """Cancel a task, or a run with all that has not ended; returns what was cancelled, when it really has ended.

        Raises:
            UnknownRun: `target` is neither a run nor a task.
            WrongState: there is nothing to cancel.
        """
        return await self._desk.cancel(target, reason=reason)

    async def retry(self, task_ids: Sequence[str] = (), *, failed: bool = False) -> list[str]:
        """Open ended tasks again, with what was blocked because of them; the next run does them.

        Args:
            task_ids: which.
            failed: all that failed.

        Raises:
            WrongState: a task did not fail, or nothing did.
        """
        check_known(self.project, task_ids)
        return await self._desk.retry(task_ids, failed=failed)

    # -- looking ------------------------------------------------------------------------------------------------

    async def status(self) -> list[ExecutionResult]:
        """How each task of the backlog stands, in declaration order, and each other one that a run still has to do."""
        return await looking.status(self.store, self._shop.backlog(), and_what_runs=True)

    async def runs(self) -> Sequence[RunRecord]:
        """All runs, newest first."""
        return await self.store.runs()

    async def run_result(self, run_id: str | None = None) -> RunResult:
        """How a run ended, or how far it is; the newest by default. Raises UnknownRun."""
        return await looking.run_result(self.store, run_id)

    async def events(self, run_id: str | None = None, since: int = 0) -> Sequence[Event]:
        """A run's events after `since`; the newest run by default. Raises UnknownRun."""
        record = await looking.find_run(self.store, run_id)
        return await self.store.events(record.run_id, since)

    async def why(self, task_id: str) -> list[str]:
        """Sentences that say why the task is as it is, or a step of a pipeline or flow. Raises UnknownTask."""
        if not any(owner_of(task_id) in record.tasks for record in await self.store.runs()):
            check_known(self.project, [owner_of(task_id)])
        from orchestration.orchestrator.explaining import why  # noqa: PLC0415  # for this question only

        return await why(self.project, self.registry, self.store, task_id)

    async def prompt(self, task_id: str, agent: str | None = None, mode: Mode | str | None = None) -> str:
        """What would be sent next about a task, with secrets masked; raises what keeps it from being sent."""
        check_known(self.project, [task_id])
        from orchestration.orchestrator.prompting import Prompter  # noqa: PLC0415  # as above

        shop = self._shop
        prompter = Prompter(shop.plan, self.project, self.registry, self.store, shop.at_rest, shop.place)
        return await prompter.prompt(task_id, agent, mode)

    async def check_agents(self, names: Sequence[str] = (), *, probe: bool = False) -> "list[AgentCheck]":
        """What is installed and what is missing; `probe` has each do a trivial task, for money; raises UnknownAgent."""
        from orchestration.orchestrator.agents import Inspector  # noqa: PLC0415  # brings the adapters

        used = {task.id: task.assignment for task in self._shop.plan(Selection(), None, None)}
        return await Inspector(self.registry, self._shop.surroundings, self._shop.place).check(names, used, probe=probe)

    async def log_folder(self, task_id: str, run_id: str | None = None, attempt: int | None = None) -> Path:
        """The folder with an attempt's logs, the latest by default; it is there only if something was written.

        Raises UnknownTask, WrongState where no attempt of it has begun, StoreError where a link leads elsewhere.
        """
        if not any(owner_of(task_id) in record.tasks for record in await self.store.runs()):
            check_known(self.project, [owner_of(task_id)])
        return await self._desk.log_folder(task_id, run_id, attempt)

    async def forecast(
        self,
        selection: Selection | None = None,
        max_concurrent: int | None = None,
        *,
        agent: str | None = None,
        mode: Mode | str | None = None,
        force: bool = False,
        backend: str | None = None,
    ) -> "Forecast":
        """What a run of the selection would do now."""
        self._shop.backend(backend)
        from orchestration.orchestrator.forecast import forecast  # noqa: PLC0415  # as above
        from orchestration.orchestrator.persons import kept  # noqa: PLC0415  # as above

        planned, books = self._shop.plan(selection or Selection(), agent, mode), await Books.of(self.store)
        made = forecast(
            planned,
            limits_for(self.registry, self.project.settings),
            await self.store.standings([task.id for task in planned]),
            {task.id: self.registry.explain(task.assignment.task) for task in planned},
            max_concurrent or self.project.settings.max_concurrent,
            force=force,
            kept=await kept(books, planned, force=force),
        )
        return made.put_off(await looking.rests(books, planned))
