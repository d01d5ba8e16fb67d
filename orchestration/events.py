"""What happened in a run: frozen records in the past tense, the union of them, and their JSON.

Stored events carry `run_id`, `seq` (1, 2, 3 … without a gap in each run) and `at` (UTC). They are the only truth: the
plan, every report and every resume is computed from them, so a record holds whatever was decided by something outside
(a clock, a condition, an agent) and nothing that can be computed again.

Edges survived: events written by a later version with more fields (unknown keys are ignored), output that is not valid
JSON text on its own (it is stored as text), half a character in an agent's own JSON (no file and no database would take
it; it travels escaped), and user data that looks like an event (it lives under `chunk` or `outputs`, never at the top).
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, ClassVar, Final, TypeAlias

from orchestration.kinds import ExecutionStatus, Failure, OnCrash, RunStatus
from orchestration.results import Outcome

_NO_OUTCOME: Final = Outcome()


@dataclass(frozen=True, slots=True)
class Event:
    """What every stored event carries."""

    type: ClassVar[str]

    run_id: str
    seq: int
    at: datetime


@dataclass(frozen=True, slots=True)
class RunStarted(Event):
    """A run began: `tasks` in declaration order, `upstream` tasks outside the selection that it looks at."""

    type: ClassVar[str] = "run_started"
    tasks: tuple[str, ...] = ()
    upstream: tuple[str, ...] = ()
    fingerprint: str = ""
    max_concurrent: int | None = None
    fail_fast: bool = False
    name: str = ""


@dataclass(frozen=True, slots=True)
class RunResumed(Event):
    """A run that was paused, interrupted or reopened goes on."""

    type: ClassVar[str] = "run_resumed"
    max_concurrent: int | None = None
    fail_fast: bool = False


@dataclass(frozen=True, slots=True)
class RunPaused(Event):
    """Nothing can go on without something from outside, such as a person's answer."""

    type: ClassVar[str] = "run_paused"
    reason: str = ""


@dataclass(frozen=True, slots=True)
class RunError(Event):
    """A fault of ours ended the run; its end follows."""

    type: ClassVar[str] = "run_error"
    error: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class RunCompleted(Event):
    """Every task of the run is in its final state; `wall_seconds` is monotonic."""

    type: ClassVar[str] = "run_completed"
    status: RunStatus = RunStatus.SUCCESS
    reason: str | None = None
    wall_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class TaskEvent(Event):
    """What every event about one task carries; `attempt` is None where no attempt is meant."""

    task_id: str
    attempt: int | None = None


@dataclass(frozen=True, slots=True)
class TaskAdopted(TaskEvent):
    """The task keeps the end that it had in another run."""

    type: ClassVar[str] = "task_adopted"
    from_run: str = ""
    status: ExecutionStatus = ExecutionStatus.SUCCESS
    agent: str | None = None
    reason: str | None = None
    failure: Failure | None = None
    error: str | None = None
    exit_code: int | None = None
    output: str = field(default="", repr=False)
    outputs: Mapping[str, Any] = field(default_factory=dict, repr=False)
    log_path: str | None = None


@dataclass(frozen=True, slots=True)
class ConditionDecided(TaskEvent):
    """The task's `when` was evaluated; `value` is None when that failed, and `error` says how."""

    type: ClassVar[str] = "condition_decided"
    value: bool | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class TaskStarted(TaskEvent):
    """An attempt began in a slot."""

    type: ClassVar[str] = "task_started"
    agent: str | None = None
    slot: int = 0
    queued_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class RetryScheduled(TaskEvent):
    """The next attempt may start at `due_at` (UTC); the slot is free until then."""

    type: ClassVar[str] = "retry_scheduled"
    due_at: datetime | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class TaskNeedsInput(TaskEvent):
    """The task waits for a person; `prompt` is what that person reads."""

    type: ClassVar[str] = "task_needs_input"
    prompt: str = field(default="", repr=False)
    reason: str = ""


@dataclass(frozen=True, slots=True)
class TaskInputGiven(TaskEvent):
    """A person, or a command from another terminal, answered: complete, fail, approve, reject, retry or cancel."""

    type: ClassVar[str] = "task_input_given"
    action: str = ""
    by: str = ""
    note: str | None = None
    outputs: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class TaskSkipped(TaskEvent):
    """The task is not to be done, which satisfies those that depend on it."""

    type: ClassVar[str] = "task_skipped"
    reason: str = ""


@dataclass(frozen=True, slots=True)
class TaskBlocked(TaskEvent):
    """The task can never start, because of the tasks in `by`."""

    type: ClassVar[str] = "task_blocked"
    reason: str = ""
    by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AttemptEnd(TaskEvent):
    """What the end of an attempt carries: its agent, its monotonic duration, its outcome (flat in JSON)."""

    agent: str | None = None
    duration_seconds: float = 0.0
    outcome: Outcome = _NO_OUTCOME


@dataclass(frozen=True, slots=True)
class TaskCompleted(AttemptEnd):
    """The attempt succeeded, checks included."""

    type: ClassVar[str] = "task_completed"


