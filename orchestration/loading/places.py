"""Where the parts of one YAML document begin, kept in little memory.

A backlog in one file has two notes for each task, and they are alive while the tasks themselves are made. So the items
of a list are numbers side by side, and the entries of all mappings are by key, of which there are few, and then by
mapping.
"""

from array import array

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
