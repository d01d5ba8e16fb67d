"""What a step returns, by name: from dictionaries, end events and models by key, from tuples by position."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import field
from typing import Any, Final, Literal, Protocol, TypeAlias

from orchestration.errors import UsageError
from orchestration.records import dataclass
from orchestration.steps.values import NotKept, apart, as_json

Kind: TypeAlias = Literal["json", "object", "metric"]
_KINDS: Final = ("json", "object", "metric")


class Serializer(Protocol):
    """Writes an object and reads it again; modules such as `json` are of this kind."""

    def dumps(self, value: Any, /) -> str | bytes:  # noqa: ANN401  # any object
        """The object as text or bytes."""
        ...

    def loads(self, data: Any, /) -> Any:  # noqa: ANN401  # text or bytes as `dumps` gave them
        """The object again."""
        ...


@dataclass(frozen=True, slots=True)
class Return:
    """One value that a step returns.

    Args:
        name: what later steps call it.
        kind: `json`; `metric`, a number that reports show; `object`, anything that lives in memory.
        serializer: how an object is kept in a durable store.
        recompute: whether an object is made again, by running its step again, when a run is continued.
    """

    name: str
    kind: Kind = "json"
    serializer: Serializer | None = None
    recompute: bool = False

    def __post_init__(self) -> None:
        """Check the name and the kind.

        Raises:
            UsageError: one of them is not possible.
        """
        if not str(self.name).isidentifier():
            raise UsageError(f"{self.name!r:.80} cannot be the name of a return: it is no identifier")
        if self.kind not in _KINDS:
            raise UsageError(f"the return {self.name} is of kind {self.kind!r:.80}; there are {', '.join(_KINDS)}")


Written: TypeAlias = str | Return | Mapping[str, Any] | tuple[str, str]


def metric(name: str) -> Return:
    """A number that reports show."""
    return Return(name, "metric")


def read_returns(written: Sequence[Written], where: str, serializer: Serializer | None = None) -> tuple[Return, ...]:
    """The returns of a step as they were written: names, records, dictionaries or pairs of name and kind.

    Raises:
        UsageError: one is none of these, or a name is given twice.
    """
    if isinstance(written, str):
        raise UsageError(f"{where}: `returns` is a list of names", hint=f"returns=[{written!r}]")
    if not isinstance(written, Iterable):
        raise UsageError(f"{where}: `returns` is a list of names, not {written!r:.80}", hint='returns=["name"]')
    found = [_read(one, where, serializer) for one in written]
    names = [one.name for one in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageError(f"{where}: returns {', '.join(twice)} twice")
    return tuple(found)


def _read(one: Written, where: str, serializer: Serializer | None) -> Return:
    if isinstance(one, str):
        return Return(one)
    if isinstance(one, tuple):
        one = dict(zip(("name", "kind"), one, strict=False))
    if isinstance(one, Mapping):
        try:
            one = Return(**one)
        except TypeError as error:
            raise UsageError(f"{where}: {one!r:.80} is no return: {error}") from error
    if not isinstance(one, Return):
        raise UsageError(f"{where}: {one!r:.80} is no return", hint="write its name, or Return(name, kind)")
    if one.kind == "object" and one.serializer is None and serializer is not None:
        return Return(one.name, one.kind, serializer, one.recompute)
    return one


class BadReturn(Exception):
    """What a step returned does not have the names that it declares; the text says which."""


@dataclass(frozen=True, slots=True)
class Returned:
    """What came of a call: `value`, and whether it is that of an end event, whose keys are names."""

    value: Any = field(repr=False)
    is_end_event: bool = False


def bind(returns: Sequence[Return], returned: Returned) -> dict[str, Any]:
    """The declared returns by name.

    Raises:
        BadReturn: a name is missing, or the number of values is another one.
    """
    value = returned.value
    if not returns:
        return {}
    named = _by_name(value)
    if named is not None and (returned.is_end_event or len(returns) > 1 or returns[0].name in named):
        missing = [one.name for one in returns if one.name not in named]
        if missing:
            what = "its end event" if returned.is_end_event else "what it returned"
            there = ", ".join(map(str, list(named)[:20])) or "nothing"
            raise BadReturn(f"{what} has no {' and no '.join(missing)}; it has {there}")
        return {one.name: named[one.name] for one in returns}
    if len(returns) == 1:
        return {returns[0].name: value}
    fields = _fields(value, [one.name for one in returns])
    if fields is not None:
        return fields
    if isinstance(value, tuple | list) and len(value) == len(returns):
        return {one.name: item for one, item in zip(returns, value, strict=True)}
    names = ", ".join(one.name for one in returns)
    size = f"{type(value).__name__} of {len(value)}" if isinstance(value, tuple | list) else type(value).__name__
    raise BadReturn(f"it declares {len(returns)} returns ({names}), and returned one {size}")


def _by_name(value: Any) -> Mapping[str, Any] | None:  # noqa: ANN401  # whatever was returned
    return value if isinstance(value, Mapping) else None


def _fields(value: Any, names: Sequence[str]) -> dict[str, Any] | None:  # noqa: ANN401  # whatever was returned
    """The fields of a model or a dataclass, if it has all of these."""
    is_record = hasattr(type(value), "model_fields") or hasattr(type(value), "__dataclass_fields__")
    if not is_record or not all(hasattr(value, name) for name in names):
        return None
    return {name: getattr(value, name) for name in names}


# -- keeping ------------------------------------------------------------------------------------------------------


def kept(returns: Sequence[Return], values: Mapping[str, Any]) -> dict[str, Any]:
    """The values as a durable store keeps them; those that are made again are left out.

    Raises:
        BadReturn: one is no JSON, and nothing says how to keep it.
    """
    found: dict[str, Any] = {}
    for one in returns:
        try:
            if one.serializer is not None:
                found[one.name] = _serialized(one.serializer, values[one.name])
            elif not one.recompute:
                found[one.name] = as_json(values[one.name])
        except NotKept as error:
            hint = f"Return({one.name!r}, 'object', serializer=…), or recompute=True"
            raise BadReturn(f"the return {one.name} is not JSON ({error}); declare it as {hint}") from error
        except Exception as error:
            raise BadReturn(f"the serializer of {one.name} failed: {type(error).__name__}: {error}") from error
    return found


def kept_as(serializer: Serializer | None, value: Any) -> Any:  # noqa: ANN401  # any value
    """What was made of several returns, as a durable store keeps it: by their serializer where that can.

    Raises:
        NotKept: it cannot, and there is no JSON for the value.
    """
    if serializer is not None:
        with suppress(Exception):  # it is for what was returned, and this may be something else, such as a number
            return _serialized(serializer, value)
    return as_json(value)


def serializers_of(returns: Iterable[Return]) -> dict[str, Serializer]:
    """What keeps the values of those that have one, by name."""
    return {one.name: one.serializer for one in returns if one.serializer is not None}


def _serialized(serializer: Serializer, value: Any) -> dict[str, str]:  # noqa: ANN401  # any object
    data = serializer.dumps(value)
    if isinstance(data, str):
        return {"$serialized": data}
    return {"$serialized_base64": base64.b64encode(data).decode("ascii")}


def restored(serializer: Serializer | None, stored: Any) -> Any:  # noqa: ANN401  # as it was kept, as it was returned
    """A stored value as it is handed to a step; what a serializer has written may lie in lists, one for each item."""
    if serializer is None:
        return apart(stored)
    if isinstance(stored, list):
        return [restored(serializer, item) for item in stored]
    if isinstance(stored, dict) and len(stored) == 1:
        if "$serialized" in stored:
            return serializer.loads(stored["$serialized"])
        if "$serialized_base64" in stored:
            return serializer.loads(base64.b64decode(stored["$serialized_base64"]))
    return apart(stored)
