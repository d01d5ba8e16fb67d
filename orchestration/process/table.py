"""The system's table of processes: who there is, whose child, of which session, born when.

On Linux it is read from `/proc`, elsewhere from `ps`. What it survives:

- Processes come and go while the table is read: an entry that cannot be read is a process that is not there, and who
  came during the reading is read too.
- A name with spaces and brackets in it: the fields of `stat` are counted from the last bracket.
- A zombie is dead, though it has an entry and takes signals. A process whose first thread has ended looks like one too,
  but others of its threads run, so it is alive.
- Pids are used again: pid and time of birth (in ticks since boot) together name a process for good.
- Processes of other users and of a hidden `/proc` cannot be looked into; they are then not ours by that evidence.

- Many trees that end at once, on a machine with thousands of processes: they look at one table together.

Plain `os` calls on text paths, not `pathlib`: a look reads hundreds of entries, and that is three times as fast.
"""
# ruff: noqa: PTH115, PTH208

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator

from orchestration.process.steadfast import Steadfast
from orchestration.records import dataclass

PS_PATIENCE = 5.0  # seconds; it takes some milliseconds, so one that takes this long hangs
READINGS = 10  # of the list of pids; on a machine where somebody always comes, the later ones are short
LIST_SIZE = 65536  # bytes; nine thousand children
FEW = 200  # numbers that are asked for one by one, which costs less than to list all that are in use
READ_SIZE = 8192  # bytes; a line of `stat` has some hundred; more is read in several calls

HAS_PROC = sys.platform == "linux"
_DEAD = frozenset({b"Z", b"X", b"x"})


@dataclass(frozen=True, slots=True)
class Entry:
    """One process. Where sessions cannot be seen, `session` is the process group; `born` is 0 where it is unknown."""

    pid: int
    parent: int
    group: int
    session: int
    born: int
    dead: bool


def ticks_since_boot() -> int:
    """The time by the clock that `Entry.born` is told in; 0 where there is none."""
    now = 0.0
    if HAS_PROC and sys.platform == "linux":
        now = time.clock_gettime(time.CLOCK_BOOTTIME) * os.sysconf("SC_CLK_TCK")
    return int(now)


class SharedTable:
    """The table for several who want to look at about the same time: one reading serves all who asked before it."""

    __slots__ = ("_coming",)

    def __init__(self) -> None:
        """Nobody has asked yet."""
        self._coming: tuple[asyncio.Event, list[Entry]] | None = None

    async def read(self, steady: Steadfast) -> list[Entry]:
        """The table as it is after this call."""
        if self._coming is None:
            self._coming = asyncio.Event(), []
            asyncio.get_running_loop().call_soon(self._read)
        done, table = self._coming
        await steady.wait_for(done)
        return table

    def _read(self) -> None:
        if self._coming is not None:
            done, table = self._coming
            self._coming = None  # who asks from here on needs a younger one
            table += read_table()
            done.set()


def read_table() -> list[Entry]:
    """Every process that can be seen, the oldest first.

    Reading takes a while, and who forks and exits meanwhile would be missed in both its shapes. So whoever has come is
    read as well, and whoever has come in that shorter time, until nobody comes.
    """
    if not HAS_PROC:
        return _table_of_ps()
    entries: list[Entry] = []
    known: set[str] = set()
    for _ in range(READINGS):
        news = [name for name in os.listdir("/proc") if name.isdecimal() and name not in known]
        if not news:
            break
        known.update(news)
        entries += (entry for name in news if (entry := read_entry(int(name))) is not None)
    return entries


def read_entry(pid: int) -> Entry | None:
    """The process of that number now, or None. Off Linux this reads the whole table."""
    if not HAS_PROC:
        return next((entry for entry in _table_of_ps() if entry.pid == pid), None)
    try:
        descriptor = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return parse_stat(os.read(descriptor, READ_SIZE))  # one line, which one call gives whole
    except OSError:
        return None
    finally:
        os.close(descriptor)


