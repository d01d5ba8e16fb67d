"""The kinds of agents, as they are written: a union by `kind`."""

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, Literal, Self, TypeAlias, cast

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    TypeAdapter,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue, SkipJsonSchema
from pydantic_core import CoreSchema, PydanticKnownError, core_schema

from orchestration.kinds import Failure
from orchestration.models.fields import (
    AgentName,
    BackendName,
    Duration,
    Limit,
    TaskId,
    Texts,
    Variables,
    Written,
    listed,
    or_empty,
)

MAX_ROUNDS: Final = 50
"""Rounds of a chain, and candidates of a vote: more of them would only be a slip with somebody's money."""


class _Agent(Written):
    """What every kind of agent can be told."""

    description: str = ""
    enabled: bool = True
    capabilities: Texts = ()
    max_concurrent: Annotated[int, Field(ge=1)] | None = None
    timeout: Limit | None = None
    idle_timeout: Limit | None = None
    kill_grace: Duration | None = None
    env: Variables = Field(default_factory=dict)
    pass_env: Texts = ()
    secrets: Texts = ()
    account: AgentName | None = None
    fallback: AgentName | None = None


class MovableAgent(_Agent):
    """What can be told of agents that have something started, which a backend can do elsewhere."""

    backend: BackendName | None = None


class ShellAgent(MovableAgent):
    """Runs a command line; without `command`, the task's description is the command."""

    kind: Literal["shell"] = "shell"
    command: str | None = None


class ScriptAgent(MovableAgent):
    """Runs an executable that speaks the JSON protocol of `docs/script-agents.md`."""

    kind: Literal["script"] = "script"
    command: Annotated[Texts, Field(min_length=1)]


