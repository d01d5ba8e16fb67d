"""All processes that live now, for whoever has to hurry or stop them all; and the orphans that come to us.

There is one `LiveChildren` per program, made at its start and handed to every `run_process`; no state is global.

**Orphans.** A child subreaper (`become_subreaper`) is given the descendants whose parents have ended, so a daemon that
forked twice, took its own session and closed every pipe still shows up among our children. At the end of each process
they are looked at, which costs some microseconds, since our children are few:

- living, of the ended process's session or with its marker or brand: a leftover, to be ended with its tree;
- living, anything else: left alone, for it is another process's, or not of this room at all;
- dead, in a session that is neither ours nor its own: no child that was started here can be in such a one, so it was
  adopted, and is reaped by its number;
- dead, in a session of its own: perhaps adopted, perhaps a child whose end somebody is just about to take note of. It
  is reaped if it is still there at a look much later, when nobody can be about to.

Where we are no subreaper (a program that uses the Python API), orphans go to somebody else. There the processes that
are younger than the ended one, as their numbers tell, are asked for its marker or brand.

Beside asyncio there is no waiting for "any child": that would steal the ends of its own.
"""

import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Protocol, cast

from orchestration.process.brand import bearing, run_brand
from orchestration.process.command import DEFAULT_KILL_GRACE, Command
from orchestration.process.table import (
    HAS_PROC,
    Entry,
    SharedTable,
    environment_of,
    last_pid,
    open_list_of_children,
    pids_between,
    read_entry,
    read_list_of_children,
    read_table,
)
from orchestration.process.tree import Tree, reap
from orchestration.warden import Warden

NOBODY_WAITS = 5.0  # seconds after which an ended child is nobody's: asyncio takes note of its own within milliseconds
LOOKS = 10  # for what is made while we look; each takes some microseconds
NO_LIST = -1
_SET_CHILD_SUBREAPER = 36  # numbers of linux/prctl.h
_GET_CHILD_SUBREAPER = 37


class Life(Protocol):
    """What can be done to a process that lives."""

    def hurry(self) -> None:
        """Give no more grace."""

    def kill_now(self, table: Iterable[Entry]) -> None:
        """Kill the whole tree as the table shows it, without waiting."""


