"""What templates and conditions know: mappings that say what they have when they are asked for something else."""

from collections.abc import ItemsView, Iterator, Mapping, ValuesView
from typing import Any


class Known(dict[str, Any]):
    """A mapping that can say what it is when somebody asks it for what it does not have."""

    def __init__(self, what: str, items: Mapping[str, Any]) -> None:
        """`what` is the beginning of a sentence, such as `task A-1`."""
        super().__init__(items)
        self.what = what


class KnownTasks(Known):
    """What came of tasks by their ids; of each when somebody looks: an expression names few of what may be thousands.

    To everybody it is the dictionary that it would be, had all been looked at before.
    """

    def __init__(self, seen: Mapping[str, Mapping[str, Any]]) -> None:
        """Nothing is looked at."""
        super().__init__("the list of tasks", dict.fromkeys(seen))
        self._seen = seen

    def __getitem__(self, task_id: str) -> Any:  # noqa: ANN401  # what a dictionary has
        known = super().__getitem__(task_id)
        if known is None:
            known = self[task_id] = _known(task_id, self._seen[task_id])
        return known

    def __iter__(self) -> Iterator[str]:
        """Its ids; that this is said here has `dict(…)` ask for each value."""
        return super().__iter__()

    def get(self, task_id: str, default: Any = None) -> Any:  # noqa: ANN401  # what a dictionary has
        """As that of a dictionary, and so are the following."""
        return self[task_id] if task_id in self else default  # noqa: SIM401  # this is what that is made of

    def items(self) -> ItemsView[str, Any]:  # type: ignore[override]  # all that is ever asked of what a dictionary gives
        """See `get`."""
        return ItemsView(self)

    def values(self) -> ValuesView[Any]:  # type: ignore[override]  # likewise
        """See `get`."""
        return ValuesView(self)

    def copy(self) -> dict[str, Any]:
        """See `get`."""
        return dict(self)

    def __eq__(self, other: object) -> bool:
        return dict(self) == other

    __hash__ = None  # type: ignore[assignment]  # a dictionary has none

    def __repr__(self) -> str:
        return repr(dict(self))


def _known(task_id: str, seen: Mapping[str, Any]) -> Known:
    outputs = Known(f"what {task_id} passed on", seen.get("outputs", {}))
    return Known(f"task {task_id}", {**seen, "outputs": outputs})
