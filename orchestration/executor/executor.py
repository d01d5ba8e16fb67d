"""`TaskExecutor`: tasks without a project, in memory, over the same plan, scheduler and executors as everything else.

A pair that makes no sense (an agent that is unknown or disabled, an object that is no task) becomes that pair's failed
result and touches no other. The same task may be given several times, to several agents; dependencies between tasks
are a project's matter and are not looked at here.
"""

import os
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from orchestration.attempts import Assignment, Place
from orchestration.calls import ended_with_thread
from orchestration.errors import OrchError, UsageError
from orchestration.events import RunStarted
from orchestration.executor.assembly import LiveRun, assemble, limits_for, new_run_id, open_in
from orchestration.executor.parts import Planned
from orchestration.executor.surroundings import Surroundings
from orchestration.kinds import ExecutionStatus, Failure, Mode
from orchestration.models import Agent, Settings, Task
from orchestration.process import LiveChildren
from orchestration.protocols import Backend, Executor, Listener
from orchestration.registry import AgentRegistry, executor_class
from orchestration.results import ExecutionResult

if TYPE_CHECKING:
    from orchestration.backends import Backends


class TaskExecutor:
    """Runs tasks by the agents of a registry.

    Args:
        registry: who can do tasks; without one, the built-in agents.
        directory: where tasks run; the current folder by default.
        settings: defaults for limits, environment and retries.
        environment: what the children's allow-list draws from; this process's own by default.
        listener: told of events and chunks.
        python_in_child: run Python functions in a child instead of in this process.
        backend: where attempts run, whatever agents and settings say.

    Logs go to a temporary folder that lives as long as the executor.
    """

    def __init__(
        self,
        registry: AgentRegistry | None = None,
        *,
        directory: str | Path = ".",
        settings: Settings | None = None,
        environment: Mapping[str, str] | None = None,
        listener: Listener | None = None,
        python_in_child: bool = False,
        backend: str | None = None,
    ) -> None:
        """Nothing is started or written."""
        self.registry = registry or AgentRegistry()
        self.children = LiveChildren()
        self._settings = settings or Settings()
        self._limits = limits_for(self.registry, self._settings)
        self._listener = listener
        self._directory = Path(directory).resolve()
        self._environment = dict(os.environ if environment is None else environment)
        self._surroundings = Surroundings(self._directory, self._settings)
        self._executors = ExecutorTable(self.children, self._surroundings, python_in_child=python_in_child)
        self._backend = backend
        self._folder: Path | None = None

    async def execute(self, task: Task, agent: str | None = None, mode: Mode | str | None = None) -> ExecutionResult:
        """Run one task to its end, retries included.

        Args:
            task: what to do.
            agent: who is to do it, instead of whom the task or the registry names.
            mode: how it is to be done, such as `interactive`.

        Returns:
            Its result; also an unknown agent is a result, with the failure `agent_missing`.
        """
        return (await self._run([self._planned(task, agent, mode, task.id)], 1))[0]

    async def execute_parallel(
        self,
        pairs: Sequence[tuple[Task, str | None]],
        max_concurrent: int = 3,
    ) -> list[ExecutionResult]:
        """Run several tasks, at most `max_concurrent` at once; the results are in the order of the pairs.

        Raises:
            UsageError: `max_concurrent` is below 1.
        """
        if max_concurrent < 1:
            raise UsageError(f"max_concurrent is {max_concurrent}; at least one task must be able to run")
        planned: list[Planned] = []
        results: dict[int, ExecutionResult] = {}
        places: list[int] = []
        for place, pair in enumerate(pairs):
            try:
                task, agent = pair
                node_id = task.id if place == 0 else f"{task.id}#{place + 1}"
                planned.append(self._planned(task, agent, None, node_id))
            except (TypeError, ValueError, AttributeError) as error:
                results[place] = _no_pair(pair, error)
                continue
            places.append(place)
        if planned:
            results.update(zip(places, await self._run(planned, max_concurrent), strict=True))
        return [results[place] for place in range(len(pairs))]

    def _planned(self, task: Task, agent: str | None, mode: Mode | str | None, node_id: str) -> Planned:
        return Planned(node_id, assignment_of(self.registry, task, agent, mode))

    async def _run(self, planned: Sequence[Planned], slots: int) -> list[ExecutionResult]:
        from orchestration.store.memory import MemoryStore  # noqa: PLC0415  # a project has another store

        run_id, store, registry = new_run_id(), MemoryStore(), self.registry
        run = assemble(
            run_id,
            planned,
            self._place(run_id),
            limits=self._limits,
            listener=self._listener,
            budget=self._settings.budget,
            assign=lambda task, agent: assignment_of(registry, task, agent, None),
        )
        run.recorder.emit(RunStarted, tasks=tuple(task.id for task in planned), max_concurrent=slots)
        with ended_with_thread():
            await open_in(store, run, planned)
            await run.scheduler.run(store, slots)
        return [_renamed(run, task) for task in planned]

    def _place(self, run_id: str) -> Place:
        if self._folder is None:
            import shutil  # noqa: PLC0415  # as above
            import tempfile  # noqa: PLC0415  # as above

            self._folder = Path(tempfile.mkdtemp(prefix="orch-"))
            weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        return Place(
            directory=self._directory,
            state=self._folder / run_id,
            environment=self._environment,
            settings=self._settings,
            children=self.children,
            executor_for=self._executors,
            backend=self._backend,
            instructions_for=self._surroundings.instructions_for,
            own_names=self._surroundings.own_names,
            model_of=self._surroundings.model_of,
            templates=self._surroundings.templates,
        )


