"""From tasks to runs in memory: which agents do them, where they work, what limits they share."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from orchestration.attempts import Assignment, Place
from orchestration.executor import (
    ExecutorTable,
    LiveRun,
    Planned,
    Surroundings,
    assemble,
    assignment_of,
    limits_for,
)
from orchestration.kinds import Mode
from orchestration.loading import Project, check_fit
from orchestration.models import LOCAL, Budget, Task
from orchestration.orchestrator.opening import plan_selection
from orchestration.orchestrator.selection import Selection
from orchestration.process import LiveChildren
from orchestration.protocols import Listener
from orchestration.registry import AgentRegistry


class Workshop:
    """Puts the runs of one project together; agents' and pools' limits are shared by all that are driven."""

    def __init__(
        self,
        project: Project,
        registry: AgentRegistry,
        children: LiveChildren,
        environment: Mapping[str, str],
        *,
        python_in_child: bool,
    ) -> None:
        """Nothing is started or written."""
        self._project = project
        self._registry = registry
        self._children = children
        self._environment = environment
        self.surroundings = Surroundings(project.root, project.settings)
        self._executors = ExecutorTable(children, self.surroundings, python_in_child=python_in_child)
        self._limits = limits_for(registry, project.settings)

    def plan(self, selection: Selection, agent: str | None, mode: Mode | str | None) -> list[Planned]:
        """The tasks of a selection with who does them; raises UnknownTask, UnknownAgent and InvalidProject."""
        check_fit(self._project)
        selection.check_words(self._project)
        return plan_selection(self._project, self._registry, selection.choose(self._project), agent, mode)

    def backlog(self) -> list[Planned]:
        """All tasks with who does them, also of one that is not fit to be run."""
        return plan_selection(self._project, self._registry, self._project.tasks, None, None)

    def backend(self, name: str | None) -> str | None:
        """Where a caller wants attempts to run, None for what agents and settings say.

        Raises:
            UnknownBackend: there is no such backend.
            BrokenPlugin: the package that has it cannot be used.
        """
        if name is not None and name != LOCAL:
            self._executors.backend(name)
        return name

    def assemble(
        self,
        run_id: str,
        planned: Sequence[Planned],
        listener: Listener | None,
        budget: Budget | None,
        backend: str | None,
    ) -> LiveRun:
        """A run that is going to be driven."""
        return assemble(
            run_id,
            planned,
            replace(self.place(run_id), backend=backend),
            limits=self._limits,
            listener=listener,
            budget=budget or self._project.settings.budget,
            assign=self._assign,
        )

    def at_rest(self, run_id: str, planned: Sequence[Planned], state: Path | None = None) -> LiveRun:
        """A run that is only looked at or answered: what it replays must not touch the limits of those that go on."""
        limits = limits_for(self._registry, self._project.settings)
        return assemble(run_id, planned, self.place(run_id, state), limits=limits, assign=self._assign)

    def place(self, run_id: str, state: Path | None = None) -> Place:
        """Where the attempts of a run work, and what they see."""
        return Place(
            directory=self._project.root,
            state=state or self._project.state_folder / "runs" / run_id,
            environment=self._environment,
            settings=self._project.settings,
            children=self._children,
            executor_for=self._executors,
            parameters=self._project.settings.parameters,
            instructions_for=self.surroundings.instructions_for,
            own_names=self.surroundings.own_names,
            model_of=self.surroundings.model_of,
            templates=self.surroundings.templates,
        )

    def _assign(self, task: Task, agent: str) -> Assignment:
        return assignment_of(self._registry, task, agent, None)
