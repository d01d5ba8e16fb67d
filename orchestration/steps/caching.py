"""Results of steps that need not be computed again: by what a function is, and what it is given.

What a call is known by is its key (`orchestration.steps.keys`). A result that JSON cannot give back as it was is not
kept. A row is no proof: files that it promises are looked at again, and one that is gone or changed makes it a miss.
What is being computed just now is waited for, not done twice.
"""

import asyncio
import hashlib
import json
import math
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from orchestration.records import dataclass
from orchestration.shown import MAX_BITS, MAX_DEPTH
from orchestration.steps.values import NotKept, apart, refuse_tangled

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_BLOCK: Final = 1 << 20
_SCALARS: Final = frozenset({type(None), bool, int, float, str})


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

    def forget_unfinished(self) -> None:
        """Nobody computes anything any more: the loop in which it was done is closed."""
        self._computing = {}

    @asynccontextmanager
    async def alone(self, key: str) -> "AsyncIterator[None]":
        """Wait until nobody computes this key, and let nobody else compute it meanwhile."""
        while (other := self._computing.get(key)) is not None:
            await other.wait()
        mine = self._computing[key] = asyncio.Event()
        try:
            yield
        finally:
            if self._computing.get(key) is mine:
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
    """The files that patterns name, each with its digest; `**` at the end is for every file below, as in catalogs."""
    found = {str(path.relative_to(directory)): digest_of(path) for path in _matching(directory, patterns)}
    return {name: digest for name, digest in sorted(found.items()) if digest is not None}


def _matching(directory: Path, patterns: Sequence[str]) -> Iterator[Path]:
    ways = (pattern + "/*" * (Path(pattern).name == "**") for pattern in patterns)  # `**` alone: folders, before 3.13
    return (path for pattern in ways for path in directory.glob(pattern) if path.is_file())


def _is_json(value: Any) -> bool:  # noqa: ANN401  # any value
    """Whether JSON gives the value back as it is."""
    try:
        refuse_tangled(value)
    except NotKept:
        return False
    return _comes_back(value, 0)


def _comes_back(value: Any, depth: int) -> bool:  # noqa: ANN401  # any value
    kind = type(value)
    if kind is float:
        return math.isfinite(value)
    if kind is int:
        return bool(value.bit_length() <= MAX_BITS)
    if kind is list:
        return depth <= MAX_DEPTH and all(_comes_back(item, depth + 1) for item in value)
    if kind is dict:
        inside = depth <= MAX_DEPTH and all(type(key) is str for key in value)
        return inside and all(_comes_back(item, depth + 1) for item in value.values())
    return kind in _SCALARS
