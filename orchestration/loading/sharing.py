"""Tasks → the same tasks, with what they have in common there once.

A backlog may have very many tasks, and most of them were written alike, with the same keys. Of what pydantic keeps for
a task that says little, a quarter is the set of its keys and the mapping of those that nobody knows. Both belong to a
frozen model, so nobody can tell that they are shared.
"""

from orchestration.models import Task
from orchestration.nothing import nothing


class Sharing:
    """What the tasks of one backlog have in common."""

    def __init__(self) -> None:
        """Nothing is known yet."""
        self._keys: dict[frozenset[str], set[str]] = {}

    def with_shared(self, task: Task) -> Task:
        """The task, which from now on shares with others what is equal."""
        keys = task.model_fields_set
        object.__setattr__(task, "__pydantic_fields_set__", self._keys.setdefault(frozenset(keys), keys))
        if not task.model_extra:
            object.__setattr__(task, "__pydantic_extra__", nothing())
        return task
