"""Where a run's work happens, and who does each task."""

from collections.abc import Callable, Mapping
from dataclasses import field
from pathlib import Path
from typing import Any

from orchestration.errors import OrchError
from orchestration.models import LOCAL, Agent, MovableAgent, Settings, Task
from orchestration.process import LiveChildren
from orchestration.protocols import Executor
from orchestration.records import dataclass


def _nothing(_: str, __: Agent) -> str:
    return ""


def _no_model(_: str, __: Agent) -> str | None:
    return None


def _no_names(_: str, __: Agent) -> tuple[str, ...]:
    return ()


@dataclass(frozen=True, slots=True)
class Place:
    """Where a run's work happens.

    Attributes:
        directory: where tasks run.
        state: the run's own folder, for logs and the files tasks get and give.
        environment: what the children's allow-list draws from; never passed on whole.
        settings: the project's defaults.
        children: every live process tree, so that all can be ended at once.
        executor_for: the executor of an agent's kind, on a backend where one is named.
        backend: where attempts run, instead of what agents and settings say.
        instructions_for: what the project tells an agent that does not read it by itself.
        own_names: the variables that an agent may see because it is what it is: its keys.
        model_of: the model that an agent is told to use, as far as that is written down.
        templates: how work of a type is done, by type.
        mark: follows the run's id in the markers of processes, where others may choose the same id.
        known_secrets: secrets that were looked up already; they are masked, and given to tasks that name them.
    """

    directory: Path
    state: Path
    environment: Mapping[str, str]
    settings: Settings
    children: LiveChildren
    executor_for: Callable[[str, str | None], Executor]
    backend: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    instructions_for: Callable[[str, Agent], str] = _nothing
    own_names: Callable[[str, Agent], tuple[str, ...]] = _no_names
    model_of: Callable[[str, Agent], str | None] = _no_model
    templates: Callable[[], Mapping[str, str]] = dict
    mark: str = ""
    known_secrets: Mapping[str, str] = field(default_factory=dict, repr=False)

    def backend_of(self, agent: Agent) -> str | None:
        """Which backend has the agent's attempts done: the caller's, its own, or the project's; None for here."""
        if not isinstance(agent, MovableAgent):
            return None
        named = self.backend or agent.backend or self.settings.backend
        return None if named == LOCAL else named


@dataclass(frozen=True, slots=True)
class Assignment:
    """A task and who does it; an error instead of an agent is what the attempt then fails with.

    `fallback` does it while the account of `agent` is exhausted; `draws_on` are tasks beside its dependencies whose
    results it starts from.
    """

    task: Task
    agent_name: str
    agent: Agent | OrchError
    fallback: tuple[str, Agent] | None = None
    draws_on: tuple[str, ...] = ()

    def by(self, name: str | None) -> "Assignment":
        """The same task, done by whom a fallback names."""
        if name is None or self.fallback is None or self.fallback[0] != name:
            return self
        return Assignment(self.task, *self.fallback, draws_on=self.draws_on)
