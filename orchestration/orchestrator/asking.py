"""What callers ask of an orchestrator, looked at before anything happens: a slip must leave no open run behind."""

import math
from collections.abc import Iterable

from orchestration.errors import UsageError
from orchestration.models import Budget
from orchestration.orchestrator.selection import Selection


def check_limits(max_concurrent: object, timeout: object, budget: object) -> None:
    """Refuse limits that are none.

    Raises:
        UsageError: names the one and says what it takes.
    """
    if max_concurrent is not None and not _is_count(max_concurrent):
        raise UsageError(f"max_concurrent is {max_concurrent!r:.40}; at least one task must be able to run")
    if timeout is not None and not _is_seconds(timeout):
        raise UsageError(f"timeout is {timeout!r:.40}; it is a number of seconds", hint="such as timeout=1800")
    if budget is not None and not isinstance(budget, Budget):
        raise UsageError(f"budget is {budget!r:.40}; it is a Budget", hint="such as budget=Budget(cost_usd=5)")


def checked_selection(task_ids: Iterable[str] | None, selection: Selection | None) -> Selection:
    """The tasks that are meant: those of the ids, or of the criteria, or all.

    Raises:
        UsageError: both are given, or what is given is no list of ids.
    """
    if selection is not None:
        if task_ids is not None:
            raise UsageError("task_ids and selection exclude each other", hint="name tasks in the selection")
        if not isinstance(selection, Selection):
            raise UsageError(f"selection is {selection!r:.80}; it is a Selection")
        return selection
    if task_ids is None:
        return Selection()
    if isinstance(task_ids, str) or not isinstance(task_ids, Iterable):
        raise UsageError(f"task_ids is {task_ids!r:.80}; it is a list of ids", hint="such as ['TASK-001']")
    ids = tuple(task_ids)
    for name in ids:
        if not isinstance(name, str):
            raise UsageError(f"task_ids has {name!r:.80}, which is no id")
    return Selection.of(ids)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _is_seconds(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and not math.isnan(value)
