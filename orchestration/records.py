"""`dataclass` for records with slots: what `dataclasses.dataclass` gives, cheaper to define and cheaper to make.

`dataclasses` writes six functions for each frozen class as text and compiles them, most of a millisecond for each, and
there are some 150 such classes: a quarter of what a cheap command took in all. And it fills a frozen object by one call
of `object.__setattr__` for each field. Here `repr`, `==`, `hash`, copying and the guard are functions that are made
without compiling anything, and only `__init__` is written, for it is called all the time, and that when the first
object is made. While it is filled, a new frozen object has the class of an unguarded twin with the same slots, in which
an assignment is one instruction; then it gets its own class back.

To users of the records nothing is different: `fields`, `replace`, `asdict`, `copy`, `pickle`, `match` and type checkers
know them as dataclasses. Only one thing is: `@dataclasses.dataclass(frozen=True)` refuses to derive from them, because
`dataclasses` takes them for classes that are not frozen.

Edges survived: fields that are inherited, given by a factory, or left to `__post_init__`; a class with methods of its
own in place of one of these; a class derived without a decorator, whose objects keep their class and may have more
attributes; records that hold themselves.
"""

import dataclasses
from collections.abc import Callable, Iterable
from dataclasses import MISSING, Field, FrozenInstanceError, fields
from functools import cache
from operator import attrgetter
from reprlib import recursive_repr
from typing import TYPE_CHECKING, Any, Final, TypeVar

T = TypeVar("T")

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass  # noqa: PLC0414  # what type checkers take it for
else:

    def dataclass(*, slots: bool, frozen: bool = False, repr: bool = True) -> Callable[[type], type]:  # noqa: A002  # its name
        """Make a class a record.

        Args:
            slots: always true; said so that it can be read where the class is.
            frozen: whether nothing can be assigned to a field, and objects have a hash.
            repr: whether it is to have a `__repr__`.

        Raises:
            TypeError: it has no slots, or a field is for keywords only.
        """
        if not slots:
            raise TypeError("records have slots; use dataclasses.dataclass")
        return lambda written: _made(written, frozen=frozen, shown=repr)


_SET_CLASS: Final = object.__dict__["__class__"].__set__


def _made(written: type, *, frozen: bool, shown: bool) -> type:
    if written.__doc__ is None:
        written.__doc__ = f"{written.__name__}."  # else its signature is looked up, which takes longer than all of this
    described: Any = dataclasses.dataclass(written, init=False, repr=False, eq=False)  # which fields there are
    own: tuple[Field[Any], ...] = fields(described)
    if any(field.kw_only for field in own):
        raise TypeError(f"{written.__name__} has fields for keywords only")
    names = [field.name for field in own]
    body = {
        name: value for name, value in described.__dict__.items() if name not in {*names, "__dict__", "__weakref__"}
    }
    inherited = {slot for base in described.__mro__[1:-1] for slot in base.__dict__.get("__slots__", ())}
    body["__slots__"] = tuple(name for name in names if name not in inherited)
    for name, method in _methods(own, shown=shown).items():
        body.setdefault(name, method)
    if body.get("__hash__") is None:  # also where a class with an `==` of its own says nothing of a hash
        body["__hash__"] = _hash_of(own) if frozen else None
    record = type(written)(written.__name__, written.__bases__, body)
    record.__qualname__ = written.__qualname__
    if frozen:
        _guard(record, frozenset(names))
    if "__init__" not in body:
        record.__init__ = _filled_later(record, own, frozen=frozen)  # type: ignore[misc]  # that is the point
        record.__signature__ = _Signature(record, own)  # type: ignore[attr-defined]  # `inspect` looks for it
    return record


# -- methods that need no text ------------------------------------------------------------------------------------


def _methods(own: Iterable[Field[Any]], *, shown: bool) -> dict[str, Callable[..., Any]]:
    names = [field.name for field in own]
    values = _values_of(field.name for field in own if field.compare)

    def equal(self: object, other: object) -> bool:
        return values(self) == values(other) if other.__class__ is self.__class__ else NotImplemented

    def state(self: object) -> list[Any]:
        return [getattr(self, name) for name in names]

    def set_state(self: object, state: Iterable[Any]) -> None:
        for name, value in zip(names, state, strict=True):
            object.__setattr__(self, name, value)

    methods: dict[str, Callable[..., Any]] = {"__eq__": equal, "__getstate__": state, "__setstate__": set_state}
    if shown:
        methods["__repr__"] = _repr_of([field.name for field in own if field.repr])
    return methods


def _repr_of(names: Iterable[str]) -> Callable[[object], str]:
    @recursive_repr()
    def shown(self: object) -> str:
        values = ", ".join([f"{name}={getattr(self, name)!r}" for name in names])
        return f"{self.__class__.__qualname__}({values})"

    return shown


def _hash_of(own: Iterable[Field[Any]]) -> Callable[[object], int]:
    values = _values_of(field.name for field in own if (field.compare if field.hash is None else field.hash))
    return lambda self: hash(values(self))


def _values_of(names: Iterable[str]) -> Callable[[object], tuple[Any, ...]]:
    """What tells the values of these fields of a record."""
    listed = [*names]
    if len(listed) > 1:
        return attrgetter(*listed)
    return lambda record: tuple([getattr(record, name) for name in listed])


