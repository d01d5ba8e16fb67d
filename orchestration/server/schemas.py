"""What the server takes and answers, by name: the bodies of requests, and the envelope of each kind of answer."""

import json
from datetime import datetime
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, create_model, field_validator, model_validator

from orchestration.kinds import ExecutionStatus, Mode, Priority, RunStatus
from orchestration.models import Budget, Task
from orchestration.models.fields import Limit
from orchestration.orchestrator import Selection
from orchestration.server.records import EVENT, EXECUTION_RESULT, RUN_RESULT

MOST_IDS: Final = 100_000
MOST_AT_ONCE: Final = 10_000
LONGEST_NAME: Final = 200
LONGEST_TEXT: Final = 100_000

Name = Annotated[str, Field(max_length=LONGEST_NAME)]
Text = Annotated[str, Field(max_length=LONGEST_TEXT)]
Names = Annotated[list[Name], Field(max_length=MOST_IDS)]


class _Body(BaseModel):
    """Something that is taken: what is not known is refused, because it would be a slip that does nothing."""

    model_config = ConfigDict(extra="forbid")


class StartRun(_Body):
    """A run of a selection of the backlog, as `orch run-batch` takes it; nothing means all of it."""

    task_ids: Names | None = None
    labels: Names = []
    phases: Names = []
    priorities: list[Priority] = []
    max_concurrent: Annotated[int, Field(ge=1, le=MOST_AT_ONCE)] | None = None
    fail_fast: bool = False
    agent: Name | None = None
    mode: Mode | None = None
    backend: Name | None = None
    timeout: Limit | None = None
    budget: Budget | None = None
    force: bool = False

    @property
    def selection(self) -> Selection:
        """The tasks that are meant."""
        return Selection(
            task_ids=None if self.task_ids is None else tuple(dict.fromkeys(self.task_ids)),
            labels=tuple(self.labels),
            phases=tuple(self.phases),
            priorities=tuple(priority.value for priority in self.priorities),
        )


class Cancel(_Body):
    """Why a run or a task is cancelled."""

    reason: Text = ""


class Complete(_Body):
    """What came of a task that a person did."""

    output: Text | None = None
    outputs: dict[str, Any] = {}
    by: Name = ""

    @field_validator("outputs")
    @classmethod
    def _json(cls, value: dict[str, Any]) -> dict[str, Any]:
        json.dumps(value, allow_nan=False)  # a number that is none has no place in JSON, though Python reads it
        return value


class Fail(_Body):
    """Why a person could not do a task."""

    reason: Annotated[Text, Field(min_length=1)]
    by: Name = ""


class Judge(_Body):
    """What is to be said about an approval or a refusal."""

    note: Text = ""
    by: Name = ""


class Retry(_Body):
    """Tasks that are to be opened again: these, or all that failed."""

    task_ids: Names = []
    failed: bool = False

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if bool(self.task_ids) == self.failed:
            raise ValueError("give either task_ids or failed")
        return self


# ---- answers -------------------------------------------------------------------------------------------------------


class _Answered(BaseModel):
    """A part of an answer."""

    model_config = ConfigDict(extra="forbid")


class Problem(_Answered):
    """One thing that is wrong."""

    message: str
    file: str | None
    line: int | None
    hint: str | None


class Error(_Answered):
    """What is wrong, as `--json` says it."""

    code: str
    exit_code: int
    message: str
    file: str | None
    line: int | None
    hint: str | None
    problems: list[Problem]


class Run(_Answered):
    """A run; `live` says whether somebody drives it now."""

    run_id: str
    status: RunStatus
    live: bool
    created_at: datetime
    updated_at: datetime
    kind: str
    tasks: list[str]
    last_seq: int


class ListedTask(_Answered):
    """A task of the backlog."""

    id: str
    title: str
    status: ExecutionStatus
    priority: Priority
    phase: str | None
    labels: list[str]
    agent: str | None
    depends_on: list[str]
    estimate_hours: float | None
    file: str
    line: int


class Tasks(_Answered):
    """Tasks in declaration order."""

    tasks: list[ListedTask]


class Owner(_Answered):
    """Who drives a live run, and the tasks that it has still to end."""

    run_id: str
    pid: int | None
    since: datetime | None
    tasks: list[str]


class Status(_Answered):
    """How far the backlog is."""

    counts: dict[str, int]
    live_runs: list[str]
    owners: list[Owner]
    tasks: list[EXECUTION_RESULT]  # type: ignore[valid-type]  # computed


class Why(_Answered):
    """Sentences that say why a task is in its state, the most important one first."""

    task_id: str
    because: list[str]


class Logs(_Answered):
    """The ends of what an attempt printed, and how many bytes there are in all."""

    task_id: str
    folder: str
    stdout: str
    stderr: str
    stdout_bytes: int
    stderr_bytes: int


class Cancelled(_Answered):
    """What was cancelled, and has really ended."""

    target: str
    tasks: list[str]


class Retried(_Answered):
    """What was opened again."""

    tasks: list[str]


class Version(_Answered):
    """Which version this is."""

    version: str


TaskDetails: Final = create_model(  # type: ignore[call-overload]  # computed from the fields of a task
    "TaskDetails",
    __config__=ConfigDict(extra="allow"),  # unknown keys of a task file are kept
    __doc__="Everything about one task: what is written, who needs it, how it stands, and why.",
    **{name: (field.annotation, ...) for name, field in Task.model_fields.items()},
    status=(ExecutionStatus, ...),
    file=(str, ...),
    line=(int, ...),
    needed_by=(list[str], ...),
    result=(EXECUTION_RESULT | None, ...),
    because=(list[str], ...),
)


def _envelope(name: str, kind: str, data: Any) -> type[BaseModel]:  # noqa: ANN401  # any type
    parts: dict[str, Any] = {
        "schema_": (Literal["orch/1"], Field(alias="schema")),
        "kind": (Literal[kind], ...),
        "data": (data, ...),
    }
    made: type[BaseModel] = create_model(name, __config__=ConfigDict(extra="forbid"), **parts)
    return made


ERROR: Final = _envelope("ErrorAnswer", "error", Error)
RUNS: Final = _envelope("RunsAnswer", "runs", list[Run])
RUN: Final = _envelope("RunAnswer", "run", Run)
RESULT: Final = _envelope("RunResultAnswer", "run_result", RUN_RESULT)
HAPPENED: Final = _envelope("EventsAnswer", "events", list[EVENT])  # type: ignore[valid-type]  # computed
TASKS: Final = _envelope("TasksAnswer", "task_list", Tasks)
TASK: Final = _envelope("TaskAnswer", "task", TaskDetails)
STATUS: Final = _envelope("StatusAnswer", "status", Status)
WHY: Final = _envelope("WhyAnswer", "why", Why)
LOGS: Final = _envelope("LogsAnswer", "logs", Logs)
TASK_RESULT: Final = _envelope("ExecutionResultAnswer", "execution_result", EXECUTION_RESULT)
CANCELLED: Final = _envelope("CancelledAnswer", "cancelled", Cancelled)
RETRIED: Final = _envelope("RetriedAnswer", "retried", Retried)
VERSION: Final = _envelope("VersionAnswer", "version", Version)
