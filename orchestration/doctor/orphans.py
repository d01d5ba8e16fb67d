"""Processes that carry the marker of a run that nobody owns, or bear its brand, and their end.

A marker is `run/task/n` in the environment. It is taken for one of this project if the project knows the run; and if
the process was given a file for its outputs, that has to lie in this project's state folder. What such a process has
started belongs to it. Left alone are this process and those above it: `orch doctor` may be asked for by an orphan.

They are ended as any tree is (`process.ending` says what that survives), with looks of our own.
"""

import os
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Final

from orchestration.process.brand import WIDTH, mark_of, read_brand, run_brand
from orchestration.process.ending import Ending
from orchestration.process.steadfast import Steadfast
from orchestration.process.table import HAS_PROC, Entry, SharedTable, environment_of, read_table
from orchestration.process.tree import Tree, members

MARKER: Final = b"ORCH_ATTEMPT_ID="
OUTPUT: Final = b"ORCH_OUTPUT="
GRACE: Final = 2.0
"""Seconds between TERM and KILL."""

CAN_BE_SEEN: Final = HAS_PROC
"""Whether other processes' environments can be read here."""


def find_orphans(folder: Path, runs: Collection[str], table: Sequence[Entry] | None = None) -> dict[str, list[Entry]]:
    """Run → the living processes of these runs, with all that they have started.

    Args:
        folder: the state folder.
        runs: the runs that nobody owns.
        table: the processes there are; by default, whoever there is now.
    """
    table = read_table() if table is None else table
    ours = _us_and_above(table)
    roots: defaultdict[str, set[int]] = defaultdict(set)
    mark = mark_of(folder / "runs")
    brands = {run_brand(f"{run}{marked}/"): run for run in runs for marked in ("", mark)}
    for entry in table:
        if not entry.dead and entry.pid not in ours:
            environment = environment_of(entry.pid)
            run = run_of(environment, folder)
            if not run and MARKER not in environment:
                run = brands.get(read_brand(entry.pid) >> WIDTH, "")
            if run in runs:
                roots[run].add(entry.pid)
    return {
        run: [entry for entry in members(table, pids, pids) if not entry.dead and entry.pid not in ours]
        for run, pids in sorted(roots.items())
    }


def run_of(environment: bytes, folder: Path) -> str:
    """The run that an environment's marker names, empty where it has none or is of another project."""
    variables = environment.split(b"\0")
    marker = next((one.removeprefix(MARKER) for one in variables if one.startswith(MARKER)), b"")
    output = next((one.removeprefix(OUTPUT) for one in variables if one.startswith(OUTPUT)), b"")
    if output and not Path(os.fsdecode(output)).resolve().is_relative_to(folder.resolve()):
        return ""
    return os.fsdecode(marker.partition(b"/")[0].partition(b"@")[0])


class Orphans(Tree):
    """What is left of one run; there is no leader."""

    __slots__ = ("_folder", "_run")

    def __init__(self, folder: Path, run: str) -> None:
        """Describe it; this looks at nothing."""
        super().__init__(0, 0)
        self._folder = folder
        self._run = run

    def look(self, table: Iterable[Entry]) -> list[Entry]:
        """Every living process of it that is in the table."""
        return find_orphans(self._folder, [self._run], list(table)).get(self._run, [])


async def end_orphans(folder: Path, run: str) -> tuple[int, tuple[int, ...]]:
    """End what is left of a run, whose owner lock the caller holds; a cancellation is raised afterwards.

    Returns:
        How many were found, and the pids of those that could not be proved dead.
    """
    steady = Steadfast()
    ending = Ending(Orphans(folder, run), SharedTable(), GRACE, steady, leader_gone=True)
    await ending.end()
    if steady.cancellation is not None:
        raise steady.cancellation
    return ending.swept, ending.survivors


def _us_and_above(table: Iterable[Entry]) -> set[int]:
    parents = {entry.pid: entry.parent for entry in table}
    above: set[int] = set()
    pid = os.getpid()
    while pid and pid not in above:
        above.add(pid)
        pid = parents.get(pid, 0)
    return above
