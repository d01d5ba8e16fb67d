"""The supervisor's process: starts one program, waits for it and all it leaves, ends what does not end by itself.

Nothing here may raise: a supervisor that dies by a mistake of its own would leave what it was to watch. It holds none
of the pipes of its program, so that their ends can be seen. Edges survived: a program that cannot be started, signals
that come at any moment, a parent that died before the supervisor could ask to be told, descendants that are made while
others are being killed, ones that no signal ends (given up after a bound, and named), an empty environment.
"""

import ctypes
import json
import os
import resource
import signal
import sys
import time
from contextlib import suppress
from typing import Any

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
POLL = 0.25
"""Seconds between looks where no signal tells that something has happened."""

QUICK = 0.02
"""Seconds between looks while the last ones are being killed."""

LEFTOVER_GRACE = 2.0
"""Seconds at most for what a program leaves behind to end by itself, once it was asked."""

KILL_PATIENCE = 10.0
"""Seconds after which a process that no signal ends is given up."""

STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
WATCHED = (signal.SIGCHLD, *STOPS)


def main(argv: list[str]) -> int:
    """Supervise; the words are those of `supervised`."""
    split = argv.index("--")
    options = dict(zip(argv[:split:2], argv[1:split:2], strict=False))
    grace, report = float(options["--grace"]), options["--report"]
    signal.pthread_sigmask(signal.SIG_BLOCK, WATCHED)
    parent = os.getppid()
    adopt_orphans()
    watch = Watch(parent, grace)
    try:
        watch.child = start(argv[split + 1 :])
    except OSError as error:
        write(report, {"error": error.strerror or str(error)})
        return 127
    let_go_of_pipes()
    watch.run()
    write(report, {"swept": len(watch.swept), "survivors": watch.survivors, "exact": watch.exact})
    return end_like(watch.status)


def adopt_orphans() -> None:
    """Have orphans come to us, and be told when our parent dies, as far as the system can."""
    with suppress(OSError, AttributeError):  # not Linux
        libc = ctypes.CDLL(None)
        libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def start(argv: list[str]) -> int:
    """Start the program with all signals as it expects them, in a group of its own, so that ours is only us."""
    default = (*WATCHED, signal.SIGPIPE, signal.SIGXFSZ) if hasattr(signal, "SIGXFSZ") else (*WATCHED, signal.SIGPIPE)
    return os.posix_spawnp(argv[0], argv, os.environ, setpgroup=0, setsigmask=(), setsigdef=default)


def let_go_of_pipes() -> None:
    """Hold nothing that somebody waits for the end of."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nothing, number)
    os.close(nothing)


class Watch:
    """The life of one program and of all that it starts."""

    def __init__(self, parent: int, grace: float) -> None:
        """Nothing runs yet."""
        self.parent = parent
        self.grace = grace
        self.child = 0
        self.status: int | None = None
        self.swept: set[int] = set()
        self.survivors: list[int] = []
        self.exact = os.path.exists("/proc/self/task")
        self._asked: set[int] = set()
        self._deadline: float | None = None

    def run(self) -> None:
        """Until nobody is left, or those who are left cannot be ended."""
        while True:
            self._wait()
            alone = self._reap()
            if alone and self.status is not None:
                return
            if self.status is not None and self._deadline is None:
                self._begin(min(self.grace, LEFTOVER_GRACE))
            if self._deadline is not None and not self._end_what_is_left(self._deadline):
                return

    def _wait(self) -> None:
        pause = QUICK if self._deadline is not None else POLL
        found = next_signal(pause)
        orphaned = os.getppid() != self.parent
        if self._deadline is None and (orphaned or found in STOPS):
            self._begin(self.grace)
            if not orphaned:  # whoever asked us has asked all others too
                self._asked.update(descendants())

    def _begin(self, grace: float) -> None:
        self._deadline = time.monotonic() + grace

    def _reap(self) -> bool:
        """Take the ends of our children; returns whether we have none."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return True
            if pid == 0:
                return False
            if pid == self.child:
                self.status = status
                self.swept.update(descendants())

    def _end_what_is_left(self, deadline: float) -> bool:
        """Ask, or kill, whoever is there; returns False when they are given up."""
        now, left = time.monotonic(), descendants()
        if self.status is not None:
            self.swept.update(left)
        if now > deadline + KILL_PATIENCE:
            self.survivors = sorted(left)
            return False
        for pid in left:
            if now >= deadline:
                send(pid, signal.SIGKILL)
            elif pid not in self._asked:
                self._asked.add(pid)
                send(pid, signal.SIGTERM)
        return True


