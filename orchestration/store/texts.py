"""Values to the JSON text that the state file holds, such that it can always be written and always be read back.

Outputs come from anywhere. What must be survived: lone surrogates (they are no UTF-8, so they are escaped), NaN and
infinity (Python's JSON reads what it wrote), integers beyond the interpreter's limit of digits, nesting that another
version of Python could not read back, cycles, keys that are no text, and objects that are no JSON at all. What JSON
cannot hold is stored as text: one strange output must not cost the log of a whole run.
"""

import json
import re
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any, Final

from orchestration.events import Event, to_dict, to_json

MAX_DEPTH: Final = 100
"""Deeper nesting is stored as text: versions of Python stop at different depths, and each must read all of them."""
MAX_INT_BITS: Final = 2_000
"""About 600 digits, which every interpreter reads whatever its limit; beyond, an integer is stored in hexadecimal."""
_SURROGATE: Final = re.compile(r"[\ud800-\udfff]")
_FLAT: Final = frozenset({str, int, float, bool, type(None)})
_UNWRITABLE: Final = (TypeError, ValueError, RecursionError)


def event_text(event: Event) -> str:
    """The event as one line of JSON."""
    try:
        text = to_json(event)
    except _UNWRITABLE:
        return json_text(to_dict(event))
    return json_text(to_dict(event)) if _may_be_deep(text) else _encodable(text)


def json_text(value: object) -> str:
    """Any value as JSON text."""
    try:
        text = _dumps(value)
    except _UNWRITABLE:
        return _encodable(_dumps(_plain(value, ())))
    if _may_be_deep(text) and not _fits(value, MAX_DEPTH):
        text = _dumps(_plain(value, ()))
    return _encodable(text)


def _dumps(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _encodable(text: str) -> str:
    """The same JSON in characters that are UTF-8; surrogates stand inside strings, where an escape means the same."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return _SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
    return text


def _may_be_deep(text: str) -> bool:
    """Cheap and never wrongly False: nothing is nested deeper than it has brackets."""
    return text.count("[") + text.count("{") > MAX_DEPTH


def _fits(value: object, depth: int) -> bool:
    if not isinstance(value, Mapping | list | tuple):
        return True
    items = value.values() if isinstance(value, Mapping) else value
    return depth > 0 and all(_fits(item, depth - 1) for item in items if type(item) not in _FLAT)


def _plain(value: object, above: tuple[int, ...]) -> Any:  # noqa: ANN401  # whatever JSON can hold
    """The value with all that JSON cannot hold replaced by its text; `above` are the ids of what it lies in."""
    if value is None or isinstance(value, str | float):
        return value
    if isinstance(value, int):
        return value if value.bit_length() <= MAX_INT_BITS else hex(value)
    if not isinstance(value, Mapping | list | tuple | AbstractSet) or id(value) in above or len(above) >= MAX_DEPTH:
        return _told(value)
    inside = (*above, id(value))
    if isinstance(value, Mapping):
        return {_key(key): _plain(item, inside) for key, item in value.items()}
    items: Iterable[object] = sorted(value, key=_told) if isinstance(value, AbstractSet) else value
    return [_plain(item, inside) for item in items]


def _key(key: object) -> str:
    if isinstance(key, str):
        return key
    plain = _plain(key, ())
    return plain if isinstance(plain, str) else _dumps(plain)


def _told(value: object) -> str:
    """What the value says of itself; objects of others may fail at that in any way."""
    try:
        return repr(value)
    except Exception:  # noqa: BLE001  # see above
        return f"<{type(value).__name__}>"
