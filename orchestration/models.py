"""What a user writes: tasks, agents, retry policies and project settings, checked here once.

Everything from outside (YAML, Markdown front matter, Python callers) becomes one of these frozen models or a list of
precise errors; nothing further inside checks types again. What must be survived: numbers where text is meant
(`phase: 2`, `PORT: 8080`), one string where a list is meant, both spellings of a field, durations in people's units,
absurd values (`timeout: 1e300`), and unknown keys, which are kept in `model_extra` so that the loader can warn.
"""

import re
from collections.abc import Callable
from typing import Annotated, Any, Final, Literal, Self, TypeAlias

from pydantic import AfterValidator, AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic.json_schema import SkipJsonSchema

from orchestration.kinds import Failure, Mode, OnCrash, Priority, RunWhen

MAX_SECONDS: Final = 10 * 366 * 24 * 3600.0
"""Ten years: longer durations are typing errors, and overflow the clock of an event loop."""

MAX_CONCURRENT: Final = 10_000
"""More slots than any machine has processes to spare; each slot costs a little before it does anything."""

SAFE_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_DURATION: Final = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)\s*(ms|s|m|h)?\s*")
_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, None: 1.0}


def seconds_of(value: object) -> float:
    """Read a duration: a number of seconds, or `500ms`, `30s`, `5m`, `2h`.

    Raises:
        ValueError: it is none of these, negative, or over ten years.
    """
    if isinstance(value, str) and (found := _DURATION.fullmatch(value)):
        number: float = float(found[1]) * _UNITS[found[2]]
    elif isinstance(value, int | float) and not isinstance(value, bool):
        number = value
    else:
        raise ValueError(f"{value!r:.60} is no duration; write seconds, or 500ms, 30s, 5m, 2h")
    if not 0 <= number <= MAX_SECONDS:  # not so either for what is no number at all
        raise ValueError(f"{value!r:.60} is out of range; a duration lies between 0 and ten years")
    return float(number)


def _above_zero(value: float) -> float:
    if value <= 0:
        raise ValueError("a limit of zero would end the work before it starts; leave it out for no limit")
    return value


def _safe_id(value: str) -> str:
    if not SAFE_ID.fullmatch(value):
        raise ValueError(
            f"{value!r:.120} is not a safe id; use letters, digits, '.', '_' and '-', at most 100, "
            "beginning with a letter or digit",
        )
    return value


def _listed(value: object) -> object:
    """One string where a list is meant is a list of one; nothing is an empty list."""
    if value is None:
        return ()
    return (value,) if isinstance(value, str | int | float) and not isinstance(value, bool) else value


def _named(value: object) -> object:
    """Inputs given as a list are files, each by its own name."""
    if value is None:
        return {}
    if isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
        return {item: item for item in value}
    return value


def _names_only(value: object) -> object:
    """Outputs may be described (`name: what it is`); the promise is the names."""
    return tuple(value) if isinstance(value, dict) else _listed(value)


def _variables(value: dict[str, str]) -> dict[str, str]:
    """No program can be started with such variables; better said here than when it is its turn."""
    for name, text in value.items():
        if not name or "=" in name or "\0" in name or "\0" in text:
            raise ValueError(f"{name!r:.60} cannot be a variable; names are not empty, and hold no '=' and no NUL")
    return value


def _lowered(value: object) -> object:
    return value.strip().lower() if isinstance(value, str) else value


def _or_empty(value: object) -> object:
    return {} if value is None else value


Duration: TypeAlias = Annotated[float, BeforeValidator(seconds_of, json_schema_input_type=float | str)]
Limit: TypeAlias = Annotated[Duration, AfterValidator(_above_zero)]
TaskId: TypeAlias = Annotated[str, AfterValidator(_safe_id)]
Texts: TypeAlias = Annotated[tuple[str, ...], BeforeValidator(_listed, json_schema_input_type=str | list[str])]
Variables: TypeAlias = Annotated[dict[str, str], BeforeValidator(_or_empty), AfterValidator(_variables)]


class Written(BaseModel):
    """What all written things have in common: frozen, unknown keys kept, numbers read as text where text is meant."""

    model_config = ConfigDict(
        frozen=True,
        extra="allow",
        coerce_numbers_to_str=True,
        hide_input_in_errors=True,
        ser_json_inf_nan="constants",
    )


class Backoff(Written):
    """How long to wait before the next attempt: `initial`, multiplied by `factor` each time, never over `max`."""

    initial: Duration = 1.0
    factor: Annotated[float, Field(ge=1, le=100)] = 2.0
    max: Duration = 60.0


def _initial(value: object) -> object:
    return value if isinstance(value, dict | Backoff) else {"initial": value}


class RetryPolicy(Written):
    """When a failed attempt is followed by another one.

    `max` counts attempts, the first included; `on` lists the kinds of failure that are worth another try; `jitter` is
    the fraction by which each wait is spread, so that many tasks do not come back at the same moment.
    """

    max: Annotated[int, Field(ge=1, le=1000)] = 3
    on: Annotated[tuple[Failure, ...], BeforeValidator(_listed, json_schema_input_type=Failure | list[Failure])] = (
        Failure.EXIT_CODE,
        Failure.TIMEOUT,
        Failure.CHECK_FAILED,
        Failure.CRASHED,
    )
    backoff: Annotated[Backoff, BeforeValidator(_initial, json_schema_input_type=Backoff | float | str)] = Backoff()
    jitter: Annotated[float, Field(ge=0, le=1)] = 0.2

    @model_validator(mode="before")
    @classmethod
    def _from_a_number(cls, data: Any) -> Any:  # noqa: ANN401  # pydantic hands over whatever was written
        return {"max": data} if isinstance(data, int) and not isinstance(data, bool) else data