def parse_stat(line: bytes) -> Entry:
    """Read the one line of a Linux `stat` file."""
    pid, _, rest = line.partition(b" (")
    fields = rest[rest.rindex(b")") + 2 :].split(b" ", 20)
    dead = fields[0] in _DEAD and int(fields[17]) <= 1  # field 17 counts threads
    return Entry(int(pid), int(fields[1]), int(fields[2]), int(fields[3]), int(fields[19]), dead)


def last_pid() -> int:
    """The number that was given out last; numbers are given out in a circle. Linux only.

    Raises:
        OSError: it cannot be read.
    """
    return int(read_whole("/proc/loadavg").rsplit(maxsplit=1)[-1])


def pids_between(first: int, last: int) -> Iterable[int]:
    """The numbers that were given out after the first one, up to the last; not all of them need be in use."""
    if 0 <= last - first <= FEW:
        return range(first + 1, last + 1)
    pids = [int(name) for name in os.listdir("/proc") if name.isdecimal()]
    return [one for one in pids if (one > first and one <= last) or (last < first and (one > first or one <= last))]


def environment_of(pid: int) -> bytes:
    """The environment the process was started with, as `NAME=value` and zero bytes; empty if dead or not to be seen."""
    if not HAS_PROC:
        return b""
    try:
        return read_whole(f"/proc/{pid}/environ")
    except OSError:
        return b""


def has_our_command_line(pid: int) -> bool:
    """Whether a process looks like a copy of us: forked, and running no other program yet; so also if it is gone."""
    try:
        return not HAS_PROC or read_whole(f"/proc/{pid}/cmdline") in {read_whole("/proc/self/cmdline"), b""}
    except OSError:
        return True


def holds_any(pid: int, targets: frozenset[str]) -> bool:
    """Whether one of the process's descriptors leads to one of `targets`, written as `pipe:[12345]`."""
    if not HAS_PROC:
        return False
    return any(target in targets for target in _descriptors(pid))


def name_of_pipe(descriptor: int) -> str:
    """The pipe behind a descriptor of ours, as `holds_any` wants it."""
    return f"pipe:[{os.fstat(descriptor).st_ino}]"


def open_list_of_children() -> int:
    """A descriptor that gives the pids of our own children, adopted orphans among them; Linux only.

    Orphans come to the main thread. Only we can take a child off its list, so that a reading of it misses none, as
    might happen with the list of another process.

    Raises:
        OSError: This kernel was built without such lists.
    """
    pid = os.getpid()
    return os.open(f"/proc/{pid}/task/{pid}/children", os.O_RDONLY | os.O_CLOEXEC)


def read_list_of_children(descriptor: int) -> list[int]:
    """The pids of our children now; about a microsecond."""
    return [int(word) for word in os.pread(descriptor, LIST_SIZE, 0).split()]


def read_whole(path: str) -> bytes:
    """The bytes of a file of `/proc`.

    Raises:
        OSError: It is not there, not ours to read, or its process ended meanwhile.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        data = more = os.read(descriptor, READ_SIZE)
        while more:
            more = os.read(descriptor, READ_SIZE)
            data += more
        return data
    finally:
        os.close(descriptor)


def _descriptors(pid: int) -> Iterator[str]:
    folder = f"/proc/{pid}/fd"
    try:
        names = os.listdir(folder)
    except OSError:
        return
    for name in names:
        try:
            yield os.readlink(f"{folder}/{name}")
        except OSError:
            continue


def _table_of_ps() -> list[Entry]:
    """The table as every Unix can tell it: without sessions and without the time of birth."""
    command = ["/bin/ps", "-A", "-o", "pid=", "-o", "ppid=", "-o", "pgid=", "-o", "stat="]
    try:
        told = subprocess.run(command, capture_output=True, check=False, timeout=PS_PATIENCE, env={"LC_ALL": "C"})
    except (OSError, subprocess.SubprocessError):
        return []
    return list(parse_ps(told.stdout))


def parse_ps(text: bytes) -> Iterator[Entry]:
    """Read lines of pid, parent, group and state."""
    for line in text.splitlines():
        match line.split():
            case [pid, parent, group, state]:
                yield Entry(int(pid), int(parent), int(group), int(group), 0, state.startswith(b"Z"))
