"""Values on their way between steps: kept apart from later changes, and as JSON where they have to be.

A step gets copies of containers, and what it returned is copied before it is recorded, so that nobody changes what
another one has, or what the records say. Records (dataclasses and models) are containers too. Objects of other kinds
are handed on as they are.
"""

import copy
from collections import deque
from collections.abc import Iterable
from typing import Any, Final, TypeAlias

from orchestration.shown import MAX_DEPTH, PLAIN, Walk, shown

_CONTAINERS: Final = (dict, list, set, bytearray, deque)


class NotKept(Exception):
    """A value cannot be written as JSON; the text says why."""


Known: TypeAlias = dict[int, tuple[Any, Any]]
"""Containers that were copied on the way, by identity, each with its copy: they may hold each other in circles."""


def apart(value: Any, depth: int = 0, known: Known | None = None) -> Any:  # noqa: ANN401  # any value
    """The value with containers of its own; what was shared in it is shared in the copy."""
    kind = type(value)
    if kind in PLAIN or depth > MAX_DEPTH:
        return value
    if known is None:
        known = {}
    elif (found := known.get(id(value))) is not None:
        return found[1]
    if kind is dict:
        made: Any = {}
        known[id(value)] = (value, made)
        for key, item in value.items():
            made[key] = item if type(item) in PLAIN else apart(item, depth + 1, known)
    elif kind is list:
        known[id(value)] = (value, made := [])
        made += [item if type(item) in PLAIN else apart(item, depth + 1, known) for item in value]
    elif kind is tuple:
        made = tuple([apart(item, depth + 1, known) for item in value])
        known[id(value)] = (value, made)
    elif kind is set:
        known[id(value)] = (value, made := set(value))
    else:
        made = _apart_by_class(value, depth, known)
    return made


def _apart_by_class(value: Any, depth: int, known: Known) -> Any:  # noqa: ANN401  # a value of some class
    if isinstance(value, _CONTAINERS):
        return _copied(value)
    is_record = hasattr(type(value), "__dataclass_fields__") or hasattr(type(value), "model_fields")
    return _record_apart(value, depth, known) if is_record else value


def _copied(value: Any) -> Any:  # noqa: ANN401  # a container of a class of its own
    try:
        return copy.deepcopy(value)
    except Exception:  # noqa: BLE001  # whatever such a class raises: then it is handed on as it is
        return value


def _record_apart(value: Any, depth: int, known: Known) -> Any:  # noqa: ANN401  # a dataclass, a model
    """A record with fields of its own; what is in them is treated as it would be by itself."""
    if isinstance(value, type):
        return value
    try:
        made = copy.copy(value)
        known[id(value)] = (value, made)
        fields: Any = getattr(value, "__dict__", None) or getattr(value, "__dataclass_fields__", ())
        for name in fields:
            item = getattr(value, name)
            own = apart(item, depth + 1, known)
            if own is not item:
                object.__setattr__(made, name, own)
    except Exception:  # noqa: BLE001  # whatever a class of the user's raises when it is copied
        return value
    return made


class _Refusing(Walk):
    """Changes nothing, and refuses what is tangled."""

    __slots__ = ()

    def other(self, value: Any, depth: int) -> Any:  # noqa: ANN401  # any value
        del depth
        return value

    def tangled(self, value: Any, why: str) -> Any:  # noqa: ANN401  # a container
        del value
        raise NotKept(why)


def refuse_tangled(value: Any) -> None:  # noqa: ANN401  # any value
    """Refuse containers that hold themselves, or share so much that they could not be written out.

    Raises:
        NotKept: says so.
    """
    _Refusing().through(value)


class _Keeping(_Refusing):
    """As JSON says it, and gives it back."""

    __slots__ = ()

    def pairs(self, value: dict[Any, Any]) -> Iterable[tuple[Any, Any]]:
        return [(next(iter(self.other({key: None}, 0))), item) for key, item in value.items()]

    def other(self, value: Any, depth: int) -> Any:  # noqa: ANN401  # any value
        del depth
        if type(value) is int:
            raise NotKept("a number has too many digits")
        from pydantic_core import PydanticSerializationError, to_jsonable_python  # noqa: PLC0415  # not for plain values

        try:
            return to_jsonable_python(value)
        except (PydanticSerializationError, UnicodeError, RecursionError, ValueError, TypeError) as error:
            raise NotKept(str(error).strip() or type(error).__name__) from error


def as_json(value: Any) -> Any:  # noqa: ANN401  # any value
    """The value as JSON can say it: models and dataclasses as objects, dates as text, tuples and sets as lists.

    Raises:
        NotKept: there is no JSON for it.
    """
    return _Keeping().through(value)


def text_of(value: Any) -> str:  # noqa: ANN401  # any value
    """A value as the output of its task: text as it is, everything else as JSON."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    import json  # noqa: PLC0415  # there already, but not on the way of steps that return text or nothing

    return json.dumps(shown(value), ensure_ascii=False)
