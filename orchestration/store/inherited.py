"""Connections that a forked child has from its parent.

SQLite takes its locks once for a process, and believes in the child that it has those which only the parent has. As
long as an inherited connection is there, the child's own ones to that file go without locks, and what they write is
lost when the parent closes the file. So an inherited one is closed first of all, which leaves the parent's locks alone.
One that was in the middle of something cannot be closed, as that would undo it for the parent, too; then the file
cannot be used in this child.
"""

import sqlite3
from pathlib import Path
from typing import Final

from orchestration.errors import StoreError

_LEFT: Final[list[tuple[Path, sqlite3.Connection]]] = []


def leave(path: Path, connection: sqlite3.Connection | None, *, was_at_rest: bool) -> None:
    """Let go of what the parent has open, in a child that was just forked.

    Args:
        path: of the file.
        connection: what the child has a copy of.
        was_at_rest: whether the parent was in the middle of nothing.
    """
    if connection is None:
        return
    if was_at_rest:
        connection.close()
    else:
        _LEFT.append((path, connection))


def refuse_left(path: Path) -> None:
    """Refuse to open a file of which this process has a connection that it can neither use nor close.

    Raises:
        StoreError: it has.
    """
    if any(path == left for left, _ in _LEFT):
        raise StoreError(
            "this process was forked while its parent was busy with the state, and cannot use it",
            hint="start processes anew (multiprocessing: 'spawn' or 'forkserver'), or fork before the state is used",
            file=path,
        )
