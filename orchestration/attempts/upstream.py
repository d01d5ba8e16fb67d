"""What came of the tasks that one depends on, for templates, which name a few of what may be thousands."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any


class Upstream(Mapping[str, Mapping[str, Any]]):
    """Results by task, each made when somebody looks at it.

    Args:
        task_ids: the tasks, in the order in which they are listed.
        came_of: makes what is known of one.
    """

    __slots__ = ("_came_of", "_seen")

    def __init__(self, task_ids: Iterable[str], came_of: Callable[[str], Mapping[str, Any]]) -> None:
        """Nothing is looked up."""
        self._seen: dict[str, Mapping[str, Any] | None] = dict.fromkeys(task_ids)
        self._came_of = came_of

    def __getitem__(self, task_id: str) -> Mapping[str, Any]:
        seen = self._seen[task_id]
        if seen is None:
            seen = self._seen[task_id] = self._came_of(task_id)
        return seen

    def of(self, task_ids: Iterable[str]) -> dict[str, Mapping[str, Any]]:
        """Those of these tasks that are among them, all looked up."""
        seen, came_of = self._seen, self._came_of
        return {task_id: seen[task_id] or came_of(task_id) for task_id in task_ids if task_id in seen}

    def __contains__(self, task_id: object) -> bool:
        return task_id in self._seen

    def __iter__(self) -> Iterator[str]:
        return iter(self._seen)

    def __len__(self) -> int:
        return len(self._seen)
