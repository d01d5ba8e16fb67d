"""The settings of a project, as they are written in `orchestration.yaml`."""

from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from orchestration.models.agents import BUILT_IN_AGENTS, AgentByKind, Binding, HybridAgent
from orchestration.models.fields import AgentName, BackendName, Duration, Limit, Texts, Variables, Written, or_empty
from orchestration.models.policies import MAX_CONCURRENT, Account, Budget, Price, RetryPolicy


class SecretSource(Written):
    """Where a secret is found when it is needed: a variable, a file, what a command prints, or a key of a `.env`."""

    env: str | None = None
    file: str | None = None
    command: str | None = None
    dotenv: str | None = None
    key: str | None = None

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        given = [name for name in ("env", "file", "command", "dotenv") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError("a secret comes from one place: env, file, command or dotenv")
        if self.key is not None and given != ["dotenv"]:
            raise ValueError("`key` belongs to `dotenv`")
        return self


def _as_source(value: object) -> object:
    return {"env": value} if isinstance(value, str) else value


Source = Annotated[SecretSource, BeforeValidator(_as_source, json_schema_input_type=SecretSource | str)]


class ApiSettings(Written):
    """What models agents use when they are asked directly: `defaults` for all, `bindings` by an agent's name."""

    defaults: Annotated[Binding, BeforeValidator(or_empty)] = Binding.model_construct()
    bindings: Annotated[dict[AgentName, Binding], BeforeValidator(or_empty)] = Field(default_factory=dict)


class Settings(Written):
    """`orchestration.yaml`: the project's agents, pools and defaults; every key is optional."""

    name: str | None = None
    tasks: Texts = ("tasks",)
    max_concurrent: Annotated[int, Field(ge=1, le=MAX_CONCURRENT)] = 3
    default_agent: str | None = None
    backend: BackendName | None = None
    pools: dict[str, Annotated[int, Field(ge=1)]] = Field(default_factory=dict)
    timeout: Limit | None = None
    idle_timeout: Limit | None = None
    kill_grace: Duration = 5.0
    retry: RetryPolicy | None = None
    env: Variables = Field(default_factory=dict)
    pass_env: Texts = ()
    secrets: Annotated[dict[str, Source], BeforeValidator(or_empty)] = Field(default_factory=dict)
    budget: Budget | None = None
    accounts: Annotated[dict[AgentName, Account], BeforeValidator(or_empty)] = Field(default_factory=dict)
    prices: Annotated[dict[str, Price], BeforeValidator(or_empty)] = Field(default_factory=dict)
    api: Annotated[ApiSettings, BeforeValidator(or_empty)] = ApiSettings.model_construct()
    instructions: Texts = ("AGENTS.md",)
    prompts: str = "prompts"
    parameters: Annotated[dict[str, Any], BeforeValidator(or_empty)] = Field(default_factory=dict)
    agents: Annotated[dict[AgentName, AgentByKind], BeforeValidator(or_empty)] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _agents_know_each_other(self) -> Self:
        known = {**BUILT_IN_AGENTS, **self.agents}
        for name, agent in self.agents.items():
            members = agent.members if isinstance(agent, HybridAgent) else ()
            for other in (*members, *([agent.fallback] if agent.fallback else [])):
                why = _why_not(known.get(other), is_itself=other == name)
                if why is not None:
                    facts = {"agent": name, "other": other, "why": why}
                    raise PydanticCustomError("agent_counts_on", "the agent {agent} counts on {other}, {why}", facts)
        return self

    @model_validator(mode="after")
    def _default_agent_exists(self) -> Self:
        if self.default_agent is not None and self.default_agent not in {*self.agents, *BUILT_IN_AGENTS}:
            raise ValueError(f"default_agent {self.default_agent!r} is not among the agents")
        return self


def _why_not(other: object, *, is_itself: bool) -> str | None:
    """Why no agent can count on this one; None where one can."""
    if is_itself:
        return "which is itself"
    if other is None:
        return "which is not among the agents"
    return "which is a hybrid one" if isinstance(other, HybridAgent) else None
