"""The closed sets of words that what users write and what we report have in common.

Plain string enums, so that they read the same in YAML, JSON, SQL and code. A set that only one room knows lives there.
"""

from enum import StrEnum


class Failure(StrEnum):
    """Why an attempt did not succeed. Policy (retry, exit codes, fallback) reads this kind, never a text."""

    EXIT_CODE = "exit_code"
    CRASHED = "crashed"
    TIMEOUT = "timeout"
    IDLE_TIMEOUT = "idle_timeout"
    RATE_LIMITED = "rate_limited"
    AUTH = "auth"
    PERMISSION = "permission"
    INVALID_OUTPUT = "invalid_output"
    NO_OUTPUT = "no_output"
    NO_CHANGE = "no_change"
    CHECK_FAILED = "check_failed"
    BUDGET = "budget"
    AGENT_MISSING = "agent_missing"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"
    LOST = "lost"
    INTERNAL = "internal"


NEVER_RETRIED = frozenset({Failure.AUTH, Failure.AGENT_MISSING, Failure.PERMISSION, Failure.CANCELLED, Failure.BUDGET})
"""Kinds for which another try cannot help, whatever a task's `retry.on` says."""

OURS_TO_SAY = frozenset({Failure.CANCELLED, Failure.INTERRUPTED, Failure.LOST, Failure.INTERNAL})
"""Kinds of failure that no agent can report about itself."""


class Priority(StrEnum):
    """How urgent a task is among those that could start."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"

    @property
    def rank(self) -> int:
        """0 for the most urgent."""
        return _RANKS[self]


_RANKS = {Priority.CRITICAL: 0, Priority.HIGH: 1, Priority.MEDIUM: 2, Priority.LOW: 3}


class RunWhen(StrEnum):
    """Which ends of its dependencies let a task start."""

    ALL_SUCCEEDED = "all_succeeded"
    ALL_DONE = "all_done"
    ANY_SUCCEEDED = "any_succeeded"
    ANY_FAILED = "any_failed"
    NONE_FAILED = "none_failed"
    ALWAYS = "always"


class OnCrash(StrEnum):
    """What becomes of a task that was running when `orch` died."""

    RERUN = "rerun"
    FAIL = "fail"
    ASK = "ask"


class Mode(StrEnum):
    """How a task is done, when that is not to be left to its agent's kind."""

    INTERACTIVE = "interactive"
    API = "api"
    HYBRID = "hybrid"
    SCRIPT = "script"


class ExecutionStatus(StrEnum):
    """How far a task is, as users see it."""

    PENDING = "pending"
    IN_PROGRESS = "in_progress"
    NEEDS_INPUT = "needs_input"
    SUCCESS = "success"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"
    BLOCKED = "blocked"

    @property
    def is_final(self) -> bool:
        """Whether nothing more happens to the task by itself in this run."""
        return self in _FINAL


_FINAL = frozenset(
    {
        ExecutionStatus.SUCCESS,
        ExecutionStatus.FAILED,
        ExecutionStatus.CANCELLED,
        ExecutionStatus.SKIPPED,
        ExecutionStatus.BLOCKED,
    },
)


class RunStatus(StrEnum):
    """How far a run is."""

    RUNNING = "running"
    PAUSED = "paused"
    SUCCESS = "success"
    FAILED = "failed"
    CANCELLED = "cancelled"
