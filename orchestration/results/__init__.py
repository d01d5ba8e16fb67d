"""What came of the work: the outcome of an attempt, the result of a task, the result of a run."""

from orchestration.results.records import (
    ADOPTED_FROM,
    OUTCOME_FIELDS,
    AttemptRecord,
    CheckResult,
    ExecutionResult,
    Outcome,
    StepRecord,
    Usage,
)
from orchestration.results.runs import RunResult, is_part

__all__ = [
    "ADOPTED_FROM",
    "OUTCOME_FIELDS",
    "AttemptRecord",
    "CheckResult",
    "ExecutionResult",
    "Outcome",
    "RunResult",
    "StepRecord",
    "Usage",
    "is_part",
]
