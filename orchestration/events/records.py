"""What happened in a run: frozen records in the past tense, and the union of them.

Stored events carry `run_id`, `seq` (1, 2, 3 … without a gap in each run) and `at` (UTC). They are the only truth: the
plan, every report and every resume is computed from them, so a record holds whatever was decided by something outside
(a clock, a condition, an agent) and nothing that can be computed again.

Edges survived: events written by a later version with more fields (unknown keys are ignored), output that is not valid
JSON text on its own (it is stored as text), half a character in an agent's own JSON (no file and no database would take
it; it travels escaped), and user data that looks like an event (it lives under `chunk` or `outputs`, never at the top).
"""

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from typing import Any, ClassVar, Final, TypeAlias

from orchestration.kinds import ExecutionStatus, Failure, OnCrash, RunStatus
from orchestration.records import dataclass
from orchestration.results import ADOPTED_FROM, Outcome, Usage

BY_ORCH: Final = "orch"
"""Who answers or ends what is open in one run because another run has ended it."""

_NO_OUTCOME: Final = Outcome()
_NO_USAGE: Final = Usage()


@dataclass(frozen=True, slots=True)
class Event:
    """What every stored event carries."""

    type: ClassVar[str]

    run_id: str
    seq: int
    at: datetime


@dataclass(frozen=True, slots=True)
class RunStarted(Event):
    """A run began: `tasks` in declaration order, `upstream` tasks outside the selection that it looks at.

    `kind` says of what it is a run: a `batch` of the backlog, a `pipeline` or a `flow`; what these two were given are
    its `parameters`. `seen` says what it knew of other runs that have ended any of its tasks: of each the number of the
    last such event. So a later life knows what is new, whatever the clock says; None in runs of before.
    """

    type: ClassVar[str] = "run_started"
    tasks: tuple[str, ...] = ()
    upstream: tuple[str, ...] = ()
    fingerprint: str = ""
    max_concurrent: int | None = None
    fail_fast: bool = False
    name: str = ""
    kind: str = "batch"
    parameters: Mapping[str, Any] = field(default_factory=dict, repr=False, hash=False)
    seen: Mapping[str, int] | None = field(default=None, repr=False, hash=False)


@dataclass(frozen=True, slots=True)
class RunResumed(Event):
    """A run that was paused, interrupted or reopened goes on; `seen` is what it knows of others by now."""

    type: ClassVar[str] = "run_resumed"
    max_concurrent: int | None = None
    fail_fast: bool = False
    seen: Mapping[str, int] | None = field(default=None, repr=False, hash=False)


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
class AccountPaused(Event):
    """An account reached its limit: until then no task of it starts; `exhausted` if that was confirmed, not guessed."""

    type: ClassVar[str] = "account_paused"
    account: str = ""
    until: datetime | None = None
    exhausted: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True)
class LimitsChanged(Event):
    """How many may use something at once changed, as `account team`; `limit` is None where there is none any more."""

    type: ClassVar[str] = "limits_changed"
    limit_name: str = ""
    limit: int | None = None
    reason: str = ""


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
class UsageRecorded(TaskEvent):
    """What the running attempt has used of models so far."""

    type: ClassVar[str] = "usage_recorded"
    usage: Usage = _NO_USAGE


@dataclass(frozen=True, slots=True)
class TaskExpanded(TaskEvent):
    """The task became several: `items` are the new ones, each with its `id` and who does it; `template` says how."""

    type: ClassVar[str] = "task_expanded"
    template: str = ""
    items: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class RetryScheduled(TaskEvent):
    """The next attempt may start at `due_at` (UTC); the slot is free until then."""

    type: ClassVar[str] = "retry_scheduled"
    due_at: datetime | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class TaskNeedsInput(TaskEvent):
    """The task waits for a person; `prompt` is what that person reads.

    `result` is there where finished work waits for approval: what becomes the outcome if it is approved.
    """

    type: ClassVar[str] = "task_needs_input"
    prompt: str = field(default="", repr=False)
    reason: str = ""
    result: Outcome | None = None


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


OUTSIDE: Final = "is not part of this run and has not succeeded"
"""Why a run does not wait for a task that it only looks at; how that task stands is none of the run's business."""


@dataclass(frozen=True, slots=True)
class TaskBlocked(TaskEvent):
    """The task can never start, because of the tasks in `by`; or it is no part of the run, for the reason `OUTSIDE`."""

    type: ClassVar[str] = "task_blocked"
    reason: str = ""
    by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AttemptEnd(TaskEvent):
    """What the end of an attempt carries: its agent, its monotonic duration, its outcome (flat in JSON)."""

    agent: str | None = None
    duration_seconds: float = 0.0
    outcome: Outcome = _NO_OUTCOME

    @property
    def is_taken_over(self) -> bool:
        """Whether it only says again how the task has ended in another run, to end an attempt of this one."""
        return self.agent == BY_ORCH and ADOPTED_FROM in self.outcome.metadata


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


RunEvent: TypeAlias = RunStarted | RunResumed | RunPaused | RunError | RunCompleted | AccountPaused | LimitsChanged
AttemptEndEvent: TypeAlias = TaskCompleted | TaskError | TaskCancelled | AttemptInterrupted
StoredEvent: TypeAlias = (
    RunEvent
    | TaskAdopted
    | ConditionDecided
    | TaskStarted
    | UsageRecorded
    | TaskExpanded
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
    AccountPaused,
    LimitsChanged,
    TaskAdopted,
    ConditionDecided,
    TaskStarted,
    UsageRecorded,
    TaskExpanded,
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