class PythonAgent(MovableAgent):
    """Calls `package.module:function` (or, from Python, a function object): async, an async generator, or plain."""

    kind: Literal["python"] = "python"
    function: Annotated[str, Field(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_][\w.]*$")] | SkipJsonSchema[Callable[..., Any]]


class InteractiveAgent(_Agent):
    """A person does it; `orch complete` or `orch fail` ends it."""

    kind: Literal["interactive"] = "interactive"


class CliAgent(MovableAgent):
    """Runs an agent program: by a preset that ships, or by an adapter file of the project (`docs/adapters.md`)."""

    kind: Literal["cli"] = "cli"
    preset: str | None = None
    adapter: str | None = None
    program: Texts = ()
    model: str | None = None
    permission: Literal["read", "write", "all"] = "write"
    max_turns: Annotated[int, Field(ge=1)] | None = None
    max_cost_usd: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    args: Texts = ()
    options: Annotated[dict[str, str | int | float | bool], BeforeValidator(or_empty)] = Field(default_factory=dict)
    first_output_timeout: Limit | None = None
    own_retries: bool | None = None

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if (self.preset is None) == (self.adapter is None):
            raise ValueError("give `preset` (an agent that ships) or `adapter` (a file), one of them")
        return self


_KEY_NAME: Final = re.compile(r"(?:env:|\$)\{?([A-Za-z_][A-Za-z0-9_]*)\}?")


def _name_of_key(value: str) -> str:
    """The variable that holds a key: `env:NAME`, `${NAME}` or `$NAME`; never the key itself."""
    found = _KEY_NAME.fullmatch(value.strip())
    if found is None:
        raise ValueError("a key is named and never written down; write env:NAME for the variable that holds it")
    return f"env:{found[1]}"


class Binding(Written):
    """A model behind an interface of HTTP: whose, which, where, and the *name* of the variable that holds the key."""

    provider: str | None = None
    model: str | None = None
    base_url: str | None = None
    api_key: Annotated[str, AfterValidator(_name_of_key)] | None = None
    api_key_env: AgentName | None = None
    system_prompt: str | None = None
    temperature: Annotated[float, Field(ge=0, le=10)] | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    settings: Annotated[dict[str, Any], BeforeValidator(or_empty)] = Field(default_factory=dict)

    @property
    def key_name(self) -> str | None:
        """The variable that holds the key, None where none is named."""
        return self.api_key_env or (self.api_key.removeprefix("env:") if self.api_key else None)


class ApiAgent(_Agent, Binding):
    """Asks a model directly; what it leaves out comes from `api: {defaults: …}`."""

    kind: Literal["api"] = "api"


class ChainStep(Written):
    """One part of a chain: who does it, what it is called, and what is said to them beyond the task."""

    agent: AgentName
    name: TaskId | None = None
    prompt: str = ""


def _as_step(value: object) -> object:
    return {"agent": value} if isinstance(value, str) else value


class HybridAgent(_Agent):
    """Several agents under one name: one after the other, against each other, or by vote.

    `fallback` goes to the next agent only after a failure of a kind in `on`; `race` takes the first that succeeds;
    `chain` passes what each wrote to the next, `max_rounds` times at most, until `check` (a command) and `until` (a
    condition) agree; `vote` has `candidates` made and lets the agent `judge` or the command `judge_command` pick.
    """

    kind: Literal["hybrid"] = "hybrid"
    strategy: Literal["fallback", "race", "chain", "vote"]
    agents: Annotated[tuple[AgentName, ...], BeforeValidator(listed, json_schema_input_type=str | list[str])] = ()
    on: Annotated[tuple[Failure, ...], BeforeValidator(listed, json_schema_input_type=Failure | list[Failure])] = (
        Failure.AGENT_MISSING,
        Failure.AUTH,
        Failure.RATE_LIMITED,
    )
    steps: tuple[Annotated[ChainStep, BeforeValidator(_as_step, json_schema_input_type=ChainStep | str)], ...] = ()
    check: str | None = None
    until: str | None = None
    max_rounds: Annotated[int, Field(ge=1, le=MAX_ROUNDS)] = 1
    candidates: Annotated[int, Field(ge=2, le=MAX_ROUNDS)] | None = None
    judge: AgentName | None = None
    judge_command: str | None = None

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.strategy == "chain":
            if not (self.steps or self.agents):
                raise ValueError("a chain needs `steps`, or `agents` in their order")
        elif self.steps:
            raise ValueError(f"`steps` belong to a chain; a {self.strategy} takes `agents`")
        elif not self.agents:
            raise ValueError(f"a {self.strategy} needs `agents`")
        if self.strategy == "vote" and (self.judge is None) == (self.judge_command is None):
            raise ValueError("a vote needs a `judge` (an agent) or a `judge_command`, one of them")
        return self

    @property
    def parts(self) -> tuple[ChainStep, ...]:
        """The parts of a chain, each with a name."""
        steps = self.steps or tuple(ChainStep(agent=agent) for agent in self.agents)
        return tuple(
            step if step.name else step.model_copy(update={"name": f"step-{number}"})
            for number, step in enumerate(steps, 1)
        )

    @property
    def members(self) -> tuple[str, ...]:
        """Every agent that may be asked, each once."""
        judge = (self.judge,) if self.judge else ()
        return tuple(dict.fromkeys((*self.agents, *(step.agent for step in self.steps), *judge)))


class ScriptedAgent(MovableAgent):
    """Plays a script of what agents do, right and wrong: for demonstrations and rehearsals (`docs/scripted.md`)."""

    kind: Literal["scripted"] = "scripted"
    script: tuple[Any, ...] = ()
    file: str | None = None
    seed: int = 0

    @model_validator(mode="after")
    def _one_script(self) -> Self:
        if bool(self.script) == (self.file is not None):
            raise ValueError("give `script` (a list of steps) or `file`, one of them")
        return self


class PluginAgent(MovableAgent):
    """Has a package of somebody else's do the work: `plugin` is the name under which it gives an executor.

    In settings, `kind: name` with further keys is the same as `kind: plugin, plugin: name` with these keys as options.
    """

    kind: Literal["plugin"] = "plugin"
    plugin: AgentName
    options: dict[str, Any] = Field(default_factory=dict)

    @classmethod
    def of_kind(cls, kind: str, written: Mapping[str, Any]) -> dict[str, Any]:
        """What is written of an agent whose kind a plug-in gives, in the words of this model."""
        own = {key: value for key, value in written.items() if key in cls.model_fields and key != "kind"}
        others = {key: value for key, value in written.items() if key not in cls.model_fields}
        return {**own, "kind": "plugin", "plugin": kind, "options": {**own.get("options", {}), **others}}


Agent: TypeAlias = Annotated[
    ShellAgent
    | ScriptAgent
    | PythonAgent
    | InteractiveAgent
    | CliAgent
    | ApiAgent
    | HybridAgent
    | ScriptedAgent
    | PluginAgent,
    Field(discriminator="kind"),
]

_MODELS: Final[Mapping[str, type[_Agent]]] = {
    "shell": ShellAgent,
    "script": ScriptAgent,
    "python": PythonAgent,
    "interactive": InteractiveAgent,
    "cli": CliAgent,
    "api": ApiAgent,
    "hybrid": HybridAgent,
    "scripted": ScriptedAgent,
    "plugin": PluginAgent,
}
KINDS: Final = frozenset(_MODELS)
"""The kinds of agents that are built in."""


def agent_of(value: object) -> Agent:
    """Check one agent, as the union would, by the model of its kind alone: no other one is built.

    Raises:
        PydanticKnownError: it has no kind, or one that there is not; pydantic makes a `ValidationError` of it.
        ValidationError: something else is wrong with it.
    """
    if not isinstance(value, Mapping | _Agent):
        raise PydanticKnownError("model_attributes_type")
    kind = value.get("kind", _NO_KIND) if isinstance(value, Mapping) else value.kind  # type: ignore[attr-defined]
    if kind is _NO_KIND:
        raise PydanticKnownError("union_tag_not_found", {"discriminator": "'kind'"})
    model = _MODELS.get(kind) if isinstance(kind, str) else None
    if model is None:
        about = {"discriminator": "'kind'", "tag": str(kind), "expected_tags": ", ".join(map(repr, _MODELS))}
        raise PydanticKnownError("union_tag_invalid", about)
    return cast("Agent", model.model_validate(value))


_NO_KIND: Final = object()


class _ByKind:
    """Has pydantic check an agent by `agent_of`, and describe it as the union that it is."""

    def __get_pydantic_core_schema__(self, _source: object, _handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(agent_of)

    def __get_pydantic_json_schema__(self, _schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return handler(TypeAdapter(Agent).core_schema)


AgentByKind: TypeAlias = Annotated[Agent, _ByKind()]
"""An agent in a model: one that is written costs the model of its kind, and not those of all kinds."""

PRESETS: Final = ("claude-code", "codex", "opencode", "aider")
"""Agent programs that an adapter ships for."""

BUILT_IN_AGENTS: Final[dict[str, ShellAgent | InteractiveAgent | CliAgent]] = {  # made unchecked: they are right
    "shell": ShellAgent.model_construct(description="runs the task's description as a command"),
    "interactive": InteractiveAgent.model_construct(description="leaves the task to a person"),
    **{name: CliAgent.model_construct(preset=name, description=f"the agent program {name}") for name in PRESETS},
}
"""Agents that exist without being written; a project's agent of the same name replaces them."""
