"""The parameters of a run, read once where it begins: what is given, over variables, over a file.

A file (`.yaml`, `.yml`, `.json`) keeps its types. A variable `ORCH_PRM_name` is text where a step asks for text under
that name, and otherwise JSON where it is JSON, else text; `ORCH_PRM_config__lr` sets `lr` inside of `config`, and
leaves the rest of it as the file has it. What is given by the caller stays as it is, whole: text stays text. Edges
survived: a name that has `__` in itself and is asked for, a number that JSON would write in another way (it is text),
variables that contradict each other (the deeper one counts), a model, a dataclass or a dictionary around a value.
"""

import json
import types
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Final, Literal, Union, get_args, get_origin, get_type_hints

from orchestration.errors import InvalidProject, UsageError
from orchestration.steps.binding import MISSING
from orchestration.steps.functions import FunctionLeaf
from orchestration.steps.unit import Unit

PREFIX: Final = "ORCH_PRM_"
DEEPER: Final = "__"
"""What stands between the names of a variable that leads into a value."""


def read(
    given: Mapping[str, Any] | None = None,
    *,
    file: str | Path | None = None,
    environment: Mapping[str, str] | None = None,
    asked: Mapping[str, list[Any]] | None = None,
) -> dict[str, Any]:
    """All parameters of a run.

    Args:
        given: what the caller gives.
        file: a YAML or JSON file whose top is a dictionary.
        environment: variables, of which those that begin with `ORCH_PRM_` are looked at; none by default.
        asked: the types that functions ask for, by name; see `asked_by`.

    Raises:
        UsageError: a file cannot be used, or a variable does not fit what it is to be put into.
    """
    values = {} if file is None else read_file(file)
    for name, path, text in _variables(environment or {}, asked or {}):
        value = value_for(text, _types_at((asked or {}).get(path[0], []), path[1:]), f"the variable {name}")
        _put(values, path, value, name)
    return {**values, **(given or {})}


# -- a file -------------------------------------------------------------------------------------------------------


def read_file(file: str | Path) -> dict[str, Any]:
    """The parameters in a YAML or JSON file.

    Raises:
        UsageError: there is no such file, it is neither, or its top is no dictionary of names.
    """
    from orchestration.loading.findings import Refused  # noqa: PLC0415  # only who has a file pays
    from orchestration.loading.reading import read_text  # noqa: PLC0415  # likewise

    path = Path(file)
    try:
        text = read_text(str(path), str(path))
    except Refused as refused:
        message, hint = refused.finding.message, refused.finding.hint
        if not path.exists() and not path.is_symlink():
            message, hint = "does not exist", "name one that is there"
        raise UsageError(f"the parameters file {path} cannot be read: it {message}", hint=hint) from refused
    try:
        found = _from_json(text) if path.suffix.lower() == ".json" else _from_yaml(text)
    except _Unreadable as error:
        raise InvalidProject(str(error), file=path, line=error.line) from error
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise UsageError(f"the parameters file {path} holds no names and values")
    for name in found:
        if not isinstance(name, str) or not name.isidentifier():
            raise UsageError(f"{path}: {name!r:.80} cannot be the name of a parameter")
    return found


class _Twice(ValueError):
    """A key stands twice in one object, of which only one value could count."""

    def __init__(self, key: str) -> None:
        super().__init__(f"the key {key[:80]!r} stands twice in one object")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise _Twice(key)
        found[key] = value
    return found


class _Unreadable(Exception):
    def __init__(self, message: str, line: int | None) -> None:
        super().__init__(message)
        self.line = line


def _from_json(text: str) -> Any:  # noqa: ANN401  # any JSON
    try:
        return json.loads(text, object_pairs_hook=_unique) if text.strip() else None
    except json.JSONDecodeError as error:
        raise _Unreadable(f"is no JSON: {error.msg}", error.lineno) from error
    except _Twice as twice:
        raise _Unreadable(str(twice), None) from twice
    except (ValueError, RecursionError) as error:
        raise _Unreadable(f"is no JSON that can be read: {error}", None) from error


def _from_yaml(text: str) -> Any:  # noqa: ANN401  # any plain value
    from orchestration.loading.scalars import numbers_in  # noqa: PLC0415  # see above
    from orchestration.loading.yamlerrors import NotYaml  # noqa: PLC0415  # see above
    from orchestration.loading.yamltext import parse  # noqa: PLC0415  # see above

    try:
        return numbers_in(parse(text).value)
    except NotYaml as error:
        raise _Unreadable(error.message, error.line) from error


# -- variables ----------------------------------------------------------------------------------------------------


def _variables(
    environment: Mapping[str, str], asked: Mapping[str, list[Any]]
) -> Iterable[tuple[str, tuple[str, ...], str]]:
    """Each variable with the way that it names; those that lead deeper after those that do not."""
    found = [(name, _way(name, asked), text) for name, text in environment.items() if name.startswith(PREFIX)]
    return sorted(found, key=lambda one: (len(one[1]), one[0]))


def _way(variable: str, asked: Mapping[str, list[Any]]) -> tuple[str, ...]:
    name = variable.removeprefix(PREFIX)
    way = (name,) if name in asked else tuple(name.split(DEEPER))
    if not all(way) or not way[0].isidentifier():
        hint = f"{PREFIX}name, or {PREFIX}name{DEEPER}key for what is inside of it"
        raise UsageError(f"the variable {variable:.120} does not name a parameter", hint=hint)
    return way


