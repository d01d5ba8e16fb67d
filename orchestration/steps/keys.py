"""By what a call is known again: by what a function is, and what it is given; the key is a digest of both.

That is the function's code (its own: not that of what it calls), its name, its version, what it returns and makes, and
its arguments. What cannot be written down exactly has no key, and is computed each time: so is the method of an object
that is no record, and a call that is given a secret or something that can be walked only once. What a function holds on
to and could change meanwhile (a list around it, an object) is no part of the key.
"""

import dis
import hashlib
import json
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import partial
from itertools import pairwise
from pathlib import PurePath
from types import BuiltinFunctionType, CellType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any, Final

from orchestration.calls import name_of
from orchestration.steps.values import NotKept, refuse_tangled

_SCALARS: Final = frozenset({type(None), bool, int, float, str})
_HOLDERS: Final = (dict, list, set, frozenset, tuple, deque)
_TOLD: Final = frozenset(
    {
        "builtins.bytes",
        "builtins.bytearray",
        "builtins.complex",
        "builtins.ellipsis",
        "builtins.range",
        "datetime.date",
        "datetime.datetime",
        "datetime.time",
        "datetime.timedelta",
        "datetime.timezone",
        "decimal.Decimal",
        "fractions.Fraction",
        "ipaddress.IPv4Address",
        "ipaddress.IPv4Network",
        "ipaddress.IPv6Address",
        "ipaddress.IPv6Network",
        "pydantic.networks.AnyHttpUrl",
        "pydantic.networks.AnyUrl",
        "pydantic.networks.HttpUrl",
        "uuid.UUID",
        "zoneinfo.ZoneInfo",
    }
)
"""Types whose `repr` says all that there is in a value; by name, so that none is imported for it."""

_PLACES: Final = frozenset({"__firstlineno__", "__static_attributes__"})
"""Where the body of a class keeps on which line it begins, and which attributes its methods set: since Python 3.13."""

_FIXED: Final = (type(None), bool, int, float, complex, str, bytes, tuple, frozenset, range, Enum, PurePath)


def key_of(
    function: Callable[..., Any], positional: Sequence[Any], named: Mapping[str, Any], *said: object
) -> str | None:
    """The key of a call, None where it has none.

    Args:
        function: what is called.
        positional: arguments by position.
        named: arguments by name.
        said: what else makes it another call: its version, the names of what it returns.
    """
    try:
        refuse_tangled([positional, named])
        facts = [name_of(function), exactly(said), *_code_of(function), exactly([*positional]), exactly(dict(named))]
        text = json.dumps(facts, sort_keys=True, allow_nan=False)
    except (NotKept, ValueError, TypeError, AttributeError, RecursionError):  # or a field that has no value
        return None
    return hashlib.sha256(text.encode()).hexdigest()


# -- functions ----------------------------------------------------------------------------------------------------


def _code_of(function: Callable[..., Any], around: tuple[object, ...] = ()) -> Iterator[Any]:
    """All that makes a function what it is; raises NotKept where that cannot be said."""
    while isinstance(function, partial):
        yield exactly([list(function.args), dict(function.keywords)])
        function = function.func
    if isinstance(function, MethodType):
        yield _owner(function.__self__)
        function = function.__func__
    code = getattr(function, "__code__", None)
    if not isinstance(code, CodeType):
        raise NotKept("an object that can be called may hold anything")
    yield _facts_of(code)
    if any(function is one for one in around):  # it holds on to itself
        return
    yield exactly([*(getattr(function, "__defaults__", None) or ())])
    yield exactly(dict(getattr(function, "__kwdefaults__", None) or {}))
    yield [_held(cell, (*around, function)) for cell in getattr(function, "__closure__", None) or ()]


def _owner(owner: object) -> Any:  # noqa: ANN401  # whatever can be written down of it
    """Whose method it is; raises NotKept where one object cannot be told from another."""
    return _name(owner) if isinstance(owner, type) else exactly(owner)


def _held(cell: CellType, around: tuple[object, ...]) -> Any:  # noqa: ANN401  # whatever can be written down of it
    """What a function holds on to, where it is one that never changes."""
    try:
        value = cell.cell_contents
    except ValueError:  # it has no value yet
        return None
    if isinstance(value, FunctionType | MethodType | partial):
        return [*_code_of(value, around)]
    if isinstance(value, type):
        return {"type": _name(value)}
    if isinstance(value, ModuleType):
        return {"module": value.__name__}
    if isinstance(value, BuiltinFunctionType):
        return {"function": f"{value.__module__}.{value.__qualname__}"}
    is_fixed = isinstance(value, _FIXED) or (_name(type(value)) in _TOLD and type(value) is not bytearray)
    return exactly(value) if is_fixed or _is_frozen(value) else None


def _is_frozen(value: object) -> bool:
    parameters = getattr(type(value), "__dataclass_params__", None)
    return bool(getattr(parameters, "frozen", False))


