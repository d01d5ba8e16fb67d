"""Where the parts of a YAML document begin, and the tasks of a backlog; kept in little memory.

A backlog in one file has two notes for each task, and they are alive while the tasks themselves are made. So the items
of a list are numbers side by side, and the entries of all mappings are by key, of which there are few, and then by
mapping. Where tasks stand is known as long as the tasks are, and asked for hardly ever.
"""

from array import array
from collections.abc import Iterable, Iterator, Mapping

TOP = 0
"""What the list of documents, of which there is usually one, is called."""


class Places:
    """The line of each item of a list, and of each entry of a mapping, that was noted; lists and mappings by `id`."""

    __slots__ = ("_entries", "_items")

    def __init__(self) -> None:
        """Nothing is noted."""
        self._items: dict[int, array[int]] = {}
        self._entries: dict[str, dict[int, int]] = {}

    def add_item(self, of: int, line: int) -> None:
        """Note where the next item of a list begins; of a list, all are noted or none."""
        known = self._items.get(of)
        if known is None:
            known = self._items[of] = array("l")
        known.append(line)

    def add_entry(self, of: int, key: str, line: int) -> None:
        """Note where an entry of a mapping begins."""
        known = self._entries.get(key)
        if known is None:
            known = self._entries[key] = {}
        known[of] = line

    def line_of(self, of: int, key: str | int) -> int | None:
        """Where the item or entry begins, None where nobody noted it."""
        if isinstance(key, str):
            return self._entries.get(key, {}).get(of)
        known = self._items.get(of, ())
        return known[key] if key < len(known) else None


class TaskPlaces(Mapping[str, tuple[str, int]]):
    """Task id → the file and the line where it stands.

    Args:
        index: task id → its number, in the order of `places`.
        places: the file and the line of each task.
    """

    __slots__ = ("_files", "_index", "_lines")

    def __init__(self, index: Mapping[str, int], places: Iterable[tuple[str, int]]) -> None:
        self._index = index
        self._files: list[str] = []
        self._lines = array("l")
        for file, line in places:
            self._files.append(file)
            self._lines.append(line)

    def __getitem__(self, task_id: str) -> tuple[str, int]:
        i = self._index[task_id]
        return self._files[i], self._lines[i]

    def __iter__(self) -> Iterator[str]:
        return iter(self._index)

    def __len__(self) -> int:
        return len(self._index)
