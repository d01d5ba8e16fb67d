"""Ending a tree of processes: ask (TERM), wait, force (KILL), and look again until nobody is left.

Edges it survives:

- A signal never goes to a number that may have been used again. A process outside the leader's group is signalled
  through a pidfd that was opened before its identity was checked: if the pid changes hands after that, the signal
  reaches nobody. The group, which is signalled as one so that forking does not outrun the signal, is checked likewise.
- Whoever was asked is not asked twice: a second TERM means "at once" to many programs.
- A stopped process cannot hear TERM until it goes on, so CONT follows.
- Processes that are started while the tree is being ended are found by the next look; those that keep starting new ones
  are killed faster than the bound of rounds runs out, or are reported as survivors.
- Nobody sleeps longer than needed: the end of each process wakes us (by polling where there are no pidfds).
- It goes on when its task is cancelled, and gets in a hurry when told so.
"""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Iterable
from contextlib import suppress

from orchestration.process.steadfast import Steadfast
from orchestration.process.table import Entry, SharedTable, read_entry, read_table
from orchestration.process.tree import Tree
from orchestration.process.watching import Process

KILL_ROUNDS = 40  # looks that may each find somebody new to kill; a chain of forks is caught up with in two or three
DOUBTS = 8  # empty looks in a row that prove nothing; who goes from fork to fork is caught in one of two
KILL_PATIENCE = 5.0  # seconds for the killed of all rounds to be gone; who takes longer waits uninterruptibly
POLL_STEP = 0.03  # seconds between two looks where the system does not wake us


class Target:
    """One process to end, held in such a way that a signal reaches it or nobody."""

    __slots__ = ("descriptor", "entry")

    def __init__(self, entry: Entry) -> None:
        """Take hold of the process."""
        self.entry = entry
        self.descriptor = open_pidfd(entry.pid)

    def send(self, number: signal.Signals) -> None:
        """Send a signal, unless the process is gone or is not ours to signal."""
        if self.entry.born and self.is_gone():  # where births are unknown there is nothing to compare with
            return
        with suppress(ProcessLookupError, PermissionError):
            if sys.platform == "linux" and self.descriptor is not None:
                signal.pidfd_send_signal(self.descriptor, number)
            else:
                os.kill(self.entry.pid, number)

    def is_gone(self) -> bool:
        """Whether the process has ended."""
        now = read_entry(self.entry.pid)
        return now is None or now.dead or now.born != self.entry.born

    def close(self) -> None:
        """Let go of the process."""
        if self.descriptor is not None:
            os.close(self.descriptor)
            self.descriptor = None


def open_pidfd(pid: int) -> int | None:
    """A descriptor for the process; None where there are none, where too many are open, or when it is gone."""
    if sys.platform == "linux":
        with suppress(OSError):
            return os.pidfd_open(pid)
    return None


def has_ended(process: Process) -> bool:
    """Whether a child has ended, also when nobody has taken note of it yet."""
    if process.returncode is not None:
        return True
    if not hasattr(os, "waitid"):
        return False
    try:
        return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return True


