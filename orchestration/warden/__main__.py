"""The warden's process: listens until `orch` ends or dies, and in the second case ends what it left.

Nothing here may raise, and no bare pid is ever signalled: a process is held by a pidfd, and its time of birth compared,
before a signal goes out. Edges survived: lines that come in pieces, processes that are made while others are being
killed, one that was forked and does not carry the marker yet (nothing has ended before two looks in a row were empty),
processes that are stopped or deaf, ones that no signal ends (given up after a bound). Agent programs have supervisors,
which end them in their own way: those are left in peace, and only waited for.
"""

import os
import signal
import time
from contextlib import suppress

LOOK = 0.05
"""Seconds between two looks at all processes."""

LONGEST_GRACE = 5.0
"""Seconds at most between TERM and KILL: nobody waits for a good end any more."""

SUPERVISED_PATIENCE = 20.0
"""Seconds until supervisors, who give their own grace and kill then, are no longer left in peace."""

KILL_PATIENCE = 60.0
"""Seconds after which a process that no signal ends is given up."""

EMPTY_LOOKS = 2
BRAND_WIDTH = 30
"""Bits of the lower half of a brand, as in `process.brand`."""
HAS_PROC = os.path.exists("/proc/self/stat")
SUPERVISOR = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "supervisor", "__main__.py")


class Entry:
    """A process; pid and birth together name it for good."""

    __slots__ = ("born", "dead", "parent", "pid", "session")

    def __init__(self, pid: int, line: bytes) -> None:
        """Read the line of its `stat` file."""
        fields = line.rpartition(b")")[2].split()
        self.pid = pid
        self.dead = fields[0] in (b"Z", b"X")
        self.parent = int(fields[1])
        self.session = int(fields[3])
        self.born = int(fields[19])


