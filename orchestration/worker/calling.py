"""A function and what is known → its arguments; what it returned → the output and outputs of its task.

Edges survived: functions of every kind (wrapped, partial, methods, classes, positional-only parameters), a name that
two earlier tasks passed on, values that JSON cannot say (sets, NaN, circles, broken text), models and dataclasses,
modules and functions that are not there.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from types import FunctionType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

MAX_NAMES_LISTED = 20  # names that an error lists; more would hide the message
REQUIRED = object()  # stands for the default of a parameter that has none
ABOUT = {name: name for name in ("task", "inputs", "parameters", "upstream", "prompt", "attempt", "run_id")}
ABOUT["tasks"] = "upstream"  # the name that templates use
BY_POSITION, BY_NAME, ALL_OTHERS = "by position", "by name", "all others"
_TAKES_OTHERS = 0x08  # the flag of a code object with **keywords


class CannotCall(Exception):
    """The function is not there, or has a parameter that nothing is known for; trying again would not help.

    Attributes:
        message: what is wrong, naming the function.
        hint: what to do, if we know.
    """

    def __init__(self, message: str, hint: str | None = None) -> None:
        """Keep the facts apart."""
        super().__init__(message)
        self.message = message
        self.hint = hint


class NotJson(Exception):
    """The function returned or yielded what JSON cannot say; the message names the value."""


def imported(name: str) -> Callable[..., Any]:
    """Import `package.module:function`.

    Raises:
        CannotCall: the module, a module that it needs, or the function is missing.
        Exception: whatever the module raises while it is imported.
    """
    module_name, _, path = name.partition(":")
    try:
        found: Any = import_module(module_name)
    except ImportError as error:
        raise CannotCall(f"cannot call {name}: {_missing(module_name, error)}", _how_to_find()) from error
    for part in path.split("."):
        if not hasattr(found, part):
            there = [key for key in vars(found) if not key.startswith("_")] if hasattr(found, "__dict__") else []
            raise CannotCall(f"cannot call {name}: it has no {part}", f"it has: {', '.join(there[:MAX_NAMES_LISTED])}")
        found = getattr(found, part)
    if not callable(found):
        raise CannotCall(f"cannot call {name}: it is no function, but of type {type(found).__name__}")
    return found  # type: ignore[no-any-return]  # it is callable, as was just seen


def _missing(wanted: str, error: ImportError) -> str:
    if not isinstance(error, ModuleNotFoundError) or error.name is None:
        return f"{wanted} cannot be imported: {error}"
    if wanted == error.name or wanted.startswith(f"{error.name}."):
        return f"there is no module {error.name}"
    return f"{wanted} needs the module {error.name}, which is not there"


def _how_to_find() -> str:
    first = sys.path[0] if sys.path and sys.path[0] else "the current folder"
    return f"correct the name, or install it for {sys.executable}; modules are looked for in {first} first"


def parameters(function: Callable[..., Any]) -> Iterator[tuple[str, str, Any]]:
    """The parameters of a function as `(name, how it is given, default)`; `*arguments` are left out.

    Raises:
        ValueError: a function in C that does not tell its parameters.
    """
    if type(function) is FunctionType and not function.__dict__:  # a plain one needs no `inspect`
        return _plain_parameters(function)
    return _signature(function)


def _plain_parameters(function: FunctionType) -> Iterator[tuple[str, str, Any]]:
    code = function.__code__
    first_default = code.co_argcount - len(function.__defaults__ or ())
    for index, name in enumerate(code.co_varnames[: code.co_argcount]):
        default = (function.__defaults__ or ())[index - first_default] if index >= first_default else REQUIRED
        yield name, BY_POSITION if index < code.co_posonlyargcount else BY_NAME, default
    for name in code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]:
        yield name, BY_NAME, (function.__kwdefaults__ or {}).get(name, REQUIRED)
    if code.co_flags & _TAKES_OTHERS:
        yield "", ALL_OTHERS, REQUIRED


def _signature(function: Callable[..., Any]) -> Iterator[tuple[str, str, Any]]:
    from inspect import Parameter, signature  # noqa: PLC0415  # costs as much as the whole rest of the worker

    ways = {
        Parameter.POSITIONAL_ONLY: BY_POSITION,
        Parameter.POSITIONAL_OR_KEYWORD: BY_NAME,
        Parameter.KEYWORD_ONLY: BY_NAME,
        Parameter.VAR_KEYWORD: ALL_OTHERS,
    }
    for parameter in signature(function).parameters.values():
        if parameter.kind in ways:
            default = REQUIRED if parameter.default is Parameter.empty else parameter.default
            yield parameter.name, ways[parameter.kind], default


def arguments(name: str, function: Callable[..., Any], document: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """Bind the parameters by name, from the document of `docs/script-agents.md`.

    A parameter is looked for among what describes the attempt (`task, inputs, parameters, upstream` or `tasks`,
    `prompt, attempt, run_id`), then among the inputs, the parameters of the run, and what earlier tasks passed on.
    `**keywords` get all inputs, parameters and outputs that no other parameter has.

    Args:
        name: How to call the function in an error.
        function: What is to be called.
        document: What is known.

    Raises:
        CannotCall: a parameter without default is not known, or two earlier tasks passed on its name.
    """
    try:
        wanted = list(parameters(function))
    except ValueError as error:
        raise CannotCall(f"cannot call {name}: it does not tell its parameters", "wrap it in a function") from error
    known = Known(document)
    positional: list[Any] = []
    named: dict[str, Any] = {}
    for parameter, way, default in wanted:
        if way == ALL_OTHERS:
            named.update(known.others({parameter for parameter, _, _ in wanted}))
            continue
        value = known.value(name, parameter, default)
        if way == BY_POSITION:
            positional.append(value)
        else:
            named[parameter] = value
    return positional, named


class Known:
    """What is known for parameters, by name."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        """Take the document apart; looking up copies nothing."""
        self._document = document
        self._given = {**document["parameters"], **document["inputs"]}
        self._passed: dict[str, dict[str, Any]] = {}
        for task_id, seen in document["upstream"].items():
            for key, value in seen.get("outputs", {}).items():
                self._passed.setdefault(key, {})[task_id] = value

    def value(self, function: str, name: str, default: Any) -> Any:  # noqa: ANN401  # an argument
        """The value of one parameter."""
        if name in ABOUT:
            return self._document[ABOUT[name]]
        if name in self._given:
            return self._given[name]
        passed = self._passed.get(name, {})
        if len(passed) == 1:
            return next(iter(passed.values()))
        if passed:
            raise CannotCall(
                f"cannot call {function}: its parameter {name} is ambiguous, for {' and '.join(passed)} passed it on",
                f"name the one that is meant among the task's inputs, such as "
                f"{name}: \"{{{{ tasks['{next(iter(passed))}'].outputs.{name} }}}}\"",
            )
        if default is REQUIRED:
            there = sorted({*self._given, *self._passed})[:MAX_NAMES_LISTED]
            raise CannotCall(
                f"cannot call {function}: nothing is known for its parameter {name}",
                f"add it to the task's inputs or give it a default; known are: {', '.join([*there, *ABOUT])}",
            )
        return default

    def others(self, taken: set[str]) -> dict[str, Any]:
        """What may be given by name and is not taken; what is ambiguous is nobody's."""
        passed = {name: next(iter(by.values())) for name, by in self._passed.items() if len(by) == 1}
        return {name: value for name, value in {**passed, **self._given}.items() if name not in {*taken, *ABOUT}}


def passed_on(value: Any) -> tuple[str | None, dict[str, Any]]:  # noqa: ANN401  # whatever was returned
    """What a function returned, as the task's output (None for none of its own) and outputs."""
    value = dumped(value)
    if value is None:
        return None, {}
    if isinstance(value, str):
        return value, {}
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return None, dict(value)
    return None, {"result": value}


def dumped(value: Any) -> Any:  # noqa: ANN401  # whatever was returned
    """A model of pydantic or a dataclass as a dictionary; everything else unchanged."""
    if isinstance(value, type):
        return value
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if hasattr(value, "__dataclass_fields__"):
        return {name: getattr(value, name) for name in value.__dataclass_fields__}
    return value


def json_bytes(value: Any, what: str) -> bytes:  # noqa: ANN401  # whatever was returned
    """A value as JSON on one line.

    Raises:
        NotJson: JSON cannot say it; the message begins with `what`.
    """
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_inner)
        return text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise NotJson(f"{what} is not JSON: {error}") from error


def _inner(value: Any) -> Any:  # noqa: ANN401  # whatever was returned
    found = dumped(value)
    if found is value:
        raise TypeError(f"{type(value).__name__} cannot be written as JSON")
    return found