def _guard(record: type, names: frozenset[str]) -> None:
    """Refuse changes of fields, and of anything else unless a class derived from it has more."""

    def set_attribute(self: object, name: str, value: object) -> None:
        if type(self) is record or name in names:
            raise FrozenInstanceError(f"cannot assign to field {name!r}")
        super(record, self).__setattr__(name, value)  # type: ignore[arg-type]  # it is of a class derived from it

    def delete_attribute(self: object, name: str) -> None:
        if type(self) is record or name in names:
            raise FrozenInstanceError(f"cannot delete field {name!r}")
        super(record, self).__delattr__(name)  # type: ignore[arg-type]  # as above

    record.__setattr__ = set_attribute  # type: ignore[assignment]  # of a class
    record.__delattr__ = delete_attribute  # type: ignore[assignment]  # of a class


# -- __init__ -----------------------------------------------------------------------------------------------------


def _filled_later(record: type, own: tuple[Field[Any], ...], *, frozen: bool) -> Callable[..., None]:
    """What stands in for `__init__` until it is needed."""
    written: Callable[..., None] | None = None

    def init(self: object, *values: object, **named: object) -> None:
        nonlocal written
        if written is None:
            written = record.__init__ = _filling(record, own, frozen=frozen)  # type: ignore[misc]  # as above
        written(self, *values, **named)

    return init


class _Signature:
    """How a record is called, for `inspect`, as long as no class derived from it says otherwise."""

    def __init__(self, record: type, own: tuple[Field[Any], ...]) -> None:
        self._record = record
        self._own = own

    def __get__(self, _: object, owner: type) -> object:
        between = owner.__mro__[: owner.__mro__.index(self._record)]
        if any("__init__" in kind.__dict__ or "__new__" in kind.__dict__ for kind in between):
            raise AttributeError("__signature__")
        from inspect import Parameter, Signature  # noqa: PLC0415  # only for who asks

        given = [one for one in self._own if one.init]
        kind, none = Parameter.POSITIONAL_OR_KEYWORD, Parameter.empty
        defaults = [one.default_factory() if one.default_factory is not MISSING else one.default for one in given]
        parameters = [
            Parameter(one.name, kind, default=none if default is MISSING else default, annotation=one.type)
            for one, default in zip(given, defaults, strict=True)
        ]
        return Signature(parameters)


def maker(record: type[T]) -> type[T]:
    """A function that makes records of a class as the class itself does, in half the time where names are given.

    To call a class is to pack the arguments and to unpack them again, for `__init__`; a function just takes them. For
    those few records of which there are some for every step.

    Args:
        record: made by `dataclass(slots=True, frozen=True)`; it is what comes out, never a class derived from it.
    """
    return _maker(record)  # type: ignore[arg-type, no-any-return]  # a function that can be called as the class can


@cache
def _maker(record: Any) -> Any:  # noqa: ANN401  # a class; type checkers know none of them as a record
    parameters, lines, known = _filled(record, fields(record))
    known |= {"_record": record, "_twin": _twin_of(record), "_new": object.__new__}
    lines = ["self = _new(_twin)", *lines, "self.__class__ = _record"]
    if hasattr(record, "__post_init__"):
        lines.append("self.__post_init__()")
    return _compiled("make", parameters, [*lines, "return self"], known)


def _filling(record: type, own: Iterable[Field[Any]], *, frozen: bool) -> Callable[..., None]:
    parameters, lines, known = _filled(record, own)
    if frozen:
        lines = _past_the_guard(record, lines, known)
    if hasattr(record, "__post_init__"):
        lines.append("self.__post_init__()")
    made = _compiled("__init__", ["self", *parameters], lines or ["pass"], known)
    made.__qualname__ = f"{record.__qualname__}.__init__"
    return made


def _compiled(name: str, parameters: list[str], lines: list[str], known: dict[str, Any]) -> Callable[..., Any]:
    body = "\n    ".join(lines)
    exec(f"def {name}({', '.join(parameters)}):\n    {body}\n", known)  # noqa: S102  # of names of fields, as dataclasses do it
    made: Callable[..., Any] = known[name]
    return made


def _filled(record: type, own: Iterable[Field[Any]]) -> tuple[list[str], list[str], dict[str, Any]]:
    """What fills a record: parameters, assignments to `self`, and what these know beside."""
    known: dict[str, Any] = {"_record": record, "_absent": MISSING}
    parameters: list[str] = []
    lines: list[str] = []
    for field in own:
        name, default = field.name, f"_default_{field.name}"
        value = name if field.init else default
        if field.default_factory is not MISSING:
            known[default] = field.default_factory
            value = f"{default}() if {name} is _absent else {name}" if field.init else f"{default}()"
            parameters += [f"{name}=_absent"] * field.init
        elif field.default is not MISSING:
            known[default] = field.default
            parameters += [f"{name}={default}"] * field.init
        elif field.init:
            parameters.append(name)
        else:
            continue
        lines.append(f"self.{name} = {value}")
    return parameters, lines, known


def _past_the_guard(record: type, lines: list[str], known: dict[str, Any]) -> list[str]:
    """The same assignments to a frozen object; one of a class derived from it has no twin."""
    known |= {"_set_class": _SET_CLASS, "_set": object.__setattr__, "_twin": _twin_of(record)}
    slowly = [line.replace("self.", "_set(self, '", 1).replace(" = ", "', ", 1) + ")" for line in lines]
    return [
        "if self.__class__ is _record:",
        "    _set_class(self, _twin)",
        *(f"    {line}" for line in lines),
        "    self.__class__ = _record",
        "else:",
        *(f"    {line}" for line in slowly or ["pass"]),
    ]


@cache
def _twin_of(record: type) -> type:
    """The same without a guard."""
    guards = {"__setattr__": object.__setattr__, "__delattr__": object.__delattr__}
    return type(record.__name__, record.__bases__, {"__slots__": record.__dict__["__slots__"], **guards})
