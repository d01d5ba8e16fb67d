"""Agent name → agent, and which agent is to do a task; kind of agent → the class that does its work.

Nothing here ever gives out a disabled agent: whoever names one is told that it is disabled, and a recommendation looks
among the enabled ones only. Executors are named by import strings, so that an installation pays for the kinds that it
uses.
"""

from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from typing import Any, Final, TypeAlias

from pydantic import TypeAdapter, ValidationError

from orchestration import plugins
from orchestration.errors import OrchError, UnknownAgent, UsageError
from orchestration.graph import nearest
from orchestration.kinds import Mode
from orchestration.models import (
    BUILT_IN_AGENTS,
    KINDS,
    SAFE_ID,
    Agent,
    AgentByKind,
    ApiAgent,
    PluginAgent,
    Settings,
    Task,
    Written,
)

EXECUTORS: Final[dict[str, str]] = {
    "shell": "orchestration.executors.shell:ShellExecutor",
    "script": "orchestration.executors.script:ScriptExecutor",
    "python": "orchestration.executors.function:FunctionExecutor",
    "interactive": "orchestration.executors.interactive:InteractiveExecutor",
    "cli": "orchestration.executors.agent:AgentExecutor",
    "scripted": "orchestration.executors.agent:AgentExecutor",
    "api": "orchestration.executors.api:ApiExecutor",
}
"""Kind of agent → `module:class` of its executor."""

_PLUGGED_IN: Final = {"plugin": "orchestration.executors.plugin:PluginExecutor"}
"""The executor of all kinds that other packages add."""

_KINDS: Final[Mapping[Mode, frozenset[str]]] = {
    Mode.API: frozenset({"api"}),
    Mode.HYBRID: frozenset({"hybrid"}),
    Mode.SCRIPT: frozenset({"script", "shell"}),
}
"""Mode → the kinds of agents that work so; any named agent can be asked directly, at the model that is bound to it."""

_MODE_HINTS: Final[Mapping[Mode, str]] = {
    Mode.API: "name an agent, or add one of kind api",
    Mode.HYBRID: "add an agent of kind hybrid",
    Mode.SCRIPT: "add an agent of kind script",
}

LAST_RESORT: Final = "interactive"
"""The agent for tasks that nobody else is good for: a person."""

Registrable: TypeAlias = Agent | Callable[..., Any] | Mapping[str, Any]


def executor_class(kind: str) -> Callable[..., Any]:
    """The class whose objects do the work of agents of this kind, imported now.

    Raises:
        UnknownAgent: there is no such kind in this version.
    """
    try:
        module, _, name = (EXECUTORS | _PLUGGED_IN)[kind].partition(":")
    except KeyError:
        hint = nearest(kind, EXECUTORS) or f"known kinds: {', '.join(EXECUTORS)}"
        raise UnknownAgent(f"there is no kind of agent {kind[:80]!r} in this version", hint=hint) from None
    found: Callable[..., Any] = getattr(import_module(module), name)
    return found


