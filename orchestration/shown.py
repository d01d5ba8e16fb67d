"""Any value as JSON can show it, for whoever looks on: results, events, logs, streams.

Nothing is refused and nothing is changed: what JSON has no word for is named by its type, and so is what can be walked
only once, and a container inside of itself, as in a tree whose leaves know their parents.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from enum import Enum
from typing import Any, Final

PLAIN: Final = frozenset({type(None), bool, int, float, str, bytes})
_AS_THEY_ARE: Final = frozenset({type(None), bool, float, str})
WALKED: Final = frozenset({dict, list, tuple, set, frozenset})
MAX_BITS: Final = 14_000
"""Of whole numbers; Python writes out, and reads again, 4,300 digits."""

MAX_DEPTH: Final = 100
"""Levels of containers that are looked into."""

MAX_REPEATED: Final = 1_000_000
"""Items that are written out once more because a container is met again."""


class Walk(ABC):
    """One look through a value, each plain container of it once, however often it is met.

    So one that holds itself has an end, and parts that are shared take no longer than they would alone.
    """

    __slots__ = ("_known", "_repeated", "_size")

    def __init__(self) -> None:
        """Nothing is known."""
        self._known: dict[int, tuple[Any, Any, int]] = {}  # each with itself, so that nothing else gets its identity
        self._size = 0
        self._repeated = 0

    def through(self, value: Any, depth: int = 0) -> Any:  # noqa: ANN401  # any value
        """What becomes of a value."""
        kind = type(value)
        if kind in PLAIN and kind is not bytes and not (kind is int and value.bit_length() > MAX_BITS):
            return value
        if kind not in WALKED or depth > MAX_DEPTH:
            return self.other(value, depth)
        known = self._known.get(id(value))
        if known is not None:
            return self._again(*known)
        self._known[id(value)] = (value, None, -1)
        before = self._size
        self._size += len(value)
        made = self.items(value, depth + 1)
        self._known[id(value)] = (value, made, self._size - before)
        return made

    def _again(self, value: Any, made: Any, size: int) -> Any:  # noqa: ANN401  # any container, what became of it
        if size < 0:
            return self.tangled(value, "it holds itself")
        self._size += size
        self._repeated += size
        if self._repeated > MAX_REPEATED:
            return self.tangled(value, "its parts are shared so often that it would be endless")
        return made

    def items(self, value: Any, depth: int) -> Any:  # noqa: ANN401  # a container
        """What becomes of a container; its items are at `depth`."""
        through, plain = self.through, _AS_THEY_ARE  # most items need no call
        if type(value) is dict:
            pairs = value.items() if all(type(key) is str for key in value) else self.pairs(value)
            return {key: item if type(item) in plain else through(item, depth) for key, item in pairs}
        return [item if type(item) in plain else through(item, depth) for item in in_order(value)]

    def pairs(self, value: dict[Any, Any]) -> Iterable[tuple[Any, Any]]:
        """The items of a dictionary whose keys are not all text, with what becomes of the keys."""
        return value.items()

    @abstractmethod
    def other(self, value: Any, depth: int) -> Any:  # noqa: ANN401  # any value
        """What becomes of what is no plain value or container, or lies too deep."""

    @abstractmethod
    def tangled(self, value: Any, why: str) -> Any:  # noqa: ANN401  # a container
        """What becomes of a container that cannot be written out once more."""


class _Showing(Walk):
    __slots__ = ()

    def pairs(self, value: dict[Any, Any]) -> Iterable[tuple[Any, Any]]:
        return [(_key(key), item) for key, item in value.items()]

    def other(self, value: Any, depth: int) -> Any:  # noqa: ANN401  # any value
        if depth > MAX_DEPTH or type(value) in PLAIN - {bytes} or isinstance(value, Iterator):
            return _named(value)
        return _dumped(value)

    def tangled(self, value: Any, why: str) -> str:  # noqa: ANN401  # a container
        del why
        return _named(value)


def shown(value: Any) -> Any:  # noqa: ANN401  # any value
    """The value as JSON for whoever looks on; what JSON has no word for is named by its type.

    Looking changes nothing: what can be walked only once is named too.
    """
    return value if type(value) is str else _Showing().through(value)


def _dumped(value: Any) -> Any:  # noqa: ANN401  # any value
    from pydantic_core import to_jsonable_python  # noqa: PLC0415  # as above

    try:
        return to_jsonable_python(value, fallback=_named, serialize_unknown=True, bytes_mode="base64")
    except Exception:  # noqa: BLE001  # a circle, or whatever a model of the user's raises while it is dumped
        return _named(value)


def _key(key: Any) -> str:  # noqa: ANN401  # any key
    if type(key) is str:
        return key
    made = _dumped({key: None})
    return next(iter(made)) if isinstance(made, dict) else _named(key)


def _named(value: Any) -> str:  # noqa: ANN401  # any value
    return f"<{type(value).__module__}.{type(value).__qualname__}>"


def compared(value: Any) -> Any:  # noqa: ANN401  # any value
    """The value as conditions compare it: a member of an enum by its value, as a store would give it back."""
    if isinstance(value, Enum):
        return value.value
    if type(value) in {list, tuple, set, frozenset} and any(isinstance(item, Enum) for item in value):
        return type(value)([compared(item) for item in value])
    return value


def in_order(value: Iterable[Any]) -> list[Any]:
    """The items of a container; those of a set in an order that is the same each time."""
    if not isinstance(value, set | frozenset):
        return list(value)
    try:
        return sorted(value)
    except TypeError:  # of several kinds, or of one that has no order
        return sorted(value, key=lambda item: (type(item).__qualname__, repr(item)))
