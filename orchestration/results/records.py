"""What came of one task: the outcome of an attempt, and the result of all of them.

Frozen, slotted records that survive a round trip through JSON (`to_dict`, `from_dict`), because they are stored in
events, printed by `--json` and handed to people's own programs. Their `repr` is short: an event loop, a test runner or
a log may print them at any time, and an output can be megabytes.
"""

from collections.abc import Callable, Mapping
from dataclasses import field
from datetime import datetime
from operator import attrgetter
from typing import Any, Final, Self

from orchestration.kinds import ExecutionStatus, Failure
from orchestration.nothing import nothing
from orchestration.records import dataclass
from orchestration.shown import shown

JsonDict = dict[str, Any]


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One check that decided whether a task is done.

    `kind` is `verify` (a command), `deliverable` (a file that must exist), `output` (a promised value) or `setup`;
    `duration_seconds` is monotonic; `log` is the last part of what the command printed.
    """

    kind: str
    name: str
    passed: bool
    exit_code: int | None = None
    duration_seconds: float = 0.0
    log: str = ""

    def to_dict(self) -> JsonDict:
        """The check as JSON."""
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The check from its JSON."""
        return cls(**{name: data[name] for name in cls.__slots__ if name in data})


@dataclass(frozen=True, slots=True)
class Usage:
    """What an attempt used of a model: tokens, requests and money, with the raw object it was read from.

    `cost_usd` is None where no price is known, which is not the same as zero; `source` is `reported`, `computed` or
    `unknown`.
    """

    input_total: int = 0
    cached_read: int = 0
    cache_write: int = 0
    output_total: int = 0
    reasoning: int = 0
    requests: int = 0
    cost_usd: float | None = None
    source: str = "unknown"
    raw: Mapping[str, Any] | None = None

    def __add__(self, other: "Usage") -> "Usage":
        """Totals; a cost is the sum of what is known, None where nothing is, and `unknown` where a part is not."""
        costs = [usage.cost_usd for usage in (self, other) if usage.cost_usd is not None]
        sources = {self.source, other.source}
        source = "unknown" if len(costs) == 1 or "unknown" in sources else "reported"
        return Usage(
            input_total=self.input_total + other.input_total,
            cached_read=self.cached_read + other.cached_read,
            cache_write=self.cache_write + other.cache_write,
            output_total=self.output_total + other.output_total,
            reasoning=self.reasoning + other.reasoning,
            requests=self.requests + other.requests,
            cost_usd=sum(costs) if costs else None,
            source=self.source if len(sources) == 1 and len(costs) != 1 else source,
        )

    def to_dict(self) -> JsonDict:
        """The usage as JSON."""
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The usage from its JSON."""
        return cls(**{name: data[name] for name in cls.__slots__ if name in data})


@dataclass(frozen=True, slots=True, repr=False)
class Outcome:
    """What one attempt yielded; the only thing an executor hands back.

    `failure` is None exactly when the attempt succeeded or now waits for a person (`needs_input`, then `prompt` is
    what that person reads). `error` is for people, `claim` is the agent's own report, `ended_by` says who ended its
    process (`itself`, `timeout`, `idle_timeout`, `cancelled`).
    """

    failure: Failure | None = None
    error: str | None = None
    output: str = ""
    output_file: str | None = None
    outputs: Mapping[str, Any] = field(default_factory=nothing)
    exit_code: int | None = None
    signal: int | None = None
    ended_by: str | None = None
    claim: str | None = None
    checks: tuple[CheckResult, ...] = ()
    usage: Usage | None = None
    session_id: str | None = None
    log_path: str | None = None
    abandoned: bool = False
    needs_input: bool = False
    prompt: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=nothing)

    @property
    def succeeded(self) -> bool:
        """Whether the attempt did what it was to do, checks included."""
        return self.failure is None and not self.needs_input

    def __repr__(self) -> str:
        """Short, whatever the size of the output."""
        how = "needs_input" if self.needs_input else self.failure or "succeeded"
        return f"<Outcome {how}, {len(self.output):,} characters of output>"

    def to_dict(self) -> JsonDict:
        """The outcome as JSON; fields that say nothing are left out, because most outcomes are short."""
        data: JsonDict = {}
        values = _VALUES_OF(self)
        if values == _NOTHING:
            return data
        for name, value, default in zip(OUTCOME_FIELDS, values, _NOTHING, strict=True):
            if value is default or value == default:
                continue
            if name == "checks":
                data[name] = [check.to_dict() for check in self.checks]
            elif self.usage is not None and name == "usage":
                data[name] = self.usage.to_dict()
            else:
                data[name] = value
        return data

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The outcome from its JSON; keys of others are ignored."""
        known = {name: data[name] for name in OUTCOME_FIELDS if data.get(name) is not None}
        if "failure" in known:
            known["failure"] = Failure(known["failure"])
        if "checks" in known:
            known["checks"] = tuple(CheckResult.from_dict(check) for check in known["checks"])
        if "usage" in known:
            known["usage"] = Usage.from_dict(known["usage"])
        return cls(**known)


ADOPTED_FROM: Final = "adopted_from"
"""In `metadata`: the run in which the task has really ended."""

