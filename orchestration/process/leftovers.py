"""What is left running of a run: by an earlier life of it, or by functions that were called in this very process.

The former is found by the run's marker or brand and ended before anything new starts, the latter by descent from us,
and ended when nothing more is called: a function in a thread cannot be ended, but what it has started can.

A process is known by its marker and its time of birth, never by its number alone. How old it may be is not asked: no
other run has the marker, and a wall clock that was set since the run began would say anything. Edges survived: children
of marked ones that carry no marker themselves, supervisors, which end what they watch and then themselves (so they are
asked only when nobody else is left), and a command that is itself part of what was left: it would end itself, so that
is refused.
"""

import os
from collections.abc import Callable, Iterable
from typing import Final

from orchestration.errors import WrongState
from orchestration.process.brand import WIDTH, read_brand, run_brand
from orchestration.process.children import LiveChildren
from orchestration.process.command import DEFAULT_KILL_GRACE
from orchestration.process.ending import Ending
from orchestration.process.steadfast import Steadfast
from orchestration.process.table import HAS_PROC, Entry, environment_of, read_whole
from orchestration.process.tree import Tree, members, reap

SUPERVISOR: Final = b"supervisor/__main__.py"


async def end_leftovers(
    children: LiveChildren, name: str, beginning: str, *, grace: float = DEFAULT_KILL_GRACE
) -> tuple[int, tuple[int, ...]]:
    """End whatever carries a marker, and all that descends from it; a cancellation is raised afterwards.

    Args:
        children: the book that knows how much of a hurry there is.
        name: the variable that is the marker.
        beginning: how its value begins, such as `<run>/`.
        grace: seconds between the request to end and the end by force.

    Returns:
        How many were found, and the pids of those that no signal has ended. Off Linux nobody is found.

    Raises:
        WrongState: we carry the marker or the brand ourselves.
    """
    if not HAS_PROC:
        return 0, ()
    tree = Leftovers(name, beginning)
    steady = Steadfast()
    ending = Ending(tree, children.table, 0.0 if children.is_hasty else grace, steady, leader_gone=True)
    await ending.end()
    if steady.cancellation is not None:
        raise steady.cancellation
    return ending.swept, ending.survivors


async def end_descendants(children: LiveChildren, *, grace: float = DEFAULT_KILL_GRACE) -> int:
    """End all that descends from this process; a cancellation is raised afterwards.

    For a program whose only business is its run, and only when all that `run_process` has started has ended. Where no
    orphans come to us, those whose parents have ended are missed.

    Args:
        children: the book that knows how much of a hurry there is, and who the warden is, which is spared.
        grace: seconds between the request to end and the end by force.

    Returns:
        How many were found.
    """
    steady = Steadfast()
    tree = Descendants(children.is_warden)
    ending = Ending(tree, children.table, 0.0 if children.is_hasty else grace, steady, leader_gone=True)
    await ending.end()
    if steady.cancellation is not None:
        raise steady.cancellation
    return ending.swept


class Descendants(Tree):
    """All that descends from us; there is no leader, and our own session is not spared."""

    __slots__ = ("_spared",)

    def __init__(self, spared: Callable[[int], bool]) -> None:
        """Describe it; `spared` says of a child of ours, by its pid, whether it stays."""
        super().__init__(0, 0)
        self._spared = spared

    def look(self, table: Iterable[Entry]) -> list[Entry]:
        """Every living one; the dead among our children are reaped."""
        us, table = os.getpid(), list(table)
        roots = {entry.pid for entry in table if entry.parent == us and not self._spared(entry.pid)}
        for entry in table:
            if entry.dead and entry.pid in roots:
                reap(entry.pid)
        return [entry for entry in members(table, roots, set()) if not entry.dead]


class Leftovers(Tree):
    """All that carries a marker which begins so; there is no leader."""

    __slots__ = ("_beginning",)

    spares_our_session = False  # functions that ran in `orch` start what they start in its session, perhaps ours

    def __init__(self, name: str, beginning: str) -> None:
        """Describe it; this looks only at ourselves.

        Raises:
            WrongState: we are one of them.
        """
        super().__init__(0, 0, (name, beginning))
        self._item = os.fsencode(f"\0{name}={beginning}")  # without an end, as it is the beginning of many
        self._beginning = beginning
        if self.is_marked(environment_of(os.getpid())) or self.is_branded(os.getpid()):
            raise _part_of_it(beginning)

    def is_branded(self, pid: int) -> bool:
        """Whether a process bears the brand of the run."""
        return read_brand(pid) >> WIDTH == run_brand(self._beginning)

    def look(self, table: Iterable[Entry]) -> list[Entry]:
        """Every living process of it; supervisors only when they are the last."""
        found = super().look(table)
        if os.getppid() in {entry.pid for entry in found}:
            raise _part_of_it(self._beginning)
        others = [entry for entry in found if not _is_supervisor(entry.pid)]
        return others or found


def _part_of_it(beginning: str) -> WrongState:
    run = beginning.rstrip("/")
    return WrongState(
        f"this command was started by what run {run} left running, which has to end first",
        hint="give the command in another terminal",
    )


def _is_supervisor(pid: int) -> bool:
    try:
        return any(word.endswith(SUPERVISOR) for word in read_whole(f"/proc/{pid}/cmdline").split(b"\0")[:6])
    except OSError:
        return False