def next_signal(seconds: float) -> int | None:
    """The next of the signals that we watch; None where none comes in time."""
    if hasattr(signal, "sigtimedwait"):
        found = signal.sigtimedwait(WATCHED, seconds)
        return None if found is None else found.si_signo
    pending = signal.sigpending() & set(WATCHED)  # macOS: nothing waits for a signal and a time at once
    if not pending:
        time.sleep(min(seconds, QUICK))
        return None
    return signal.sigwait(pending)


def descendants() -> set[int]:
    """Pids of all descendants that have not ended."""
    found: set[int] = set()
    todo = [os.getpid()]
    table: dict[int, int] | None = None
    while todo:
        pid = todo.pop()
        children = children_by_kernel(pid)
        if children is None:
            table = table if table is not None else parents()
            children = [one for one, parent in table.items() if parent == pid]
        for one in children:
            if one not in found:
                found.add(one)
                todo.append(one)
    return {pid for pid in found if not is_zombie(pid)}


def children_by_kernel(pid: int) -> list[int] | None:
    """The children of all threads of a process, as the kernel lists them; None where it does not."""
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except FileNotFoundError:
        return [] if os.path.exists("/proc/self/task") else None
    except OSError:
        return None
    found: list[int] = []
    for thread in threads:
        try:
            with open(f"/proc/{pid}/task/{thread}/children", "rb") as file:
                found += [int(one) for one in file.read().split()]
        except FileNotFoundError:
            if not os.path.exists(f"/proc/self/task/{os.getpid()}/children"):
                return None  # a kernel that does not list them
        except (OSError, ValueError):
            continue
    return found


def parents() -> dict[int, int]:
    """Pid → parent of every process, where the kernel lists no children."""
    if os.path.isdir("/proc/self"):
        return {int(name): parent for name in os.listdir("/proc") if name.isdigit() and (parent := parent_of(name))}
    try:
        with os.popen("ps -axo pid=,ppid=") as listing:  # noqa: S605  # macOS; a fixed line, and no subprocess to import
            return {int(pid): int(parent) for pid, parent in (line.split() for line in listing)}
    except (OSError, ValueError):
        return {}


def parent_of(name: str) -> int:
    """The parent of a process, 0 where it is gone."""
    try:
        with open(f"/proc/{name}/stat", "rb") as file:
            return int(file.read().rpartition(b")")[2].split()[1])
    except (OSError, ValueError, IndexError):
        return 0


def is_zombie(pid: int) -> bool:
    """Whether a process has ended, and only waits to be reaped."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0] in (b"Z", b"X")
    except (OSError, IndexError):
        return False


def send(pid: int, number: int) -> None:
    """Send a signal to somebody who may be gone."""
    with suppress(OSError):
        os.kill(pid, number)


def write(report: str, data: dict[str, Any]) -> None:
    """Say what was done; if that is not possible, nothing is said."""
    with suppress(OSError), open(report, "w", encoding="utf-8") as file:
        json.dump(data, file)


def end_like(status: int | None) -> int:
    """End as the program did: with its exit code, or by its signal."""
    if status is None:
        return 1
    if not os.WIFSIGNALED(status):
        return os.WEXITSTATUS(status)
    number = os.WTERMSIG(status)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # the program's own is enough
        if number not in {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, signal.valid_signals())
    os.kill(os.getpid(), number)
    return 128 + number


if __name__ == "__main__":
    os._exit(main(sys.argv[1:]))
