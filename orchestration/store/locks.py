"""The locks between processes: who writes the state file, and who owns a run.

Both are `flock` on a file that stays: the lock is the kernel's, not the file's existence, so a crash leaves nothing to
clean up. `flock` belongs to an open file, which has two sides to it. Two stores in one process exclude each other like
two processes do, as they should. And a forked child would keep its parent's locks alive after the parent's death, so
the descriptors are closed in a child.

Edges survived: a lock file that is removed while somebody waits for it, or between two turns (whoever gets the lock
looks whether the file still has a name, and else takes its successor), links planted in place of lock files (they are
not followed), a holder that never lets go (waiting is bounded, and the error names it where the kernel tells), and an
onlooker whose probe holds a lock for the blink of an eye, or longer where a busy machine gives it no turn in the middle
of it (an owner gives up only where somebody else owns).
"""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Final

from orchestration.errors import OrchError, RunOwned, StoreError, UsageError, WrongState
from orchestration.models import SAFE_ID
from orchestration.protocols import Owner
from orchestration.store.faults import said_clearly, store_error
from orchestration.store.owners import is_stopped

WRITE_PATIENCE: Final = 30.0
"""Seconds to wait for the write lock; a transaction takes milliseconds, so whoever holds it longer is stuck."""
OWN_PATIENCE: Final = 0.1
"""Seconds to wait for an owner lock whose owner may be about to let go."""
FIRST_PAUSE: Final = 0.0002
LONGEST_PAUSE: Final = 0.01
"""Seconds between tries, doubling from the first to the longest: short enough not to lose a turn to a busy writer."""

_COMPLETE_LOCK: Final = "complete.lock"

_held: Final[set[int]] = set()


class WriteLock:
    """The lock under which all that changes the state file happens; for one thread."""

    def __init__(self, path: Path, patience: float = WRITE_PATIENCE) -> None:
        self._path = path
        self._patience = patience
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock.

        Raises:
            StoreError: somebody else held it for all the time that we wait, or the file cannot be made.
        """
        if not self._acquire(self._patience):
            raise _stuck(self._path, self._patience)

    def acquire_at_once(self) -> bool:
        """Take the lock unless somebody else holds it; whether it was taken.

        Raises:
            StoreError: the file cannot be made.
        """
        return self._acquire(0.0)

    def release(self) -> None:
        """Give the lock back."""
        if self._descriptor is not None:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        """Let go of the file; it is opened again when it is needed."""
        if self._descriptor is not None:
            _close(self._descriptor)
            self._descriptor = None

    def _acquire(self, patience: float) -> bool:
        deadline = time.monotonic() + patience
        try:
            while True:
                if self._descriptor is None:
                    self._descriptor = _open(self._path)
                if not _locks(self._descriptor, deadline):
                    return False
                if os.fstat(self._descriptor).st_nlink:
                    return True
                self.close()  # the file was removed: others lock its successor
        except OSError as error:
            raise store_error(error, self._path) from error


@contextmanager
def owned(folder: Path, run_id: str) -> Iterator[None]:
    """Hold a run's owner lock, in the state folder, which exists.

    Raises:
        RunOwned: somebody else holds it, be it in this process.
        StoreError: the lock file cannot be made.
        UsageError: the run's id is no safe name for a folder.
    """
    descriptor = _owned(_owner_lock(folder, run_id), lambda pid: already_owned(pid, run_id))
    try:
        yield
    finally:
        _close(descriptor)  # which unlocks, as nobody else has this open file


@contextmanager
def completing(folder: Path, task_id: str) -> Iterator[None]:
    """Be the only one who completes a task, whose checks run meanwhile, in its folder of a run.

    The checks of two would carry the marker of the same attempt, and whose checks end first ends all that carry it.

    Raises:
        WrongState: somebody else is at it, be it in this process.
        StoreError: the lock file cannot be made.
    """
    path = folder / _COMPLETE_LOCK
    descriptor = _owned(path, lambda pid: _already_completing(pid, task_id))
    try:
        yield
    finally:
        path.unlink(missing_ok=True)  # whoever waits for it sees that, and makes another one
        _close(descriptor)


def is_owned(folder: Path, run_id: str) -> bool:
    """Whether anybody holds the run's owner lock; makes nothing.

    Raises:
        StoreError: the lock file cannot be read.
        UsageError: the run's id is no safe name for a folder.
    """
    return _is_held(_owner_lock(folder, run_id))


def is_completing(folder: Path) -> bool:
    """Whether anybody completes the task that has this folder of a run; makes nothing.

    Raises:
        StoreError: the lock file cannot be read.
    """
    return _is_held(folder / _COMPLETE_LOCK)


def _is_held(path: Path) -> bool:
    with said_clearly(path):
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        except (FileNotFoundError, NotADirectoryError):
            return False
        try:
            return not _locks(descriptor, deadline=0.0, operation=fcntl.LOCK_SH)
        finally:
            os.close(descriptor)


def check_run_id(run_id: object) -> None:
    """Refuse a run id that could not be the name of a folder.

    Raises:
        UsageError: it could not.
    """
    if not isinstance(run_id, str) or not SAFE_ID.fullmatch(run_id):
        raise UsageError(
            f"{run_id!r:.120} is not a safe run id",
            hint="use letters, digits, '.', '_' and '-', at most 100, beginning with a letter or digit",
        )


def check_inside(folder: Path, path: Path, what: str) -> None:
    """Refuse a place in the state folder that leads out of it; the state folder itself may be a link.

    Raises:
        StoreError: it does.
    """
    if not path.resolve().is_relative_to(folder.resolve()):
        raise StoreError(
            f"{what} is a link that leads out of the state folder, or lies behind one",
            file=path,
            hint="put what it leads to in its place",
        )


def already_owned(pid: int | None, run_id: str) -> RunOwned:
    """The error for a run that somebody else owns; `pid` where it is known."""
    if pid == os.getpid():
        return RunOwned(f"run {run_id} is already owned by this process", hint="wait for it to end, or cancel it")
    who = "another process" if pid is None else f"process {pid}"
    return RunOwned(f"run {run_id} is owned by {who}", hint="wait for it to end, or end it with: orch cancel")


def _owner_lock(folder: Path, run_id: str) -> Path:
    check_run_id(run_id)
    own = folder / "runs" / run_id
    check_inside(folder, own, "the folder of the run")
    return own / "owner.lock"


def _already_completing(pid: int | None, task_id: str) -> WrongState:
    who = "another process" if pid is None else f"process {pid}"
    return WrongState(
        f"{who} is completing {task_id} now, and its checks run", hint=f"wait for what comes of it: orch why {task_id}"
    )


def _owned(path: Path, taken: Callable[[int | None], OrchError]) -> int:
    with said_clearly(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        return _own(path, taken)


def _own(path: Path, taken: Callable[[int | None], OrchError]) -> int:
    deadline = time.monotonic() + OWN_PATIENCE
    while True:
        descriptor = _open(path)
        if not _locks(descriptor, deadline) and not _outwaits_onlookers(descriptor):
            pid = _written_pid(descriptor)
            _close(descriptor)
            raise taken(pid)
        if os.fstat(descriptor).st_nlink:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, b"%d\n" % os.getpid(), 0)
            return descriptor
        _close(descriptor)


def _open(path: Path) -> int:
    _close_in_children()
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    _held.add(descriptor)
    return descriptor


def _close(descriptor: int) -> None:
    """Close it unless this is a child in which that happened already: the number may be another file's by now."""
    if descriptor in _held:
        _held.discard(descriptor)
        os.close(descriptor)


