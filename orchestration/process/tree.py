"""Finding all processes of one tree, also those that want not to be found.

A tree is what its leader started, directly or not. The leader has its own session. The ties by which a descendant is
found, each of which it can break:

- by parent: broken when a parent ends before its child, which then hangs below init or below a subreaper;
- by session: broken by `setsid`; but the new session bears the pid of the one who made it, and every member of it
  descends from that one, so a daemon that forked twice is found if its middle process was ever seen;
- by marker in the environment: broken by a program that scrubs its environment;
- by brand (`brand`): broken by a program that sets a limit which limits nothing, which none does by accident;
- by one of our pipes still held: broken by closing or redirecting it. Looked at only when a pipe stays open after the
  leader's end.

What must not happen is to find somebody else's process:

- Nothing born before the leader belongs to it. This alone rules out the terminal multiplexer or database server of the
  user that was handed one of our pipes or carries our environment.
- A pid that was used again has another time of birth. A number cannot be given out while it names a session that has
  members, so if a process with the number of our ended leader exists, then it is a stranger and our session is empty.
- A process in our own session is never ours to end: whatever we run has left it.
- A child that another thread is starting holds our pipes for the moment between its fork and its program. So a child of
  this very process that still looks like us (same command line) is never taken for a holder.

A look is one pass over the table and shows the past: whoever ends a tree looks until a look is empty. And if somebody
ended during it before he could be asked whose he was, he may have left another, so that an empty look proves nothing.
"""

import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from typing import ClassVar

from orchestration.process.brand import brand_of, read_brand
from orchestration.process.table import Entry, environment_of, has_our_command_line, holds_any, read_entry

BORN_UNKNOWN = -1


class Tree:
    """The tree of one leader, and who was ever seen in it."""

    __slots__ = ("_born", "_item", "_marker", "_seen", "doubtful", "leader", "leader_reaped", "pipes", "supervised")

    spares_our_session: ClassVar[bool] = True
    """What is started here has a session of its own; who is in ours is only on the way there, or somebody else's."""

    def __init__(
        self, leader: int, born: int, marker: tuple[str, str] | None = None, *, supervised: bool = False
    ) -> None:
        """Describe a tree; this looks at nothing.

        Args:
            leader: The pid that leads the session of the tree; 0 when it is not known.
            born: Ticks since boot just before the leader was started.
            marker: Name and value of the variable that the whole tree carries.
            supervised: Whether the leader is a supervisor: whoever is orphaned below it comes to it, and it ends last.
        """
        self.supervised = supervised
        self.leader = leader
        self.pipes: frozenset[str] = frozenset()
        self._born = born
        self._marker = marker
        self._item: bytes | None = None  # the marker as environments show it; made when the first one is looked at
        self._seen: dict[int, int] = {leader: BORN_UNKNOWN} if leader else {}  # pid → born
        self.doubtful = False  # whether somebody ended in the last look before he could be asked whose he was
        self.leader_reaped = False  # if so, a process with the leader's pid is another one

    def knows(self, entry: Entry) -> bool:
        """Whether a process is or was one of this tree, as far as earlier looks and its session tell."""
        return self._seen.get(entry.pid) == entry.born or entry.session == self.leader

    def is_marked(self, environment: bytes) -> bool:
        """Whether an environment, as Linux tells it, carries the marker of this tree."""
        if self._marker is None or not environment:
            return False
        if self._item is None:
            self._item = os.fsencode(f"\0{self._marker[0]}={self._marker[1]}\0")
        return environment.startswith(self._item[1:]) or self._item in environment

    def is_branded(self, pid: int) -> bool:
        """Whether a process bears the brand of this tree."""
        return self._marker is not None and read_brand(pid) == brand_of(self._marker[1])

    def look(self, table: Iterable[Entry]) -> list[Entry]:
        """Every living process of the tree that is in the table, the leader among them; adopted dead are reaped."""
        us = os.getpid()
        self.doubtful = False
        table = [entry for entry in table if entry.pid != us and entry.born >= self._born]
        strangers = {entry.pid for entry in table if self._is_stranger(entry)}
        found = members(table, self._roots(table, strangers), self._seen.keys() - strangers)
        for entry in found:
            self._seen[entry.pid] = entry.born
            if entry.dead and entry.parent == us and self.leader not in {0, entry.pid}:
                reap(entry.pid)  # never the leader, whose end asyncio takes note of
        return [entry for entry in found if not entry.dead]

    def _is_stranger(self, entry: Entry) -> bool:
        """Whether the entry has the pid of one of ours but is another process."""
        if entry.pid == self.leader and self.leader_reaped:
            return True
        return self._seen.get(entry.pid, entry.born) not in {entry.born, BORN_UNKNOWN}

    def _roots(self, table: Sequence[Entry], strangers: set[int]) -> set[int]:
        our_session = os.getsid(0) if self.spares_our_session else None
        return {
            entry.pid
            for entry in reversed(table)  # the youngest first: who runs away is still there to be looked into
            if (entry.pid in self._seen and entry.pid not in strangers)
            or (not entry.dead and entry.session != our_session and self._carries_evidence(entry))
        }

    def _carries_evidence(self, entry: Entry) -> bool:
        if self._marker is not None:
            environment = environment_of(entry.pid)
            if self.is_marked(environment) or self.is_branded(entry.pid):
                return True
            self.doubtful = self.doubtful or not (environment or is_there(entry))
        if not self.pipes or (entry.parent == os.getpid() and has_our_command_line(entry.pid)):
            return False
        return holds_any(entry.pid, self.pipes)


def members(table: Iterable[Entry], roots: AbstractSet[int], sessions: AbstractSet[int]) -> list[Entry]:
    """The processes that belong to `roots` and `sessions`, with all their descendants, and theirs, and so on.

    A session that bears the pid of a member was made by it, so it belongs to the tree with all that is in it.
    """
    children: defaultdict[int, list[Entry]] = defaultdict(list)
    in_session: defaultdict[int, list[Entry]] = defaultdict(list)
    waiting: list[Entry] = []
    for entry in table:
        children[entry.parent].append(entry)
        in_session[entry.session].append(entry)
        if entry.pid in roots or entry.session in sessions:
            waiting.append(entry)
    found: dict[int, Entry] = {}
    while waiting:
        entry = waiting.pop()
        if entry.pid not in found:
            found[entry.pid] = entry
            waiting += children[entry.pid]
            waiting += in_session[entry.pid]
    return list(found.values())


def is_there(entry: Entry) -> bool:
    """Whether a process has not ended since it was entered in the table."""
    now = read_entry(entry.pid)
    return now is not None and not now.dead and now.born == entry.born


def reap(pid: int) -> None:
    """Take note of the end of an orphan that came to us, by its own number: never of any child that happens to end."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return