def group_is_alive(tree: Tree) -> bool:
    """Whether anybody is in the leader's group; the cheap question, about a microsecond."""
    try:
        os.killpg(tree.leader, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return sys.platform == "linux"  # elsewhere this is also the answer for a group of nothing but zombies
    return _number_is_ours(tree)


def _number_is_ours(tree: Tree) -> bool:
    """Whether a group of the leader's number can only be ours.

    It is while the leader has not been reaped, and as long after that as the group has members: they keep its number
    from being given out. So if the leader is reaped and yet there is a process of that number, the number has come
    round and our group was empty.
    """
    if hasattr(os, "waitid"):
        with suppress(ChildProcessError):
            os.waitid(os.P_PID, tree.leader, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            return True
    elif not tree.leader_reaped:
        return True
    try:
        os.kill(tree.leader, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def tell(tree: Tree, targets: Iterable[Target], number: signal.Signals) -> None:
    """Send a signal to the group, if one of its members is among the targets, and to each target outside it."""
    group = False
    for target in targets:
        if target.entry.group == tree.leader:
            group = True
        else:
            target.send(number)
    if group and tree.leader and _number_is_ours(tree):  # number 0 would mean our own group
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(tree.leader, number)


def still_there(targets: Iterable[Target]) -> list[Target]:
    """Those of the targets that have not ended, in one look at the table."""
    living = {entry.pid: entry.born for entry in read_table() if not entry.dead}
    return [target for target in targets if living.get(target.entry.pid) == target.entry.born]


def reaches_leader(tree: Tree, targets: Iterable[Target]) -> bool:
    """Whether the leader is among the targets and still lives."""
    return any(target.entry.pid == tree.leader and not target.is_gone() for target in targets)


def kill_at_once(tree: Tree, table: Iterable[Entry]) -> bool:
    """Kill whom one look finds, without waiting for anything; returns whether the leader still lived."""
    targets = [Target(entry) for entry in tree.look(table)]
    reached = reaches_leader(tree, targets)
    tell(tree, targets, signal.SIGKILL)
    for target in targets:
        target.close()
    return reached


SUPERVISOR_PATIENCE = 2.0  # seconds for a supervisor to notice that nobody is left


class Ending:
    """The end of one tree, from the first TERM to the proof that it is empty."""

    __slots__ = (
        "_forcing",
        "_grace",
        "_hurried",
        "_leader_gone",
        "_request",
        "_steady",
        "_swept",
        "_table",
        "_tree",
        "_wake",
        "reached_leader",
        "survivors",
    )

    def __init__(
        self,
        tree: Tree,
        table: SharedTable,
        grace: float,
        steady: Steadfast,
        *,
        leader_gone: bool,
        request: signal.Signals = signal.SIGTERM,
    ) -> None:
        """Describe the ending.

        Args:
            tree: Whom to end.
            table: Where to look.
            grace: Seconds between the request to end and KILL.
            steady: How the task that ends them waits.
            leader_gone: The leader has ended, so whoever is still there is a leftover.
            request: The signal that asks for the end; few programs want another one than TERM.
        """
        self.survivors: tuple[int, ...] = ()
        self.reached_leader = False  # whether the leader lived when the first signal was sent
        self._tree = tree
        self._table = table
        self._grace = grace
        self._request = request
        self._leader_gone = leader_gone
        self._forcing = False
        self._hurried = False
        self._wake = asyncio.Event()
        self._swept: set[tuple[int, int]] = set()
        self._steady = steady

    @property
    def swept(self) -> int:
        """How many were seen alive after the leader's end."""
        return len(self._swept)

    def hurry(self) -> None:
        """Give up the rest of the grace; who is being killed already cannot be hurried."""
        if not self._forcing:
            self._hurried = True
            self._wake.set()

    async def end(self) -> None:
        """End the tree; afterwards `survivors` says who could not be proved dead."""
        members = await self._ask(await self._look())
        if members:
            members = await self._force(members)
        self.survivors = tuple(sorted(entry.pid for entry in members))

    async def _look(self) -> list[Entry]:
        members = self._tree.look(await self._table.read(self._steady))
        for _ in range(DOUBTS):
            if members or not self._tree.doubtful:
                break
            members = self._tree.look(await self._table.read(self._steady))
        if self._leader_gone or all(entry.pid != self._tree.leader for entry in members):
            self._leader_gone = True
            self._swept.update((entry.pid, entry.born) for entry in members)
        return members

    async def _ask(self, members: list[Entry]) -> list[Entry]:
        """Ask whoever there is, and whoever comes, until nobody is left or the grace is over; returns who is left."""
        deadline = time.monotonic() + self._grace
        while members and not self._hurried and (left := deadline - time.monotonic()) > 0:
            await self._signal(members, (self._request, signal.SIGCONT), left)
            members = await self._look()
        return members

    async def _force(self, members: list[Entry]) -> list[Entry]:
        """KILL whoever there is, and whoever comes; returns who is left when the bounds are reached."""
        self._forcing = True
        self._hurried = False
        deadline = time.monotonic() + KILL_PATIENCE
        if self._tree.supervised:
            members = await self._force_below(members, deadline)
        for _ in range(KILL_ROUNDS):
            if not members or time.monotonic() > deadline:
                break
            await self._signal(members, (signal.SIGKILL,), max(0.0, deadline - time.monotonic()))
            members = await self._look()
        return members

    async def _force_below(self, members: list[Entry], deadline: float) -> list[Entry]:
        """KILL what a supervisor watches, and let that one, to whom all orphans come, end by itself."""
        leader = self._tree.leader
        for _ in range(KILL_ROUNDS):
            others = [entry for entry in members if entry.pid != leader]
            if not members or time.monotonic() > deadline:
                break
            patience = max(0.0, deadline - time.monotonic())
            await self._signal(
                others or members, (signal.SIGKILL,) if others else (), min(patience, SUPERVISOR_PATIENCE)
            )
            members = await self._look()
            if not others:
                break
        return members

    async def _signal(self, members: list[Entry], numbers: tuple[signal.Signals, ...], seconds: float) -> None:
        """Signal the members, then wait until all are gone, the time is over, or there is a hurry."""
        targets = [Target(entry) for entry in members]
        try:
            self.reached_leader |= reaches_leader(self._tree, targets)
            for number in numbers:
                tell(self._tree, targets, number)
            await self._wait_until_gone(targets, time.monotonic() + seconds)
        finally:
            for target in targets:
                target.close()

    async def _wait_until_gone(self, targets: list[Target], deadline: float) -> None:
        loop = asyncio.get_running_loop()
        waiting = {target.descriptor for target in targets if target.descriptor is not None}

        def one_is_gone(descriptor: int) -> None:
            loop.remove_reader(descriptor)
            waiting.discard(descriptor)
            if not waiting:
                self._wake.set()

        unwatched = [target for target in targets if target.descriptor is None]
        for descriptor in tuple(waiting):
            loop.add_reader(descriptor, one_is_gone, descriptor)
        try:
            while (waiting or unwatched) and not self._hurried and (left := deadline - time.monotonic()) > 0:
                self._wake.clear()
                await self._steady.wait_for(self._wake, min(left, POLL_STEP) if unwatched else left)
                unwatched = still_there(unwatched) if unwatched else []
        finally:
            for descriptor in waiting:
                loop.remove_reader(descriptor)
