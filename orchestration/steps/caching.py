"""Results of steps that need not be computed again: by what a function is, and what it is given.

The key is a digest of the function's code (its own: not that of what it calls), of its name, its version, what it
returns and makes, and of its arguments. What cannot be written down exactly has no key, and is computed each time: so
is the method of an object that is no record. A result that JSON cannot give back as it was is not kept. What a function
holds on to and could change meanwhile (a list around it, an object) is no part of the key. A row is no proof: files
that it promises are looked at again, and one that is gone or changed makes it a miss. What is being computed just now
is waited for, not done twice.
"""

import asyncio
import hashlib
import json
import math
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import field, fields, is_dataclass
from functools import partial
from pathlib import Path
from types import CellType, CodeType, FunctionType, MethodType
from typing import TYPE_CHECKING, Any, Final, Protocol

from orchestration.calls import name_of
from orchestration.records import dataclass
from orchestration.steps.values import NotKept, apart, as_json

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_BLOCK: Final = 1 << 20
_SCALARS: Final = frozenset({type(None), bool, int, float, str})
_FIXED: Final = (type(None), bool, int, float, str, bytes, tuple, frozenset)


@dataclass(frozen=True, slots=True)
class Row:
    """What a step came to: its outputs and output, and the files that it made, each with its digest."""

    outputs: Mapping[str, Any]
    output: str = ""
    files: Mapping[str, str] = field(default_factory=dict)


class Rows(Protocol):
    """Keeps rows."""

    def get(self, key: str) -> Row | None:
        """The row of a key, None where there is none that can be read."""
        ...

    def put(self, key: str, row: Row) -> None:
        """Keep a row, over an earlier one."""
        ...


class MemoryRows:
    """Rows that live as long as this object."""

    def __init__(self) -> None:
        """None yet."""
        self._rows: dict[str, Row] = {}

    def get(self, key: str) -> Row | None:
        """See `Rows`."""
        return self._rows.get(key)

    def put(self, key: str, row: Row) -> None:
        """See `Rows`."""
        self._rows[key] = row


class FolderRows:
    """Rows as JSON files of a folder, each written whole or not at all; several processes may share it."""

    def __init__(self, folder: str | Path) -> None:
        """The folder is made when there is something to keep."""
        self._folder = Path(folder)

    def get(self, key: str) -> Row | None:
        """See `Rows`."""
        try:
            data = json.loads((self._folder / f"{key}.json").read_text(encoding="utf-8"))
            return Row(dict(data["outputs"]), str(data["output"]), dict(data["files"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def put(self, key: str, row: Row) -> None:
        """See `Rows`; a row that cannot be written is not kept."""
        text = json.dumps({"outputs": row.outputs, "output": row.output, "files": row.files})
        with suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            half = self._folder / f".{key}.{secrets.token_hex(4)}"
            try:
                half.write_text(text, encoding="utf-8")
                half.replace(self._folder / f"{key}.json")
            finally:
                half.unlink(missing_ok=True)


class Cache:
    """Rows, and what is being computed just now.

    Args:
        rows: where rows are kept; in memory by default.
    """

    def __init__(self, rows: Rows | None = None) -> None:
        """Nothing is computed yet."""
        self._rows = rows or MemoryRows()
        self._computing: dict[str, asyncio.Event] = {}

    def row(self, key: str, directory: Path) -> Row | None:
        """The row of a key, if all of its files are what they were."""
        row = self._rows.get(key)
        if row is None or any(digest_of(directory / name) != digest for name, digest in row.files.items()):
            return None
        return row

    def keep(self, key: str, row: Row) -> None:
        """Keep a row; one that JSON would give back as something else is not kept."""
        outputs = dict(row.outputs)
        if _is_json(outputs):
            self._rows.put(key, Row(apart(outputs), row.output, row.files))

    @asynccontextmanager
    async def alone(self, key: str) -> "AsyncIterator[None]":
        """Wait until nobody computes this key, and let nobody else compute it meanwhile."""
        while (other := self._computing.get(key)) is not None:
            await other.wait()
        mine = self._computing[key] = asyncio.Event()
        try:
            yield
        finally:
            del self._computing[key]
            mine.set()


def digest_of(path: Path) -> str | None:
    """The digest of a file's content, None where there is no such file."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
    except OSError:
        return None
    return digest.hexdigest()


def files_of(directory: Path, patterns: Sequence[str]) -> dict[str, str]:
    """The files that patterns name, each with its digest."""
    found = {str(path.relative_to(directory)): digest_of(path) for path in _matching(directory, patterns)}
    return {name: digest for name, digest in sorted(found.items()) if digest is not None}


def _matching(directory: Path, patterns: Sequence[str]) -> Iterator[Path]:
    return (path for pattern in patterns for path in directory.glob(pattern) if path.is_file())


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
        facts = [name_of(function), exactly(said), *_code_of(function), exactly([*positional]), exactly(dict(named))]
        text = json.dumps(facts, sort_keys=True, allow_nan=False)
    except (NotKept, ValueError, TypeError, RecursionError):
        return None
    return hashlib.sha256(text.encode()).hexdigest()


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
    return f"{owner.__module__}.{owner.__qualname__}" if isinstance(owner, type) else exactly(owner)


def _held(cell: CellType, around: tuple[object, ...]) -> Any:  # noqa: ANN401  # whatever can be written down of it
    """What a function holds on to, where it is one that never changes."""
    try:
        value = cell.cell_contents
    except ValueError:  # it has no value yet
        return None
    if isinstance(value, FunctionType | MethodType | partial):
        return [*_code_of(value, around)]
    return exactly(value) if isinstance(value, _FIXED) else None


def exactly(value: Any) -> Any:  # noqa: ANN401  # any value
    """The value as JSON that no other value has.

    Raises:
        NotKept: there is none.
    """
    kind = type(value)
    if kind in _SCALARS:
        return value
    if kind is list:
        return [exactly(item) for item in value]
    if kind is dict and all(type(key) is str for key in value):
        return {key: exactly(item) for key, item in value.items()}
    return [[f".{kind.__module__}.{kind.__qualname__}"], _contents(value)]


def _contents(value: Any) -> Any:  # noqa: ANN401  # any value
    """What is in a value of a type for which JSON has no word."""
    if type(value) is dict:
        return [[exactly(key), exactly(item)] for key, item in value.items()]
    if type(value) is tuple:
        return [exactly(item) for item in value]
    if type(value) in {set, frozenset}:
        return sorted(json.dumps(exactly(item), sort_keys=True) for item in value)
    if is_dataclass(value):
        return {one.name: exactly(getattr(value, one.name)) for one in fields(value)}
    return as_json(value)


def _is_json(value: Any) -> bool:  # noqa: ANN401  # any value
    """Whether JSON gives the value back as it is."""
    kind = type(value)
    if kind is float:
        return math.isfinite(value)
    if kind is list:
        return all(map(_is_json, value))
    if kind is dict:
        return all(type(key) is str and _is_json(item) for key, item in value.items())
    return kind in _SCALARS


def _facts_of(code: CodeType) -> list[Any]:
    inner = [_facts_of(one) if isinstance(one, CodeType) else _constant(one) for one in code.co_consts]
    return [code.co_code.hex(), inner, list(code.co_names), list(code.co_varnames)]


def _constant(value: Any) -> str:  # noqa: ANN401  # what stands in code
    """A constant as text; that of a set is in an order of its own in each process."""
    if isinstance(value, tuple):
        return repr([*map(_constant, value)])
    return repr(sorted(map(_constant, value))) if isinstance(value, frozenset) else repr(value)