class Task(Written):
    """One task of the backlog.

    `title` falls back to the id. All fields are documented, with their units, in `docs/tasks.md`.
    """

    id: TaskId
    title: str = ""
    description: str = ""
    agent: str | None = None
    mode: Mode | None = None
    depends_on: Annotated[Texts, Field(validation_alias=AliasChoices("depends_on", "dependencies"))] = ()
    priority: Annotated[Priority, BeforeValidator(_lowered)] = Priority.MEDIUM
    phase: str | None = None
    labels: Annotated[Texts, Field(validation_alias=AliasChoices("labels", "tags"))] = ()
    estimate_hours: Annotated[float, Field(ge=0, le=100_000, allow_inf_nan=False)] | None = None
    deliverables: Texts = ()
    acceptance: Annotated[Texts, Field(validation_alias=AliasChoices("acceptance", "success_criteria"))] = ()
    verify: Texts = ()
    timeout: Limit | None = None
    idle_timeout: Limit | None = None
    kill_grace: Duration | None = None
    retry: RetryPolicy | None = None
    run_when: RunWhen = RunWhen.ALL_SUCCEEDED
    when: str | bool | None = None
    uses: Texts = ()
    env: Variables = Field(default_factory=dict)
    pass_env: Texts = ()
    inputs: Annotated[
        dict[str, Any],
        BeforeValidator(_named, json_schema_input_type=dict[str, Any] | list[str]),
    ] = Field(default_factory=dict)
    outputs: Annotated[
        tuple[str, ...],
        BeforeValidator(_names_only, json_schema_input_type=dict[str, Any] | list[str] | str),
    ] = ()
    workspace: Literal["shared", "worktree", "copy"] = "shared"
    setup: Texts = ()
    merge: str | None = None
    expects_changes: bool = False
    on_crash: OnCrash = OnCrash.RERUN
    budget: dict[str, Any] | None = None
    approve: bool = False
    account: str | None = None
    container: dict[str, Any] | str | None = None
    cache: dict[str, Any] | bool | None = None
    notes: str | None = None
    metadata: Annotated[dict[str, Any], BeforeValidator(_or_empty)] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _one_spelling(cls, data: Any) -> Any:  # noqa: ANN401  # pydantic hands over whatever was written
        if isinstance(data, dict):
            for field, alias in TASK_ALIASES.items():
                if field in data and alias in data:
                    raise ValueError(f"{field!r} and {alias!r} mean the same; give one of them")
        return data

    @property
    def name(self) -> str:
        """The title, or the id where there is none."""
        return self.title or self.id


TASK_ALIASES: Final = {"depends_on": "dependencies", "labels": "tags", "acceptance": "success_criteria"}
"""Field → the other spelling of it that is understood."""


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
    account: str | None = None


class ShellAgent(_Agent):
    """Runs a command line; without `command`, the task's description is the command."""

    kind: Literal["shell"] = "shell"
    command: str | None = None


class ScriptAgent(_Agent):
    """Runs an executable that speaks the JSON protocol of `docs/script-agents.md`."""

    kind: Literal["script"] = "script"
    command: Annotated[Texts, Field(min_length=1)]


class PythonAgent(_Agent):
    """Calls `package.module:function` (or, from Python, a function object): async, an async generator, or plain."""

    kind: Literal["python"] = "python"
    function: Annotated[str, Field(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_][\w.]*$")] | SkipJsonSchema[Callable[..., Any]]


class InteractiveAgent(_Agent):
    """A person does it; `orch complete` or `orch fail` ends it."""

    kind: Literal["interactive"] = "interactive"


Agent: TypeAlias = Annotated[
    ShellAgent | ScriptAgent | PythonAgent | InteractiveAgent,
    Field(discriminator="kind"),
]
AgentName: TypeAlias = Annotated[str, AfterValidator(_safe_id)]


class Settings(Written):
    """`orchestration.yaml`: the project's agents, pools and defaults; every key is optional."""

    name: str | None = None
    tasks: Texts = ("tasks",)
    max_concurrent: Annotated[int, Field(ge=1, le=MAX_CONCURRENT)] = 3
    default_agent: str | None = None
    pools: dict[str, Annotated[int, Field(ge=1)]] = Field(default_factory=dict)
    timeout: Limit | None = None
    idle_timeout: Limit | None = None
    kill_grace: Duration = 5.0
    retry: RetryPolicy | None = None
    env: Variables = Field(default_factory=dict)
    pass_env: Texts = ()
    parameters: Annotated[dict[str, Any], BeforeValidator(_or_empty)] = Field(default_factory=dict)
    agents: Annotated[dict[AgentName, Agent], BeforeValidator(_or_empty)] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _default_agent_exists(self) -> Self:
        if self.default_agent is not None and self.default_agent not in {*self.agents, *BUILT_IN_AGENTS}:
            raise ValueError(f"default_agent {self.default_agent!r} is not among the agents")
        return self


BUILT_IN_AGENTS: Final[dict[str, ShellAgent | InteractiveAgent]] = {
    "shell": ShellAgent(description="runs the task's description as a command"),
    "interactive": InteractiveAgent(description="leaves the task to a person"),
}
"""Agents that exist without being written; a project's agent of the same name replaces them."""
