"""Where the steps of a run work that are done by commands and agents: folder, agents, environment, processes.

Everything is made, and what makes it imported, when the first such step starts: a run of functions pays for nothing.
"""

import os
import shutil
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestration.models import Agent, Settings, Task
from orchestration.steps.reading import checked_folder

if TYPE_CHECKING:
    from orchestration.attempts import Assignment, Place
    from orchestration.process import LiveChildren
    from orchestration.registry import AgentRegistry


class Home:
    """The surroundings of runs.

    Args:
        directory: where commands and agents work; the current folder by default.
        registry: who there is; the built-in agents by default.
        settings: defaults for limits, environment and retries.
        environment: what the children's allow-list draws from; this process's own by default.
        children: every live process tree, so that all can be ended at once.
        state: the folder of runs, for logs; a temporary one by default, which lives as long as this object.
    """

    def __init__(
        self,
        directory: str | Path | None = None,
        registry: "AgentRegistry | None" = None,
        settings: Settings | None = None,
        *,
        environment: Mapping[str, str] | None = None,
        children: "LiveChildren | None" = None,
        state: Path | None = None,
    ) -> None:
        """Nothing is made yet; raises UsageError where the directory cannot be one."""
        self._directory = None if directory is None else checked_folder(directory, "directory")
        self._registry = registry
        self._settings = settings
        self._environment = environment
        self._children = children
        self._state = state
        self._place: Place | None = None
        self._resolved: Path | None = None

    def filled(
        self,
        directory: Path,
        registry: "AgentRegistry | None" = None,
        settings: Settings | None = None,
        *,
        environment: Mapping[str, str],
        children: "LiveChildren",
    ) -> "Home":
        """The same, with these where nothing was said; `children` in any case."""
        return Home(
            self._directory or directory,
            self._registry or registry,
            self._settings or settings,
            environment=environment if self._environment is None else self._environment,
            children=children,
            state=self._state,
        )

    def kept_in(self, state: Path) -> "Home":
        """The same, with logs in a folder that stays."""
        return Home(
            self._directory,
            self._registry,
            self._settings,
            environment=self._environment,
            children=self._children,
            state=state,
        )

    @property
    def state(self) -> Path | None:
        """The folder of runs that stays, None where there is none."""
        return self._state

    @property
    def directory(self) -> Path:
        """Where steps work."""
        if self._resolved is None:
            self._resolved = Path(self._directory or ".").resolve()
        return self._resolved

    @property
    def environment(self) -> Mapping[str, str]:
        """What the children's allow-list draws from."""
        return os.environ if self._environment is None else self._environment

    @property
    def children(self) -> "LiveChildren":
        """Every live process tree of these runs."""
        if self._children is None:
            from orchestration.process import LiveChildren  # noqa: PLC0415  # see above

            self._children = LiveChildren()
        return self._children

    @property
    def has_children(self) -> bool:
        """Whether there is a book of them yet; asking makes none."""
        return self._children is not None

    def place(self, run_id: str, parameters: Mapping[str, Any], known_secrets: Mapping[str, str]) -> "Place":
        """Where one attempt works."""
        from dataclasses import replace  # noqa: PLC0415  # see above

        made = self._place or self._make()
        return replace(made, state=made.state / run_id, parameters=parameters, known_secrets=known_secrets)

    @property
    def mark(self) -> str:
        """What follows the ids of runs in the markers of their processes: ids are chosen freely, for every store."""
        from orchestration.process import mark_of  # noqa: PLC0415  # see above

        return "" if self._state is None else mark_of(self._state)

    def attempt_folder(self, run_id: str, path: str, attempt: int) -> Path:
        """The own folder of an attempt that is done elsewhere; it need not exist."""
        return (self._place or self._make()).state / run_id / path / str(attempt)

    async def secrets(self, names: Sequence[str]) -> dict[str, str]:
        """The values of secrets as they are now, from where the settings say that they are kept.

        Without settings, those of the project that the directory belongs to count.

        Raises:
            SecretMissing: one cannot be had.
        """
        from orchestration.steps.sources import sources_for  # noqa: PLC0415  # only who has secrets pays
        from orchestration.vault import secrets_for  # noqa: PLC0415  # likewise

        root, sources = sources_for(self.directory, self._settings)
        return await secrets_for(names, sources, self.environment, root, children=self.children)

    def assignment(self, task: Task, agent: Agent | str | None) -> "Assignment":
        """Who does a step; an unknown agent is the error that its attempt fails with."""
        from orchestration.attempts import Assignment  # noqa: PLC0415  # see above
        from orchestration.executor import assignment_of  # noqa: PLC0415  # see above

        if agent is None or isinstance(agent, str):
            return assignment_of(self._agents(), task, agent, None)
        return Assignment(task, agent.kind, agent)

    def _agents(self) -> "AgentRegistry":
        if self._registry is None:
            from orchestration.registry import AgentRegistry  # noqa: PLC0415  # see above

            self._registry = AgentRegistry()
        return self._registry

    def _make(self) -> "Place":
        from orchestration.attempts import Place  # noqa: PLC0415  # see above
        from orchestration.executor import ExecutorTable, Surroundings  # noqa: PLC0415  # see above
        from orchestration.process import mark_of  # noqa: PLC0415  # see above

        directory = self.directory
        settings = self._settings or Settings()
        surroundings = Surroundings(directory, settings)
        children = self.children
        state = self._state or self._temporary()
        self._place = Place(
            directory=directory,
            state=state,
            mark=mark_of(state),
            environment=dict(self.environment),
            settings=settings,
            children=children,
            executor_for=ExecutorTable(children, surroundings, python_in_child=False, supervised=True),
            instructions_for=surroundings.instructions_for,
            own_names=surroundings.own_names,
            model_of=surroundings.model_of,
            templates=surroundings.templates,
        )
        return self._place

    def _temporary(self) -> Path:
        folder = Path(tempfile.mkdtemp(prefix="orch-"))
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        return folder