class AgentRegistry:
    """The agents that there are, in the order in which they were declared, the built-in ones last.

    Args:
        agents: name → agent.
        default_agent: whom tasks are given that ask for nobody and that nobody is recommended for.
        built_in: whether there are also `shell` and `interactive`, unless the project has its own of that name.
    """

    def __init__(
        self,
        agents: Mapping[str, Agent] | None = None,
        *,
        default_agent: str | None = None,
        built_in: bool = True,
    ) -> None:
        self.default_agent = default_agent
        self._agents: dict[str, Agent] = dict(agents or {})
        self._plugs: set[str] = set()
        self._built_in: dict[str, Agent] = dict(BUILT_IN_AGENTS) if built_in else {}

    @classmethod
    def from_settings(cls, settings: Settings) -> "AgentRegistry":
        """The agents of a project."""
        return cls(settings.agents, default_agent=settings.default_agent)

    def register(self, name: str, agent: Registrable) -> None:
        """Add an agent, or replace the one of that name.

        Args:
            name: as tasks will call it; made like a task's id.
            agent: an agent, what `orchestration.yaml` would say about one, or a function that does the work.

        Raises:
            UsageError: the name or the agent is not possible.
        """
        if not SAFE_ID.fullmatch(name):
            hint = "use letters, digits, '.', '_' and '-', at most 100, beginning with a letter or digit"
            raise UsageError(f"{name!r:.120} cannot be the name of an agent", hint=hint)
        self._agents[name] = _as_agent(name, agent)

    def get(self, name: str) -> Agent:
        """The enabled agent of this name.

        Raises:
            UnknownAgent: there is none, or it is disabled.
            BrokenPlugin: another package gives this name, and what is behind it cannot be used.
        """
        agent = self._agents.get(name) or self._built_in.get(name) or self._plugged_in(name)
        if agent is None:
            known = list(dict.fromkeys([*self.names(), *plugins.names(plugins.AGENTS)]))
            hint = nearest(name, known) or (f"known agents: {', '.join(known)}" if known else "there are no agents")
            raise UnknownAgent(f"there is no agent {name[:80]!r}", hint=hint)
        if not agent.enabled:
            raise UnknownAgent(f"the agent {name!r} is disabled", hint="enable it, or name another agent")
        return agent

    def look_for_plugins(self) -> list[OrchError]:
        """Add all agents that other packages give, which otherwise happens when one is named; what is wrong with some.

        A name that is the project's own, or built in, cannot be taken over.
        """
        faults: list[OrchError] = []
        for plugin in plugins.every(plugins.AGENTS):
            if plugin.name in self:
                told = f"{plugin.told} is not used: there is an agent of that name"
                faults += (
                    [] if plugin.name in self._plugs else [UsageError(told, hint="the plug-in needs another name")]
                )
                continue
            try:
                self._plugged_in(plugin.name)
            except OrchError as error:
                faults.append(error)
        return faults

    def _plugged_in(self, name: str) -> Agent | None:
        plugin = plugins.find(plugins.AGENTS, name)
        if plugin is None:
            return None
        try:
            agent = _as_agent(name, plugin.load())
        except UsageError as error:
            raise plugins.BrokenPlugin(f"{plugin.told} is no agent: {error.message}") from error
        self._plugs.add(name)
        self._agents[name] = agent
        return agent

    def names(self) -> list[str]:
        """All names, those of disabled agents too."""
        return [name for name, _ in self.items()]

    def items(self) -> Iterator[tuple[str, Agent]]:
        """All agents with their names, disabled ones too."""
        yield from self._agents.items()
        yield from ((name, agent) for name, agent in self._built_in.items() if name not in self._agents)

    def __contains__(self, name: object) -> bool:
        return name in self._agents or name in self._built_in

    def agent_for(self, task: Task, override: str | None = None, mode: Mode | None = None) -> tuple[str, Agent]:
        """Who is to do a task: whom the caller names, a person where the mode says so, whom the task names, the best.

        Args:
            task: the task.
            override: an agent's name, instead of what the task says.
            mode: instead of the task's mode.

        Raises:
            UnknownAgent: the one who is named does not exist or is disabled, or there is no enabled agent at all.
            UsageError: nobody can do it in that mode.
        """
        name = self._choice(task, override, mode)[0]
        agent = self.get(name)
        effective = mode or (None if override is not None else task.mode)
        return name, _asked_directly(agent) if effective is Mode.API else agent

    def recommend(self, task: Task) -> str:
        """The enabled agent with most capabilities among the task's labels; the first-declared one of several.

        Where nobody has any, it is the default agent, and a person where that is disabled or not given.

        Raises:
            UnknownAgent: there is no enabled agent at all.
        """
        return self._recommendation(task)[0]

    def explain(self, task: Task) -> str:
        """One sentence on who does the task and why, also where nobody can."""
        try:
            name, reason = self._choice(task, None, None)
            self.get(name)
        except (UnknownAgent, UsageError) as error:
            return f"nobody: {error.message}"
        return f"{name}: {reason}"

    def _choice(self, task: Task, override: str | None, mode: Mode | None) -> tuple[str, str]:
        named = override or task.agent
        if override is None:
            mode = mode or task.mode
        if mode is Mode.INTERACTIVE:
            return self._person(named), "the task is to be done by a person"
        if mode is not None:
            return self._of_kind(mode, named), f"the task is to be done in mode {mode.value}"
        if override is not None:
            return override, "the caller names it"
        if task.agent is not None:
            return task.agent, "the task names it"
        return self._recommendation(task)

    def _of_kind(self, mode: Mode, named: str | None) -> str:
        """Who does a task in a mode: whoever is named, if they can, else the first one who can."""
        if named is not None:
            agent = self.get(named)
            if mode is Mode.API or agent.kind in _KINDS[mode]:
                return named
        able = [name for name, agent in self._enabled() if agent.kind in _KINDS[mode]]
        about = [name for name in able if named in getattr(self.get(name), "members", ())]
        if not able:
            raise UsageError(f"no enabled agent can do a task in mode {mode.value!r}", hint=_MODE_HINTS[mode])
        return (about or able)[0]

    def _person(self, named: str | None) -> str:
        people = [name for name, agent in self._enabled() if agent.kind == "interactive"]
        if not people:
            raise UnknownAgent("there is no enabled agent of kind interactive", hint="enable or add one")
        return named if named in people else people[0]

    def _recommendation(self, task: Task) -> tuple[str, str]:
        labels = {label.casefold() for label in task.labels}
        best, most = "", set[str]()
        for name, agent in self._enabled():
            matching = labels & {capability.casefold() for capability in agent.capabilities}
            if len(matching) > len(most):
                best, most = name, matching
        if best:
            return best, f"it has the capabilities {', '.join(sorted(most))}"
        enabled = dict(self._enabled())
        if self.default_agent in enabled:
            return self.default_agent, "it is the default agent"
        if LAST_RESORT in enabled:
            return LAST_RESORT, "no other agent is named or has a capability among the task's labels"
        hint = "name one in the task (`agent: …`), or set `default_agent`"
        raise UnknownAgent(f"no enabled agent fits task {task.id}", hint=hint)

    def _enabled(self) -> Iterator[tuple[str, Agent]]:
        return ((name, agent) for name, agent in self.items() if agent.enabled)


