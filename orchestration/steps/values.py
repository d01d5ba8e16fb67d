"""Values on their way between steps: kept apart from later changes, and as JSON where they have to be.

A step gets copies of containers, and what it returned is copied before it is recorded, so that nobody changes what
another one has, or what the records say. Records (dataclasses and models) are containers too. Objects of other kinds
are handed on as they are.
"""

import copy
from collections import deque
from typing import Any, Final, TypeAlias

from orchestration.shown import MAX_BITS, MAX_DEPTH, PLAIN, WALKED, in_order, shown

_CONTAINERS: Final = (dict, list, set, bytearray, deque)


class NotKept(Exception):
    """A value cannot be written as JSON; the text says why."""


Records: TypeAlias = dict[int, tuple[Any, Any]]
"""Records that were copied on the way, by identity, each with its copy: they may refer to each other in circles."""


def apart(value: Any, depth: int = 0, records: Records | None = None) -> Any:  # noqa: ANN401  # any value
    """The value with containers of its own."""
    kind = type(value)
    if kind in PLAIN or depth > MAX_DEPTH:
        return value
    if kind is dict:
        return {key: apart(item, depth + 1, records) for key, item in value.items()}
    if kind is list:
        return [apart(item, depth + 1, records) for item in value]
    if kind is tuple:
        return tuple([apart(item, depth + 1, records) for item in value])
    if kind is set:
        return set(value)
    return _apart_by_class(value, depth, {} if records is None else records)


def _apart_by_class(value: Any, depth: int, records: Records) -> Any:  # noqa: ANN401  # a value of some class
    if isinstance(value, _CONTAINERS):
        return _copied(value)
    is_record = hasattr(type(value), "__dataclass_fields__") or hasattr(type(value), "model_fields")
    return _record_apart(value, depth, records) if is_record else value


def _copied(value: Any) -> Any:  # noqa: ANN401  # a container of a class of its own
    try:
        return copy.deepcopy(value)
    except Exception:  # noqa: BLE001  # whatever such a class raises: then it is handed on as it is
        return value


def _record_apart(value: Any, depth: int, records: Records) -> Any:  # noqa: ANN401  # a dataclass, a model
    """A record with fields of its own; what is in them is treated as it would be by itself."""
    if isinstance(value, type):
        return value
    if id(value) in records:
        return records[id(value)][1]
    try:
        made = copy.copy(value)
        records[id(value)] = (value, made)
        fields: Any = getattr(value, "__dict__", None) or getattr(value, "__dataclass_fields__", ())
        for name in fields:
            item = getattr(value, name)
            own = apart(item, depth + 1, records)
            if own is not item:
                object.__setattr__(made, name, own)
    except Exception:  # noqa: BLE001  # whatever a class of the user's raises when it is copied
        return value
    return made


def as_json(value: Any, depth: int = 0) -> Any:  # noqa: ANN401  # any value
    """The value as JSON can say it: models and dataclasses as objects, dates as text, tuples and sets as lists.

    Raises:
        NotKept: there is no JSON for it.
    """
    kind = type(value)
    if kind in PLAIN and kind is not bytes:
        if kind is int and value.bit_length() > MAX_BITS:
            raise NotKept("a number has too many digits")
        return value
    if kind in WALKED and depth < MAX_DEPTH:
        if kind is dict and all(type(key) is str for key in value):
            return {key: as_json(item, depth + 1) for key, item in value.items()}
        if kind is not dict:
            return [as_json(item, depth + 1) for item in in_order(value)]
    from pydantic_core import PydanticSerializationError, to_jsonable_python  # noqa: PLC0415  # not for plain values

    try:
        return to_jsonable_python(value)
    except (PydanticSerializationError, UnicodeError, RecursionError, ValueError, TypeError) as error:
        raise NotKept(str(error).strip() or type(error).__name__) from error


def text_of(value: Any) -> str:  # noqa: ANN401  # any value
    """A value as the output of its task: text as it is, everything else as JSON."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    import json  # noqa: PLC0415  # there already, but not on the way of steps that return text or nothing

    return json.dumps(shown(value), ensure_ascii=False)
