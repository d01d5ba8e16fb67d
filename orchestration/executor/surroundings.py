"""What agents find where they work: adapters, the project's own words, and the names of the keys that are theirs.

Everything is read, and what reads it imported, when it is first needed, and once: a project of shell commands pays for
nothing of it.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from orchestration.models import Agent, ApiAgent, CliAgent, Settings

if TYPE_CHECKING:
    from orchestration.adapters import Adapter
    from orchestration.loading.adapters import AdapterShelf

_TOLD = frozenset({"cli", "api"})
"""Kinds of agents that are told the project's instructions."""


class Surroundings:
    """The surroundings of one project, or of a folder without one."""

    def __init__(self, root: Path, settings: Settings) -> None:
        """Nothing is read yet."""
        self.settings = settings
        self._root = root
        self._shelf: AdapterShelf | None = None
        self._instructions: dict[tuple[str, ...], str] = {}
        self._templates: Mapping[str, str] | None = None

    def adapter_for(self, agent: CliAgent) -> "Adapter":
        """The adapter of an agent program; raises InvalidProject."""
        if self._shelf is None:
            from orchestration.loading.adapters import AdapterShelf  # noqa: PLC0415  # see above

            self._shelf = AdapterShelf(self._root)
        return self._shelf.adapter_for(agent)

    def own_names(self, name: str, agent: Agent) -> tuple[str, ...]:
        """The variables that an agent may see because it is what it is: those of its program, the key of its model."""
        if isinstance(agent, CliAgent):
            return self.adapter_for(agent).form.environment.pass_
        if isinstance(agent, ApiAgent):
            from orchestration.binding import binding_for, key_variable  # noqa: PLC0415  # see above

            key = key_variable(binding_for(name, agent, self.settings.api))
            return (key,) if key else ()
        return ()

    def model_of(self, name: str, agent: Agent) -> str | None:
        """The model that an agent is told to use, as far as that is written down."""
        if isinstance(agent, ApiAgent):
            from orchestration.binding import binding_for  # noqa: PLC0415  # see above

            return binding_for(name, agent, self.settings.api).model
        return agent.model if isinstance(agent, CliAgent) else None

    def instructions_for(self, _: str, agent: Agent) -> str:
        """What the project tells an agent that does not read it by itself; raises InvalidProject."""
        if agent.kind not in _TOLD:
            return ""
        from orchestration.loading.instructions import READ_ALREADY, instructions_of  # noqa: PLC0415  # see above

        read = READ_ALREADY.get(agent.preset or agent.adapter or "", ()) if isinstance(agent, CliAgent) else ()
        if read not in self._instructions:
            self._instructions[read] = instructions_of(self._root, self.settings, read_already=read)
        return self._instructions[read]

    def templates(self) -> Mapping[str, str]:
        """How work of each type is done; raises InvalidProject."""
        if self._templates is None:
            from orchestration.loading.instructions import templates_of  # noqa: PLC0415  # see above

            self._templates = templates_of(self._root, self.settings)
        return self._templates