def _asked_directly(agent: Agent) -> Agent:
    """The agent as a model that is asked: its surroundings stay, `api.bindings` of its name says which model."""
    if isinstance(agent, ApiAgent):
        return agent
    kept = ("description", "capabilities", "max_concurrent", "timeout", "idle_timeout", "env", "pass_env", "secrets")
    return ApiAgent.model_validate({name: getattr(agent, name) for name in (*kept, "account", "fallback")})


def _as_agent(name: str, agent: Registrable) -> Agent:
    if isinstance(agent, Written):
        return agent
    if isinstance(agent, Mapping):
        kind = agent.get("kind")
        if isinstance(kind, str) and kind not in KINDS and plugins.find(plugins.EXECUTORS, kind):
            agent = PluginAgent.of_kind(kind, agent)
    elif not callable(agent):
        raise UsageError(f"the agent {name!r} is not possible: {agent!r:.60} is no agent")
    else:
        agent = {"kind": "python", "function": agent, "description": (getattr(agent, "__doc__", "") or "").strip()}
    try:
        checked: Agent = TypeAdapter(AgentByKind).validate_python(dict(agent))
    except ValidationError as error:
        found = [(".".join(map(str, detail["loc"])), detail["msg"]) for detail in error.errors()]
        kind = agent.get("kind")
        listed = "; ".join(f"{kind}.{place}: {message}" if place else message for place, message in found)
        raise UsageError(f"the agent {name!r} is not possible: {listed}") from error
    return checked