OUTCOME_FIELDS: tuple[str, ...] = tuple(Outcome.__slots__)
_VALUES_OF: Callable[[Outcome], tuple[Any, ...]] = attrgetter(*OUTCOME_FIELDS)
_NOTHING = _VALUES_OF(Outcome())


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """One try at a task, as it was recorded; `duration_seconds` is monotonic, the times are UTC."""

    number: int
    agent: str | None
    started_at: datetime
    completed_at: datetime | None = None
    duration_seconds: float = 0.0
    status: ExecutionStatus = ExecutionStatus.IN_PROGRESS
    reason: str | None = None
    outcome: Outcome = Outcome()

    @property
    def took(self) -> float | None:
        """How many seconds it took; None where nobody measured that: it goes on, or ended together with its `orch`."""
        return self.duration_seconds or None

    def to_dict(self) -> JsonDict:
        """The attempt as JSON, the outcome's fields beside its own."""
        return {
            "number": self.number,
            "agent": self.agent,
            "started_at": self.started_at.isoformat(),
            "completed_at": iso(self.completed_at),
            "duration_seconds": self.duration_seconds,
            "status": self.status.value,
            "reason": self.reason,
            **self._said(),
        }

    def _said(self) -> JsonDict:
        """What the outcome says, with values of every kind as JSON."""
        said = self.outcome.to_dict()
        return said | {name: shown(said[name]) for name in ("outputs", "metadata") if name in said}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The attempt from its JSON."""
        return cls(
            number=data["number"],
            agent=data["agent"],
            started_at=datetime.fromisoformat(data["started_at"]),
            completed_at=time_of(data["completed_at"]),
            duration_seconds=data["duration_seconds"],
            status=ExecutionStatus(data["status"]),
            reason=data["reason"],
            outcome=Outcome.from_dict(data),
        )


@dataclass(frozen=True, slots=True, repr=False)
class ExecutionResult:
    """How one task of a run ended, or how far it is.

    Times are UTC; `queued_at` is when it could first have started; `duration_seconds` is monotonic and counts the last
    attempt from its start; `reason` is a word or sentence for why it is in its state; `error` is the failure's text;
    `metadata` carries what else the agent reported, `adopted_from` (a run id) for work that an earlier run did.
    """

    task_id: str
    agent: str | None
    status: ExecutionStatus
    failure: Failure | None = None
    reason: str | None = None
    queued_at: datetime | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    duration_seconds: float = 0.0
    output: str = ""
    error: str | None = None
    exit_code: int | None = None
    outputs: Mapping[str, Any] = field(default_factory=nothing)
    checks: tuple[CheckResult, ...] = ()
    usage: Usage | None = None
    session_id: str | None = None
    attempts: tuple[AttemptRecord, ...] = ()
    log_path: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=nothing)

    @property
    def succeeded(self) -> bool:
        """Whether the task is done."""
        return self.status is ExecutionStatus.SUCCESS

    def __repr__(self) -> str:
        """Short, whatever the size of the output."""
        why = f" {self.failure.value}" if self.failure else ""
        return f"<ExecutionResult {self.task_id} {self.status.value}{why} {self.duration_seconds:.3f}s>"

    def to_dict(self) -> JsonDict:
        """The result as JSON; every field is present."""
        return {
            "task_id": self.task_id,
            "agent": self.agent,
            "status": self.status.value,
            "failure": self.failure.value if self.failure else None,
            "reason": self.reason,
            "queued_at": iso(self.queued_at),
            "started_at": iso(self.started_at),
            "completed_at": iso(self.completed_at),
            "duration_seconds": self.duration_seconds,
            "output": self.output,
            "error": self.error,
            "exit_code": self.exit_code,
            "outputs": shown(dict(self.outputs)),
            "checks": [check.to_dict() for check in self.checks],
            "usage": self.usage.to_dict() if self.usage else None,
            "session_id": self.session_id,
            "attempts": [attempt.to_dict() for attempt in self.attempts],
            "log_path": self.log_path,
            "metadata": shown(dict(self.metadata)),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The result from its JSON."""
        return cls(
            task_id=data["task_id"],
            agent=data["agent"],
            status=ExecutionStatus(data["status"]),
            failure=Failure(data["failure"]) if data["failure"] else None,
            reason=data["reason"],
            queued_at=time_of(data["queued_at"]),
            started_at=time_of(data["started_at"]),
            completed_at=time_of(data["completed_at"]),
            duration_seconds=data["duration_seconds"],
            output=data["output"],
            error=data["error"],
            exit_code=data["exit_code"],
            outputs=data["outputs"],
            checks=tuple(CheckResult.from_dict(check) for check in data["checks"]),
            usage=Usage.from_dict(data["usage"]) if data["usage"] else None,
            session_id=data["session_id"],
            attempts=tuple(AttemptRecord.from_dict(attempt) for attempt in data["attempts"]),
            log_path=data["log_path"],
            metadata=data["metadata"],
        )


StepRecord = ExecutionResult
"""The same record by the name it has in flows."""


def iso(moment: datetime | None) -> str | None:
    """A moment as JSON has it."""
    return moment.isoformat() if moment else None


def time_of(text: str | None) -> datetime | None:
    """A moment from its JSON."""
    return datetime.fromisoformat(text) if text else None
