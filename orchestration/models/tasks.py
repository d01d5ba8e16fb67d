"""A task of the backlog, as it is written."""

from typing import Annotated, Any, Final, Literal

from pydantic import AliasChoices, BeforeValidator, Field, model_validator

from orchestration.kinds import Mode, OnCrash, Priority, RunWhen
from orchestration.models.fields import (
    Commands,
    Duration,
    Limit,
    TaskId,
    Texts,
    Variables,
    Written,
    lowered,
    named,
    names_only,
    or_empty,
)
from orchestration.models.policies import Budget, RetryPolicy
from orchestration.nothing import nothing


def _when_asked(value: object) -> object:
    """`true` asks before the work, as one would guess."""
    if isinstance(value, bool):
        return "before" if value else None
    return lowered(value)


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
    priority: Annotated[Priority, BeforeValidator(lowered)] = Priority.MEDIUM
    phase: str | None = None
    labels: Annotated[Texts, Field(validation_alias=AliasChoices("labels", "tags"))] = ()
    estimate_hours: Annotated[float, Field(ge=0, le=100_000, allow_inf_nan=False)] | None = None
    deliverables: Texts = ()
    acceptance: Annotated[Texts, Field(validation_alias=AliasChoices("acceptance", "success_criteria"))] = ()
    verify: Commands = ()
    timeout: Limit | None = None
    idle_timeout: Limit | None = None
    kill_grace: Duration | None = None
    retry: RetryPolicy | None = None
    run_when: RunWhen = RunWhen.ALL_SUCCEEDED
    when: str | bool | None = None
    uses: Texts = ()
    env: Variables = Field(default_factory=nothing)
    pass_env: Texts = ()
    secrets: Texts = ()
    inputs: Annotated[
        dict[str, Any],
        BeforeValidator(named, json_schema_input_type=dict[str, Any] | list[str]),
    ] = Field(default_factory=nothing)
    outputs: Annotated[
        tuple[str, ...],
        BeforeValidator(names_only, json_schema_input_type=dict[str, Any] | list[str] | str),
    ] = ()
    workspace: Literal["shared", "worktree", "copy"] = "shared"
    setup: Commands = ()
    merge: str | None = None
    expects_changes: bool = False
    on_crash: OnCrash = OnCrash.RERUN
    budget: Budget | None = None
    approve: Annotated[
        Literal["before", "after"] | None,
        BeforeValidator(_when_asked, json_schema_input_type=Literal["before", "after"] | bool),
    ] = None
    account: str | None = None
    container: dict[str, Any] | str | None = None
    cache: dict[str, Any] | bool | None = None
    notes: str | None = None
    metadata: Annotated[dict[str, Any], BeforeValidator(or_empty)] = Field(default_factory=nothing)

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