@cache
def _close_in_children() -> None:
    os.register_at_fork(after_in_child=_close_all)


def _close_all() -> None:
    while _held:
        with suppress(OSError):
            os.close(_held.pop())


def _locks(descriptor: int, deadline: float, operation: int = fcntl.LOCK_EX) -> bool:
    """Try until the deadline (monotonic seconds), at least once; never wait in the kernel, which has no bound."""
    pause = FIRST_PAUSE
    while True:
        try:
            fcntl.flock(descriptor, operation | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
        else:
            return True


def _outwaits_onlookers(descriptor: int) -> bool:
    """Take a lock that others only look at, which they share; False as soon as somebody owns it."""
    deadline = time.monotonic() + WRITE_PATIENCE
    while time.monotonic() < deadline and _locks(descriptor, deadline=0.0, operation=fcntl.LOCK_SH):
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        if _locks(descriptor, time.monotonic() + OWN_PATIENCE):
            return True
    return False


def _written_pid(descriptor: int) -> int | None:
    text = os.pread(descriptor, 20, 0).strip()
    return int(text) if text.isdigit() else None


def _stuck(path: Path, patience: float) -> StoreError:
    pid = _holder(path)
    who = "another process" if pid is None else f"process {pid}"
    hint = f"if {who} is stuck, end it; then run the same command again"
    if pid is not None and is_stopped(Owner(pid)):
        who += ", which is stopped,"
        hint = f"let it go on (kill -CONT {pid}) or end it; then run the same command again"
    return StoreError(f"{who} has kept the state locked for {patience:g} seconds", hint=hint, file=path)


def _holder(path: Path) -> int | None:
    """The process that took the lock, where the kernel lists it (Linux, and only in our own namespace of pids)."""
    with suppress(OSError, ValueError, IndexError):
        there = path.stat()
        wanted = f"{os.major(there.st_dev):02x}:{os.minor(there.st_dev):02x}:{there.st_ino}"
        for line in Path("/proc/locks").read_text(encoding="ascii").splitlines():
            words = line.split()  # 1: FLOCK ADVISORY WRITE 4711 fe:00:1234 0 EOF
            if words[1:2] == ["FLOCK"] and words[5] == wanted and int(words[4]) > 0:
                return int(words[4])
    return None