_PROGRAMS: Final = ("cli", "scripted")
"""Kinds of agents that are programs with an adapter."""


class ExecutorTable:
    """The executor of each agent kind, made when it is first needed.

    Args:
        children: every live process tree.
        surroundings: what agents find where they work.
        python_in_child: whether functions are called in processes of their own.
        supervised: whether commands and scripts have supervisors, because this process will not become a subreaper.
    """

    def __init__(
        self,
        children: LiveChildren,
        surroundings: "Surroundings",
        *,
        python_in_child: bool,
        supervised: bool = False,
    ) -> None:
        """Nothing is imported yet."""
        self._supervised = supervised
        self._children = children
        self._surroundings = surroundings
        self._python_in_child = python_in_child
        self._made: dict[str, Executor] = {}
        self._backends: Backends | None = None

    def __call__(self, kind: str, backend: str | None = None) -> Executor:
        """The executor for agents of this kind; on a backend, where one is named."""
        here = self._here(kind)
        if backend is None:
            return here
        from orchestration.backends import Elsewhere  # noqa: PLC0415  # only who names a backend pays for it

        return Elsewhere(backend, self.backend, here)

    def backend(self, name: str) -> Backend:
        """The backend of this name; raises UnknownBackend and BrokenPlugin."""
        if self._backends is None:
            from orchestration.backends import Backends  # noqa: PLC0415  # as above

            self._backends = Backends()
        return self._backends(name)

    def _here(self, kind: str) -> Executor:
        made = self._made.get(kind)
        if made is None:
            made = self._made[kind] = executor_class(kind)(**self._options(kind))
            if kind in _PROGRAMS:  # one executor, which knows what it has asked programs before
                self._made.update(dict.fromkeys(_PROGRAMS, made))
        return made

    def _options(self, kind: str) -> dict[str, Any]:
        if kind in {"interactive", "plugin"}:  # a person is no process, and what others make has its own ways
            return {}
        if kind == "api":
            return {"settings": self._surroundings.settings.api}
        if kind in _PROGRAMS:
            return {"children": self._children, "adapters": self._surroundings.adapter_for}
        if kind == "python":
            return {"children": self._children, "in_process": not self._python_in_child}
        return {"children": self._children, "supervised": self._supervised}


def assignment_of(registry: AgentRegistry, task: Task, agent: str | None, mode: Mode | str | None) -> Assignment:
    """Who does the task; an unknown or disabled agent is kept as the error that its attempt will fail with.

    Raises:
        UsageError: there is no such mode.
    """
    how = None if mode is None else _mode(mode)
    try:
        name, chosen = registry.agent_for(task, agent, how)
    except OrchError as error:
        return Assignment(task, agent or task.agent or "", error)
    return Assignment(task, name, chosen, _fallback(registry, chosen))


def _mode(word: str) -> Mode:
    try:
        return Mode(word)
    except ValueError:
        raise UsageError(f"there is no mode {word!r:.40}", hint=f"the modes are {', '.join(Mode)}") from None


def _fallback(registry: AgentRegistry, agent: Agent) -> tuple[str, Agent] | None:
    if agent.fallback is None:
        return None
    try:
        return agent.fallback, registry.get(agent.fallback)
    except OrchError:  # told when the project was loaded; nobody stands in then
        return None


def _renamed(run: LiveRun, planned: Planned) -> ExecutionResult:
    return replace(run.ledger.result(planned.id), task_id=planned.assignment.task.id)


def _no_pair(pair: object, error: Exception) -> ExecutionResult:
    return ExecutionResult(
        task_id=str(getattr(pair, "id", "")) or repr(pair)[:80],
        agent=None,
        status=ExecutionStatus.FAILED,
        failure=Failure.INTERNAL,
        error=f"no (task, agent) pair: {error}",
    )
