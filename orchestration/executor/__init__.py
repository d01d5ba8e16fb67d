"""Tasks without a project: `TaskExecutor` runs one, or several at once, over the same engine."""

from orchestration.executor.assembly import (
    LiveRun,
    assemble,
    limits_for,
    new_run_id,
    node_of,
    open_in,
    shape_of,
)
from orchestration.executor.executor import ExecutorTable, TaskExecutor, assignment_of
from orchestration.executor.parts import Planned
from orchestration.executor.surroundings import Surroundings

__all__ = [
    "ExecutorTable",
    "LiveRun",
    "Planned",
    "Surroundings",
    "TaskExecutor",
    "assemble",
    "assignment_of",
    "limits_for",
    "new_run_id",
    "node_of",
    "open_in",
    "shape_of",
]
