"""The versions of the state file: what a new one gets, and how an older one becomes the present one.

`schema.sql` makes a new file; `migrations/NNNN_*.sql` leads from version N - 1 to N, each in a transaction of its own
together with the new number, so that a crash leaves a file of one version or the other.
"""

import sqlite3
from functools import cache
from pathlib import Path
from typing import Final

from orchestration.records import dataclass

APPLICATION_ID: Final = 0x6F726368
"""`orch` in ASCII: marks a file as ours in its header."""


@dataclass(frozen=True, slots=True)
class Schema:
    """The present tables (`create`) and the steps to them: `steps[n]` leads from version n to n + 1."""

    create: str
    steps: tuple[str, ...]

    @property
    def version(self) -> int:
        """The number of the present version."""
        return len(self.steps)


@cache
def load_schema(folder: Path = Path(__file__).parent) -> Schema:
    """Read the SQL files of a folder.

    Raises:
        ValueError: the migrations are not numbered 1, 2, 3 …
    """
    files = sorted((folder / "migrations").glob("[0-9]*_*.sql"))
    numbers = [int(file.name.partition("_")[0]) for file in files]
    if numbers != list(range(1, len(files) + 1)):
        raise ValueError(f"{folder}: the migrations are numbered {numbers}")
    return Schema(
        create=(folder / "schema.sql").read_text(encoding="utf-8"),
        steps=tuple(file.read_text(encoding="utf-8") for file in files),
    )


def build(connection: sqlite3.Connection, schema: Schema, found: int) -> None:
    """Bring a file of version `found` (0: an empty one) to the present version; the caller holds the write lock."""
    if found == 0:
        _run(connection, schema.create, schema.version)
    else:
        for number, step in enumerate(schema.steps[found:], found + 1):
            _run(connection, step, number)


def _run(connection: sqlite3.Connection, script: str, version: int) -> None:
    marks = f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {version};"
    try:
        connection.executescript(f"BEGIN IMMEDIATE;\n{script}\n{marks}\nCOMMIT;")
    except sqlite3.Error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