class LiveChildren:
    """The book of the processes that live now."""

    __slots__ = ("_dead", "_guards", "_hasty", "_leaders", "_list", "_lives", "_no_input", "_warden", "table")

    def __init__(self, warden: Warden | None = None) -> None:
        """Begin with an empty book; a warden ends what is in it if this program dies."""
        self._warden = warden
        self._lives: set[Life] = set()
        self._leaders: set[int] = set()
        self._dead: dict[tuple[int, int], float] = {}  # pid and birth of ended children → when first seen so
        self._guards = False
        self._hasty = False
        self.table = SharedTable()
        self._list: int | None = None  # the descriptor of the list of our children, opened at the first need
        self._no_input: int | None = None

    def __del__(self) -> None:
        """Close what is open."""
        self.close()

    def close(self) -> None:
        """Close the list, and what gives no input, until they are needed again."""
        if self._list is not None and self._list != NO_LIST:
            os.close(self._list)
        self._list = None
        self.close_no_input()

    @property
    def no_input(self) -> int:
        """A descriptor to read nothing from, for all that are to have no input; opened at the first need.

        Raises:
            OSError: there is no room for it.
        """
        if self._no_input is None:
            self._no_input = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        return self._no_input

    def close_no_input(self) -> None:
        """Close that descriptor until it is needed again."""
        if self._no_input is not None:
            os.close(self._no_input)
            self._no_input = None

    def __len__(self) -> int:
        """How many processes live, those that are just being started among them."""
        return len(self._lives)

    @property
    def any_started(self) -> bool:
        """Whether a process lives that was started, not only some that wait for room."""
        return bool(self._leaders)

    @property
    def are_all(self) -> bool:
        """Whether nothing but these processes goes on in this program: it has a warden, as no host program has."""
        return self._warden is not None

    @property
    def is_hasty(self) -> bool:
        """Whether all graces are over."""
        return self._hasty

    def haste(self) -> None:
        """Give no more grace: what is being ended, and whatever will be, is killed at once."""
        self._hasty = True
        for life in tuple(self._lives):
            life.hurry()

    def kill_now(self) -> None:
        """Kill every tree at once, without waiting for anything; to be called in the thread of the loop.

        The calls that ran the processes then return with ends by signal, ended by `cancelled`.
        """
        self.haste()
        table = read_table()
        for life in tuple(self._lives):
            life.kill_now(table)

    def enter(self, life: Life) -> None:
        """Enter a process that is about to be started."""
        self._lives.add(life)

    def guard(self, command: Command) -> None:
        """Have what is about to be started watched, if nobody else does and it can be found again."""
        if self._warden is not None and command.marker is not None and not command.supervised:
            name, value = command.marker
            run, slash, _ = value.partition("/")
            self._warden.watch(f"{name}={run}{slash}", command.kill_grace, run_brand(value))

    @contextmanager
    def guarding_functions(self, name: str, value: str) -> Iterator[None]:
        """Have what functions start that run in this very program found again, should it die, by a brand of their own.

        Only where we are a program whose only business is its run: of a host program nothing is changed. One run at a
        time can have it.

        Args:
            name: the variable that is the marker.
            value: how its values begin in this run, `<run>/`; no attempt has just that.
        """
        if self._warden is None or self._guards or not self.is_subreaper:
            yield
            return
        self._guards = True
        self._warden.watch(f"{name}={value}", DEFAULT_KILL_GRACE, run_brand(value))
        try:
            with bearing(value):
                yield
        finally:
            self._guards = False

    def dismiss_warden(self) -> None:
        """Nothing more is going to be started."""
        if self._warden is not None:
            self._warden.dismiss()

    def note_leader(self, pid: int) -> None:
        """Note the pid of a process that was started."""
        self._leaders.add(pid)
        if self._warden is not None:
            self._warden.note_group(pid)

    def strike(self, life: Life, leader: int | None) -> None:
        """Strike a process off, with its pid if asyncio has reaped it."""
        self._lives.discard(life)
        if leader is not None:
            self._leaders.discard(leader)
            if self._warden is not None:
                self._warden.strike_group(leader)

    @property
    def is_subreaper(self) -> bool:
        """Whether orphans come to us: we are a program whose only business are these processes."""
        if self._list is None:
            self._list = _open_list()
        return self._list != NO_LIST

    def has_orphans(self, tree: Tree) -> bool:
        """Whether one of our children is a living leftover of the tree; adopted dead are reaped on the way."""
        if not self.is_subreaper or self._list is None:
            return has_young(tree)
        found = False
        pids = read_list_of_children(self._list)
        for pid in pids:
            if pid not in self._leaders and not self.is_warden(pid) and self._is_leftover(pid, tree):
                found = True
        if self._dead:
            self._dead = {known: since for known, since in self._dead.items() if known[0] in pids}
        return found

    def is_warden(self, pid: int) -> bool:
        """Whether a process is the one that ends us all if this program dies."""
        return self._warden is not None and pid == self._warden.pid

    def _is_leftover(self, pid: int, tree: Tree) -> bool:
        """Ask the cheap questions first: most that are not in the book are processes that were spawned this moment."""
        try:
            session = os.getsid(pid)
        except ProcessLookupError:
            return False
        if session == os.getsid(0):
            return False
        environment = environment_of(pid)
        entry = None if environment else read_entry(pid)
        if entry is None or not entry.dead:
            return session == tree.leader or tree.is_marked(environment) or tree.is_branded(pid)
        if session != pid or tree.knows(entry) or self._has_long_been_dead(entry):
            reap(pid)
        return False

    def _has_long_been_dead(self, entry: Entry) -> bool:
        now = time.monotonic()
        return now - self._dead.setdefault((entry.pid, entry.born), now) >= NOBODY_WAITS


def has_young(tree: Tree) -> bool:
    """Whether a process of the tree lives that was made after its leader, for those to whom no orphans come.

    If others are made while we look, they are looked at too; if there is no end to that, the whole table has to be.
    """
    if not HAS_PROC or not tree.leader:
        return False
    first, last = tree.leader, last_pid()
    for _ in range(LOOKS):
        if any(_is_young(pid, tree) for pid in pids_between(first, last)):
            return True
        first, last = last, last_pid()
        if first == last:
            return False
    return True


def _is_young(pid: int, tree: Tree) -> bool:
    environment = environment_of(pid)
    if tree.is_marked(environment):
        return True
    entry = read_entry(pid)
    return entry is not None and not entry.dead and tree.is_branded(pid)


def _open_list() -> int:
    if not is_subreaper():
        return NO_LIST
    try:
        return open_list_of_children()
    except OSError:
        return NO_LIST


def become_subreaper() -> bool:
    """Make this process the one to which orphaned descendants come; to be called once, before anything is started.

    Returns:
        Whether that is so now; only Linux can.
    """
    return _prctl(_SET_CHILD_SUBREAPER, 1) and is_subreaper()


def is_subreaper() -> bool:
    """Whether orphaned descendants come to this process."""
    import ctypes  # noqa: PLC0415  # takes milliseconds, and only who starts processes needs it

    answer = ctypes.c_int(0)
    return _prctl(_GET_CHILD_SUBREAPER, ctypes.addressof(answer)) and answer.value == 1


def _prctl(option: int, argument: int) -> bool:
    function = _load_prctl()
    return function is not None and function(option, argument, 0, 0, 0) == 0


@cache
def _load_prctl() -> Callable[..., int] | None:
    """The C function, where there is one."""
    import ctypes  # noqa: PLC0415  # as above

    try:
        function = ctypes.CDLL(None).prctl
    except (OSError, AttributeError):
        return None
    function.argtypes = (ctypes.c_int, *[ctypes.c_ulong] * 4)
    function.restype = ctypes.c_int
    return cast("Callable[..., int]", function)
