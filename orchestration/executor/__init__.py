"""Tasks without a project: `TaskExecutor` runs one, or several at once, over the same engine."""

from orchestration.executor.assembly import (
    LiveRun,
    Planned,
    Shape,
    assemble,
    limits_for,
    new_run_id,
    node_of,
    open_in,
    shape_of,
)
from orchestration.executor.executor import ExecutorTable, TaskExecutor, assignment_of

__all__ = [
    "ExecutorTable",
    "LiveRun",
    "Planned",
    "Shape",
    "TaskExecutor",
    "assemble",
    "assignment_of",
    "limits_for",
    "new_run_id",
    "node_of",
    "open_in",
    "shape_of",
]
