"""The parameters of a function, and how its arguments are found by name and brought to the types that it asks for.

Edges survived: functions of every kind (partial, methods, classes, lambdas, positional-only parameters), annotations
that cannot be resolved here or that pydantic knows nothing of (the value is given as it is), functions in C that do not
tell their parameters (they are given nothing), text that looks like a number (it becomes one only for who asks).
"""

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, Final, get_type_hints

from orchestration.calls import is_async, is_async_generator, name_of
from orchestration.errors import OrchError
from orchestration.records import dataclass

MISSING: Final = object()
"""Stands for a value that is not there."""

_PLAIN: Final = (str, int, float, bool, bytes, list, dict, tuple, set)
MAX_NAMES: Final = 20
"""Names that an error lists; more would hide the message."""


class CannotBind(OrchError):
    """A function has a parameter for which nothing is known, or a value that cannot become what it asks for."""

    code = "cannot_bind"
    exit_code = 2


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter: how it is given, its default (MISSING for none), the type that it asks for (MISSING for any)."""

    name: str
    by_position: bool
    default: Any
    type: Any = MISSING


class Signature:
    """The parameters of one function.

    Attributes:
        name: how errors call it.
        is_known: whether the function tells its parameters; not all that are written in C do.
        parameters: those that have names, in order; `*arguments` are left out.
        takes_others: whether it takes `**keywords`.
        takes_nothing: whether it is called without any argument.
        is_async: whether a call only makes a coroutine or an async generator.
        is_async_generator: whether it makes an async generator.
        only_returns: whether it makes a coroutine, and so yields nothing and needs no thread.
    """

    __slots__ = (
        "_casts",
        "_named",
        "_positional",
        "is_async",
        "is_async_generator",
        "is_known",
        "name",
        "only_returns",
        "parameters",
        "takes_nothing",
        "takes_others",
    )

    def __init__(self, function: Callable[..., Any]) -> None:
        """Read it."""
        self.name = name_of(function)
        self.is_async = is_async(function)
        self.is_async_generator = is_async_generator(function)
        self.only_returns = inspect.iscoroutinefunction(function)
        self._casts: dict[str, Callable[[Any], Any]] = {}
        self.is_known = True
        try:
            written = list(inspect.signature(function).parameters.values())
        except (ValueError, TypeError):
            self.is_known, written = False, []
        hints = _hints(function) if any(one.annotation is not one.empty for one in written) else {}
        self.takes_others = any(one.kind is one.VAR_KEYWORD for one in written)
        self.parameters = tuple(_parameters(written, hints))
        self._positional = [one for one in self.parameters if one.by_position]
        self._named = [one for one in self.parameters if not one.by_position]
        self.takes_nothing = not (self.parameters or self.takes_others)

    @property
    def required(self) -> Iterator[str]:
        """The names without default."""
        return (one.name for one in self.parameters if one.default is MISSING)

    def bind(
        self, find: Callable[[str], Any], others: Callable[[], Mapping[str, Any]]
    ) -> tuple[list[Any], dict[str, Any]]:
        """Find the arguments.

        Args:
            find: gives the value of a name, or MISSING.
            others: everything that is known, for `**keywords`.

        Raises:
            CannotBind: names the function and the parameter.
        """
        if self.takes_nothing:
            return [], {}
        positional = [self._value(one, find, others) for one in self._positional]
        named: dict[str, Any] = {}
        if self.takes_others:
            taken = {one.name for one in self.parameters}
            named = {name: value for name, value in others().items() if name not in taken}
        for one in self._named:
            named[one.name] = self._value(one, find, others)
        return positional, named

    def _value(self, one: Parameter, find: Callable[[str], Any], others: Callable[[], Mapping[str, Any]]) -> Any:  # noqa: ANN401  # an argument
        value = find(one.name)
        if value is MISSING:
            if one.default is MISSING:
                raise missing(self.name, one.name, others())
            return one.default
        return value if one.type is MISSING else self._cast(one, value)

    def _cast(self, one: Parameter, value: Any) -> Any:  # noqa: ANN401  # as it is known, as it is asked for
        wanted = one.type
        if wanted in _PLAIN and isinstance(value, wanted) and not (isinstance(value, bool) and wanted is not bool):
            return value
        cast = self._casts.get(one.name)
        if cast is None:
            cast = self._casts[one.name] = _cast_to(wanted)
        try:
            return cast(value)
        except ValueError as error:
            why = _in_short(error)
            raise CannotBind(
                f"cannot call {self.name}: its parameter {one.name} cannot be {value!r:.80}: {why}"
            ) from error


def missing(function: str, name: str, known: Iterable[str]) -> CannotBind:
    """What to say about a parameter for which nothing is known."""
    there = sorted(known)
    listed = (", ".join(there[:MAX_NAMES]) + (" …" if len(there) > MAX_NAMES else "")) or "none"
    return CannotBind(
        f"cannot call {function}: nothing is known for its parameter {name}",
        hint=f"give it as a parameter, let an earlier step return it, or give it a default; known are: {listed}",
    )


def _parameters(written: Iterable[inspect.Parameter], hints: Mapping[str, Any]) -> Iterator[Parameter]:
    for one in written:
        if one.kind in {one.VAR_POSITIONAL, one.VAR_KEYWORD}:
            continue
        default = MISSING if one.default is one.empty else one.default
        wanted = hints.get(one.name, MISSING)
        yield Parameter(one.name, one.kind is one.POSITIONAL_ONLY, default, MISSING if wanted is Any else wanted)


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    """The types that parameters ask for, as far as they can be known."""
    while isinstance(function, partial):
        function = function.func
    if not inspect.isroutine(function):
        function = function.__init__ if isinstance(function, type) else type(function).__call__  # type: ignore[misc]  # of an object of any class
    with suppress(Exception):  # a name that is known to type checkers only, or anything else that a module may do
        return get_type_hints(function, include_extras=True)
    annotations = getattr(function, "__annotations__", {})
    return {name: wanted for name, wanted in annotations.items() if not isinstance(wanted, str)}


def _cast_to(wanted: Any) -> Callable[[Any], Any]:  # noqa: ANN401  # any annotation
    from pydantic import PydanticUserError, TypeAdapter  # noqa: PLC0415  # only for values to be cast

    try:
        return TypeAdapter(wanted).validate_python
    except (PydanticUserError, TypeError, NameError):  # a type that pydantic knows nothing of, or a name nobody knows
        return _as_it_is


def _as_it_is(value: Any) -> Any:  # noqa: ANN401  # any value
    return value


def _in_short(error: ValueError) -> str:
    """What pydantic found, without its page of explanations."""
    details = getattr(error, "errors", None)
    if details is None:
        return str(error)[:300]
    found = [(".".join(map(str, one["loc"])), one["msg"]) for one in details(include_url=False)[:5]]
    return "; ".join(f"{place}: {message}" if place else message for place, message in found)[:300]