class Told:
    """What `orch` has said."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.markers: dict[bytes, float] = {}
        self.brands: set[int] = set()
        self.groups: set[int] = set()
        self.farewell = False

    def hear(self, line: bytes) -> None:
        """Take in a line: `.`, `=SECONDS BRAND MARKER`, `+PID`, `-PID`."""
        with suppress(ValueError):
            if line == b".":
                self.farewell = True
            elif line.startswith(b"="):
                grace, brand, marker = line[1:].split(b" ", 2)
                self.markers[marker] = float(grace)
                self.brands.add(int(brand))
            elif line.startswith(b"+"):
                self.groups.add(int(line[1:]))
            elif line.startswith(b"-"):
                self.groups.discard(int(line[1:]))


def main() -> int:
    """Listen, then do what is to be done."""
    with suppress(OSError):
        os.setsid()  # where we could not be started in a session of our own
    with suppress(OSError):
        os.chdir("/")
    os.closerange(3, 1024)  # whatever orch itself had inherited: we must not keep it open
    told = listen()
    if told.farewell:
        return 0
    if HAS_PROC:
        End(told).run()
    else:
        end_groups(told.groups, min([LONGEST_GRACE, *told.markers.values()]))
    return 0


def listen() -> Told:
    """All that is said until the end of the pipe, or a farewell."""
    told, rest = Told(), b""
    while not told.farewell:
        try:
            data = os.read(0, 65536)
        except OSError:
            break
        if not data:
            break
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            told.hear(line)
    return told


class End:
    """The end of all that carries a marker, and of its descendants."""

    def __init__(self, told: Told) -> None:
        """Nobody was looked at yet."""
        self.markers = tuple(told.markers)
        self.brands = told.brands - {0}
        self.strangers: set[tuple[int, int]] = set()
        self.began = time.monotonic()
        self.deadline = self.began + min(LONGEST_GRACE, max([0.0, *told.markers.values()]))
        self.seen: set[tuple[int, int]] = set()
        self.asked: set[tuple[int, int]] = set()
        self.session = os.getsid(0)

    def run(self) -> None:
        """Until nobody is left, or those who are left cannot be ended."""
        empty = 0
        while empty < EMPTY_LOOKS and time.monotonic() < self.began + KILL_PATIENCE:
            left = self.look()
            empty = 0 if left else empty + 1
            for entry in self.unsupervised(left):
                self.signal(entry)
            time.sleep(LOOK)

    def look(self) -> "list[Entry]":
        """Whoever lives and belongs to a run: by marker, by parent, or by the session of one who belongs."""
        table = [entry for entry in all_processes() if entry.session != self.session]
        todo = [entry for entry in table if (entry.pid, entry.born) in self.seen or self.is_marked(entry)]
        found = family(table, todo)
        self.seen.update((entry.pid, entry.born) for entry in found)
        return [entry for entry in found if not entry.dead]

    def is_marked(self, entry: Entry) -> bool:
        """Whether the environment that it was started with has a marker, or it bears a brand."""
        environment = b"\0" + read(f"/proc/{entry.pid}/environ")
        return any(b"\0" + marker in environment for marker in self.markers) or self.is_branded(entry)

    def is_branded(self, entry: Entry) -> bool:
        """Whether it bears the brand of a run; it did so from its birth, so one look at each stranger is enough."""
        name = (entry.pid, entry.born)
        if name not in self.strangers:
            if brand_of(entry.pid) >> BRAND_WIDTH in self.brands:
                return True
            self.strangers.add(name)
        return False

    def unsupervised(self, left: "list[Entry]") -> "list[Entry]":
        """Those that nobody else sees to."""
        if time.monotonic() > self.began + SUPERVISED_PATIENCE:
            return left
        supervisors = [entry for entry in left if is_supervisor(entry.pid)]
        theirs = {entry.pid for entry in family(left, supervisors)}
        return [entry for entry in left if entry.pid not in theirs]

    def signal(self, entry: Entry) -> None:
        """Ask once, then kill."""
        name = (entry.pid, entry.born)
        if time.monotonic() >= self.deadline:
            send(entry, (signal.SIGKILL,))
        elif name not in self.asked:
            self.asked.add(name)
            send(entry, (signal.SIGTERM, signal.SIGCONT))


def family(table: "list[Entry]", roots: "list[Entry]") -> "list[Entry]":
    """The roots, all that descend from them, and all in sessions that one of these made."""
    below: dict[int, list[Entry]] = {}
    for entry in table:
        below.setdefault(entry.parent, []).append(entry)
        below.setdefault(entry.session, []).append(entry)
    found: dict[int, Entry] = {}
    todo = list(roots)
    while todo:
        entry = todo.pop()
        if entry.pid not in found:
            found[entry.pid] = entry
            todo += below.get(entry.pid, ())
    return list(found.values())


def all_processes() -> "list[Entry]":
    """Every process, with those that come while we read."""
    entries: list[Entry] = []
    known: set[str] = set()
    for _ in range(10):
        with suppress(OSError):
            news = [name for name in os.listdir("/proc") if name.isdigit() and name not in known]
            if not news:
                break
            known.update(news)
            entries += [entry for name in news if (entry := entry_of(int(name))) is not None]
    return entries


def entry_of(pid: int) -> "Entry | None":
    """A process as it is now, None where it is gone."""
    with suppress(ValueError, IndexError):
        return Entry(pid, read(f"/proc/{pid}/stat"))
    return None


def brand_of(pid: int) -> int:
    """The brand that a process bears, 0 where it has none; see `process.brand`."""
    word = read(f"/proc/{pid}/limits").partition(b"\nMax file locks")[2][:80].split(None, 1)[:1]
    return int(word[0]) if word and word[0].isdigit() else 0


def is_supervisor(pid: int) -> bool:
    """Whether it is one of ours that sees to an agent program."""
    return os.fsencode(SUPERVISOR) in read(f"/proc/{pid}/cmdline").split(b"\0")[:6]


def read(path: str) -> bytes:
    """A file of `/proc`; empty where it cannot be read."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""


def send(entry: Entry, numbers: "tuple[signal.Signals, ...]") -> None:
    """Signal this very process, or nobody."""
    try:
        descriptor = os.pidfd_open(entry.pid)
    except OSError:
        return
    try:
        now = entry_of(entry.pid)
        if now is not None and now.born == entry.born:
            for number in numbers:
                signal.pidfd_send_signal(descriptor, number)
    except OSError:
        pass
    finally:
        os.close(descriptor)


def end_groups(groups: "set[int]", grace: float) -> None:
    """End process groups: all that can be done where there is no `/proc`."""
    for number, seconds in ((signal.SIGTERM, grace), (signal.SIGKILL, 1.0)):
        for group in groups:
            with suppress(OSError):
                os.killpg(group, number)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and any(lives(group) for group in groups):
            time.sleep(LOOK)


def lives(group: int) -> bool:
    """Whether anybody is in a group."""
    try:
        os.killpg(group, 0)
    except OSError:
        return False
    return True


if __name__ == "__main__":
    os._exit(main())