def _facts_of(code: CodeType) -> list[Any]:
    does, inner = _class_of(code) if _PLACES & {*code.co_names} else (code.co_code.hex(), code.co_consts)
    taken = [code.co_flags, code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount]
    return [
        does,
        code.co_exceptiontable.hex(),
        taken,
        [*map(_constant, inner)],
        *map(list, (code.co_names, code.co_varnames, code.co_cellvars, code.co_freevars)),
    ]


def _class_of(code: CodeType) -> tuple[list[tuple[str, int | None]], list[Any]]:
    """What the body of a class does, and with which constants, wherever it stands.

    Its line may share a constant with what was written, so the constants are those that the other steps load.
    """
    steps = [one for one in dis.get_instructions(code) if one.opname != "EXTENDED_ARG"]
    kept = [one for one, then in pairwise([*steps, None]) if one and not (_is_place(one) or _is_place(then))]
    loads = [one.opcode in dis.hasconst for one in kept]
    does = [(one.opname, None if is_load else one.arg) for one, is_load in zip(kept, loads, strict=True)]
    return does, [one.argval for one, is_load in zip(kept, loads, strict=True) if is_load]


def _is_place(step: dis.Instruction | None) -> bool:
    return step is not None and step.opname == "STORE_NAME" and step.argval in _PLACES


def _constant(value: Any) -> Any:  # noqa: ANN401  # what stands in code
    """A constant as JSON; that of a set is in an order of its own in each process."""
    if isinstance(value, CodeType):
        return _facts_of(value)
    if isinstance(value, tuple):
        return repr([*map(_constant, value)])
    return repr(sorted(map(_constant, value))) if isinstance(value, frozenset) else repr(value)


# -- values -------------------------------------------------------------------------------------------------------


def exactly(value: Any) -> Any:  # noqa: ANN401  # any value
    """The value as JSON that no other value has; equal dictionaries and sets have the same.

    Raises:
        NotKept: there is none.
    """
    kind = type(value)
    if kind in _SCALARS:
        return value
    if kind is list:
        return [exactly(item) for item in value]
    return {_name(kind): _contents(value, kind)}


def _name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _contents(value: Any, kind: type) -> Any:  # noqa: ANN401  # any value
    """What is in a value of a type for which JSON has no word."""
    if kind is dict and all(type(key) is str for key in value):
        return {key: exactly(item) for key, item in value.items()}
    if _name(kind) in _TOLD:
        return _told(value)
    if isinstance(value, Enum):
        return [value.name, exactly(value.value)]
    if is_dataclass(value) or hasattr(kind, "model_fields"):
        return _fields(value)
    held = _items(value, kind)
    return _bare(value, kind) if held is None else held


def _told(value: Any) -> str:  # noqa: ANN401  # a value that tells all of itself
    zone = getattr(value, "tzinfo", None)
    if zone is not None and _name(type(zone)) not in _TOLD:
        raise NotKept("nobody can say which time zone this is")
    return repr(value)


def _fields(value: Any) -> Any:  # noqa: ANN401  # a dataclass, a model
    """All that a record holds, also what it does not show."""
    if isinstance(value, _HOLDERS):
        raise NotKept("it is a record, and holds other values too")
    named = {one.name: getattr(value, one.name) for one in fields(value)} if is_dataclass(value) else {}
    own = {**named, **getattr(value, "__dict__", {})}
    more = [getattr(value, name, None) for name in ("__pydantic_extra__", "__pydantic_private__")]
    return [exactly(own), exactly(more)]


def _items(value: Any, kind: type) -> Any:  # noqa: ANN401  # any value; None where it is no container
    if kind in {dict, OrderedDict, Counter}:
        return [[exactly(key), exactly(item)] for key, item in value.items()]
    if kind in {set, frozenset}:
        return sorted(json.dumps(exactly(item), sort_keys=True) for item in value)
    if kind is deque:
        return [value.maxlen, [exactly(item) for item in value]]
    if kind is tuple or (isinstance(value, tuple) and hasattr(kind, "_make") and not getattr(value, "__dict__", None)):
        return [exactly(item) for item in value]
    if kind.__module__ == "re" and hasattr(value, "pattern"):
        return [exactly(value.pattern), value.flags]
    return None


def _bare(value: Any, kind: type) -> Any:  # noqa: ANN401  # text or a number of a class of its own
    """What a path, a text or a number is, where that is all; raises NotKept for any other object."""
    if kind.__module__.partition(".")[0] == "pathlib":
        return str(value)
    if not getattr(value, "__dict__", None):
        if isinstance(value, str):
            return str.__str__(value)
        if isinstance(value, int):
            return int.__int__(value)
        if isinstance(value, float):
            return float.__float__(value)
    raise NotKept(f"nobody can say what is in a {kind.__qualname__}")