def _put(values: dict[str, Any], way: tuple[str, ...], value: Any, variable: str) -> None:  # noqa: ANN401  # any JSON
    *outer, last = way
    inside: Any = values
    for key in outer:
        if key not in inside:
            inside[key] = {}
        inside = inside[key]
        if not isinstance(inside, dict):
            raise UsageError(f"{variable} leads into {key}, which is {inside!r:.60} and no dictionary")
    inside[last] = value


def value_for(text: str, wanted: Sequence[Any], where: str) -> Any:  # noqa: ANN401  # any JSON
    """The value of a variable or an option, `where` for errors; `wanted` are the types of those who ask for it.

    Raises:
        UsageError: it is an object in which a key stands twice.
    """
    try:
        return text if wanted and all(_is_text(one) for one in wanted) else value_of(text)
    except _Twice as twice:
        raise UsageError(f"{where}: {twice}", hint="remove one of them") from twice


def value_of(text: str) -> Any:  # noqa: ANN401  # any JSON
    """The value that a text stands for: JSON, or else the text that it is.

    A number that JSON would write in another way (`007`, `1.50`, `1e3`) is text too, which becomes a number for a
    function that asks for one. Raises ValueError where a key stands twice in one object.
    """
    try:
        found = json.loads(text, parse_constant=_refuse, object_pairs_hook=_unique)
    except _Twice:
        raise
    except (ValueError, RecursionError):
        return text
    is_number = isinstance(found, int | float) and not isinstance(found, bool)
    return text if is_number and json.dumps(found) != text.strip() else found


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


# -- what functions ask for ---------------------------------------------------------------------------------------


def asked_by(root: Unit) -> dict[str, list[Any]]:
    """The types that the functions of steps ask for, by the name of the parameter."""
    found: dict[str, list[Any]] = {}
    for name, wanted in _asked(root):
        found.setdefault(name, [])
        if wanted is not MISSING:
            found[name].append(wanted)
    return found


def _asked(unit: Unit) -> Iterator[tuple[str, Any]]:
    """The names that are asked for inside of a composite, each with a type; in a flow they may be given by others."""
    given_as = getattr(unit.work, "given_as", None)
    for part, inner in unit.composite.units.items():
        for name, wanted in _asked(inner) if inner.is_composite else _asked_by_function(inner):
            outer = name if given_as is None else given_as(part, name)
            if outer is not None:
                yield outer, wanted


def _asked_by_function(unit: Unit) -> Iterator[tuple[str, Any]]:
    if isinstance(unit.work, FunctionLeaf):
        yield from ((one.name, one.type) for one in unit.work.signature.parameters)


def _is_text(wanted: Any) -> bool:  # noqa: ANN401  # any annotation
    """Whether a type is one of texts, so that nothing else can be meant."""
    wanted = _meant(wanted)
    origin = get_origin(wanted)
    if origin in {Union, types.UnionType}:
        return all(one is type(None) or _is_text(one) for one in get_args(wanted))
    if origin is Literal:
        return all(isinstance(one, str) for one in get_args(wanted))
    if hasattr(wanted, "__metadata__"):  # Annotated
        return _is_text(get_args(wanted)[0])
    if not isinstance(wanted, type):
        return False
    if issubclass(wanted, Enum):
        return all(isinstance(one.value, str) for one in wanted)
    return issubclass(wanted, str | bytes | Path) or wanted.__name__ in {"SecretStr", "SecretBytes"}


def _meant(wanted: Any) -> Any:  # noqa: ANN401  # any annotation
    """What an alias stands for (`type Name = …`, since Python 3.12); any other annotation stands for itself."""
    try:
        while hasattr(wanted, "__value__"):
            wanted = wanted.__value__
    except Exception:  # noqa: BLE001  # a name that is known to type checkers only
        return Any
    return wanted


def _types_at(wanted: list[Any], way: tuple[str, ...]) -> list[Any]:
    """The types that are asked for inside of values of these types."""
    for key in way:
        wanted = [
            found for one in wanted for outer in _alternatives(one) if (found := _inside(outer, key)) is not MISSING
        ]
    return wanted


def _alternatives(wanted: Any) -> Iterator[Any]:  # noqa: ANN401  # any annotation
    wanted = _meant(wanted)
    if get_origin(wanted) in {Union, types.UnionType}:
        for one in get_args(wanted):
            yield from _alternatives(one)
    elif hasattr(wanted, "__metadata__"):
        yield from _alternatives(get_args(wanted)[0])
    else:
        yield wanted


def _inside(wanted: Any, key: str) -> Any:  # noqa: ANN401  # any annotation; MISSING where nothing is known
    fields = getattr(wanted, "model_fields", None)
    if isinstance(fields, Mapping):
        return fields[key].annotation if key in fields else MISSING
    if is_dataclass(wanted) or hasattr(wanted, "__total__"):  # a dataclass, a typed dictionary
        return _hints(wanted).get(key, MISSING)
    values = get_args(wanted)
    is_mapping = isinstance(get_origin(wanted), type) and issubclass(get_origin(wanted), Mapping)
    return values[1] if is_mapping and len(values) == len(("key", "value")) else MISSING


def _hints(wanted: Callable[..., Any] | type) -> Mapping[str, Any]:
    try:
        return get_type_hints(wanted)
    except Exception:  # noqa: BLE001  # a name that is known to type checkers only
        return {}
