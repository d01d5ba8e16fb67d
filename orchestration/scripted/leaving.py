"""The steps that make more processes: some that stay when the agent has gone, and a loader in front of it.

What is left behind sleeps, and ends by itself after its time even if nobody finds it: an alarm is set before anything
else is. A process that holds stdout keeps that one descriptor; all others let go of every stream.
"""

from __future__ import annotations

import os
import signal
import sys

from orchestration.scripted.ending import die_by
from orchestration.scripted.stage import STDERR, STDIN, STDOUT, Stage, Stop

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

DEAF_TO = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
LOADED = "--loaded"
"""Says to the program that it was started by itself."""


def leave(  # noqa: PLR0913, PLR0917  # the fields of the step
    stage: Stage,
    how: str,
    count: int,
    deaf: bool,  # noqa: FBT001  # as above
    holds_stdout: bool,  # noqa: FBT001  # as above
    unmarked: bool,  # noqa: FBT001  # as above
    seconds: float,
    pids: str | None,
) -> None:
    """Leave processes behind, and go on when they are there."""
    made = [_left(how, deaf=deaf, holds=holds_stdout, unmarked=unmarked, seconds=seconds) for _ in range(count)]
    if pids is not None:
        with open(stage.filled(pids), "a", encoding="ascii") as file:
            file.writelines(f"{pid}\n" for pid in made)


def _left(how: str, *, deaf: bool, holds: bool, unmarked: bool, seconds: float) -> int:
    """Make one process; returns its pid when all that was asked for is true of it."""
    reading, writing = os.pipe()
    first = os.fork()
    if first:
        os.close(writing)
        if how == "daemon":
            os.waitpid(first, 0)
        with open(reading, encoding="ascii") as answer:
            return int(answer.read() or 0)
    try:
        os.close(reading)
        if how in {"session", "daemon"}:
            os.setsid()
        if how == "daemon" and os.fork():
            os._exit(0)
        _settle(how, deaf=deaf, holds=holds, seconds=seconds)
        os.write(writing, b"%d" % os.getpid())
        os.close(writing)
        _stay(seconds, unmarked=unmarked)
    finally:
        os._exit(1)


def _settle(how: str, *, deaf: bool, holds: bool, seconds: float) -> None:
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.001))
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    for number in DEAF_TO if deaf else (signal.SIGHUP,) if how == "nohup" else ():
        signal.signal(number, signal.SIG_IGN)
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (STDIN, STDERR) if holds else (STDIN, STDOUT, STDERR):
        os.dup2(nothing, descriptor)
    os.close(nothing)


def _stay(seconds: float, *, unmarked: bool) -> None:
    if unmarked:  # a new program with an empty environment: what was ignored stays so, and the alarm stays set
        os.execve("/bin/sleep", ["sleep", str(int(seconds) + 1)], {})  # noqa: S606  # no shell is wanted
    while True:
        signal.pause()


def reexec(stage: Stage) -> None:  # noqa: ARG001  # every step is given the stage
    """Start this program again as a child, wait for it, and end as it ended; the child goes on with the next step."""
    pid = os.posix_spawn(sys.executable, [*sys.orig_argv, LOADED], os.environ)
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        die_by(os.WTERMSIG(status))
    raise Stop(os.waitstatus_to_exitcode(status))


LEAVING: Mapping[str, Callable[..., None]] = {"leave": leave, "reexec": reexec}
"""Each of these steps by its word."""
