"""Frozen records that are cheap to make, and the mapping that many of them have in common: the empty one.

A step of a pipeline makes four records and does little else, and `dataclass(frozen=True)` spends more than half of
their time on getting past its own guard: one call of `object.__setattr__` for each field. `@quick` above it gives the
class an `__init__` that needs no such call: while it is filled, the new object has the class of an unguarded twin with
the same slots, in which an assignment is one instruction; then it gets its own class back. Nothing else is changed, and
from outside nothing can be seen of it.
"""

from collections.abc import Callable
from dataclasses import MISSING, Field, fields
from typing import Any, Final, NoReturn, TypeVar

T = TypeVar("T")

_SET_CLASS: Final = object.__dict__["__class__"].__set__


class _Nothing(dict[str, Any]):
    """An empty mapping that stays empty; a copy of it, by whatever way, is a mapping like any other."""

    __slots__ = ()

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise TypeError("this record has nothing here, and is frozen")

    __setitem__ = setdefault = update = _refuse

    def __ior__(self, other: Any) -> dict[str, Any]:  # type: ignore[override, misc]  # noqa: ANN401  # as of a frozenset
        return dict(other)

    def __reduce__(self) -> tuple[type[dict[str, Any]], tuple[()]]:
        return dict, ()


_NOTHING: Final = _Nothing()


def nothing() -> dict[str, Any]:
    """What a record has where it could have a mapping and has none: one for all, because a run has very many."""
    return _NOTHING


def quick(record: type[T]) -> type[T]:
    """Make instances of a frozen, slotted dataclass in less time.

    Raises:
        TypeError: it is no such class, or has something in it that this does not know how to fill.
    """
    own = fields(record)  # type: ignore[arg-type]  # raises TypeError itself
    slots = record.__dict__.get("__slots__")
    if slots is None or hasattr(record, "__post_init__") or not all(field.init and not field.kw_only for field in own):
        raise TypeError(f"{record.__name__} is more than a frozen dataclass with slots")
    guards = {"__setattr__": object.__setattr__, "__delattr__": object.__delattr__}
    twin = type(record.__name__, record.__bases__, {"__slots__": slots, **guards})
    record.__init__ = _filling(record, twin, own)  # type: ignore[method-assign]  # that is the point
    return record


def _filling(record: type, twin: type, own: tuple[Field[Any], ...]) -> Callable[..., None]:
    known: dict[str, Any] = {"_set_class": _SET_CLASS, "_record": record, "_twin": twin, "_absent": MISSING}
    parameters, lines = ["self"], ["_set_class(self, _twin)"]
    for field in own:
        name, default = field.name, f"_default_{field.name}"
        if field.default_factory is not MISSING:
            known[default] = field.default_factory
            parameters.append(f"{name}=_absent")
            lines.append(f"self.{name} = {default}() if {name} is _absent else {name}")
            continue
        if field.default is not MISSING:
            known[default] = field.default
            parameters.append(f"{name}={default}")
        else:
            parameters.append(name)
        lines.append(f"self.{name} = {name}")
    lines.append("self.__class__ = _record")
    body = "\n    ".join(lines)
    exec(f"def __init__({', '.join(parameters)}):\n    {body}\n", known)  # noqa: S102  # of names of fields, as dataclasses do it
    made: Callable[..., None] = known["__init__"]
    made.__qualname__ = f"{record.__qualname__}.__init__"
    return made
