"""Any value as JSON can show it, for whoever looks on: results, events, logs, streams.

Nothing is refused and nothing is changed: what JSON has no word for is named by its type, and what can be walked only
once is not walked.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final

PLAIN: Final = frozenset({type(None), bool, int, float, str, bytes})
WALKED: Final = frozenset({dict, list, tuple, set, frozenset})
MAX_BITS: Final = 14_000
"""Of whole numbers; Python writes out, and reads again, 4,300 digits."""

MAX_DEPTH: Final = 100
"""Levels of containers that are looked into."""


def shown(value: Any, depth: int = 0) -> Any:  # noqa: ANN401  # any value
    """The value as JSON for whoever looks on; what JSON has no word for is named by its type.

    Looking changes nothing: what can be walked only once is named too.
    """
    kind = type(value)
    if kind in PLAIN and kind is not bytes:
        return _named(value) if kind is int and value.bit_length() > MAX_BITS else value
    if depth > MAX_DEPTH or isinstance(value, Iterator):
        return _named(value)
    if kind is dict:
        return {_key(key): shown(item, depth + 1) for key, item in value.items()}
    if kind in WALKED:
        return [shown(item, depth + 1) for item in in_order(value)]
    return _dumped(value)


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


def in_order(value: Iterable[Any]) -> list[Any]:
    """The items of a container; those of a set in an order that is the same each time."""
    if not isinstance(value, set | frozenset):
        return list(value)
    try:
        return sorted(value)
    except TypeError:  # of several kinds, or of one that has no order
        return sorted(value, key=lambda item: (type(item).__qualname__, repr(item)))