@dataclass(frozen=True, slots=True)
class TaskError(AttemptEnd):
    """The attempt failed; the outcome's `failure` says how, `final` whether no other attempt follows."""

    type: ClassVar[str] = "task_error"
    final: bool = True
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class TaskCancelled(AttemptEnd):
    """The task was cancelled: `reason` is a word such as `not_started` or `cancelled`, `cause` says why."""

    type: ClassVar[str] = "task_cancelled"
    reason: str = ""
    cause: str = ""


@dataclass(frozen=True, slots=True)
class AttemptInterrupted(AttemptEnd):
    """`orch` died while the attempt ran; `then` is what its task's `on_crash` asks for."""

    type: ClassVar[str] = "attempt_interrupted"
    then: OnCrash = OnCrash.RERUN


@dataclass(frozen=True, slots=True)
class TaskChunk:
    """One item of live output, unchanged; never stored among the events, so it has no `seq` but its own count `n`.

    `stream` says where a process wrote it; None for items that a Python function yielded.
    """

    type: ClassVar[str] = "task_chunk"

    run_id: str
    task_id: str
    attempt: int
    n: int
    at: datetime
    chunk: Any = field(repr=False)
    stream: str | None = None


RunEvent: TypeAlias = RunStarted | RunResumed | RunPaused | RunError | RunCompleted
AttemptEndEvent: TypeAlias = TaskCompleted | TaskError | TaskCancelled | AttemptInterrupted
StoredEvent: TypeAlias = (
    RunEvent
    | TaskAdopted
    | ConditionDecided
    | TaskStarted
    | RetryScheduled
    | TaskNeedsInput
    | TaskInputGiven
    | TaskSkipped
    | TaskBlocked
    | AttemptEndEvent
)
STORED: Final[tuple[type[Event], ...]] = (
    RunStarted,
    RunResumed,
    RunPaused,
    RunError,
    RunCompleted,
    TaskAdopted,
    ConditionDecided,
    TaskStarted,
    RetryScheduled,
    TaskNeedsInput,
    TaskInputGiven,
    TaskSkipped,
    TaskBlocked,
    TaskCompleted,
    TaskError,
    TaskCancelled,
    AttemptInterrupted,
)

_BY_TYPE: Final = {kind.type: kind for kind in STORED}
_FIELDS: Final = {kind: tuple(f.name for f in fields(kind)) for kind in STORED}
_ALWAYS_THERE: Final = frozenset({"run_id", "seq", "at", "task_id"})
_READERS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "at": datetime.fromisoformat,
    "due_at": datetime.fromisoformat,
    "queued_at": datetime.fromisoformat,
    "tasks": tuple,
    "upstream": tuple,
    "by": lambda value: value if isinstance(value, str) else tuple(value),
    "failure": Failure,
    "then": OnCrash,
}


def to_dict(event: Event | TaskChunk) -> dict[str, Any]:
    """The event as plain JSON values: `type` first, an outcome's fields flat, `path` beside `task_id`."""
    if isinstance(event, TaskChunk):
        return _chunk_dict(event)
    data: dict[str, Any] = {"type": event.type}
    for name in _FIELDS[type(event)]:
        value = getattr(event, name)
        if name == "outcome":
            data.update(value.to_dict())
        elif isinstance(value, datetime):
            data[name] = value.isoformat()
        elif isinstance(value, tuple):
            data[name] = list(value)
        else:
            data[name] = value
        if name == "task_id":
            data["path"] = value
    return data


def _chunk_dict(chunk: TaskChunk) -> dict[str, Any]:
    data = {
        "type": chunk.type,
        "run_id": chunk.run_id,
        "task": chunk.task_id,
        "path": chunk.task_id,
        "attempt": chunk.attempt,
        "n": chunk.n,
        "at": chunk.at.isoformat(),
        "chunk": chunk.chunk,
    }
    if chunk.stream is not None:
        data["stream"] = chunk.stream
    return data


def from_dict(data: Mapping[str, Any]) -> Event:
    """The stored event from its JSON values.

    Raises:
        KeyError: `type` is none of ours, or a field that every event has is missing.
        ValueError: a field has a value that it cannot have.
    """
    kind = _BY_TYPE[data["type"]]
    values: dict[str, Any] = {}
    for name in _FIELDS[kind]:
        if name == "outcome":
            values[name] = Outcome.from_dict(data)
        elif name in data or name in _ALWAYS_THERE:
            values[name] = _read(kind, name, data[name])
    return kind(**values)


def _read(kind: type[Event], name: str, value: Any) -> Any:  # noqa: ANN401  # JSON in, a field's value out
    if value is None:
        return None
    if name == "status":
        return RunStatus(value) if kind is RunCompleted else ExecutionStatus(value)
    reader = _READERS.get(name)
    return reader(value) if reader else value


def to_json(event: Event | TaskChunk) -> str:
    """The event as one line of JSON, always valid as UTF-8."""
    data = to_dict(event)
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False)
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:  # half a surrogate pair
            return json.dumps(data, separators=(",", ":"))
    return text


def from_json(text: str) -> Event:
    """The stored event from one line of JSON; raises like `from_dict`."""
    return from_dict(json.loads(text))
