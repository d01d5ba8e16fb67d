"""Plays one trick by which processes outlive those who started them: trickster.py TRICK MARK READY (end|stay).

Every process that it makes has MARK among its arguments, whatever becomes of its environment. When all of them are
there, a line with the trick's name goes to the file READY; then the first one ends, or stays. Whatever nobody ends ends
by itself after a minute. Standard library only, and no imports but these: a dozen of them start at once.
"""

import os
import signal
import sys
import time
from contextlib import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

LIFETIME = 60.0
DEPTH = 5
"""Of the fork bomb: two children each time, 62 processes in all."""

DEAF = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
STEP = 0.03
"""Seconds for which each process of a chain lives."""


def main() -> int:
    """Play the trick, say so, and end or stay."""
    trick, mark, ready, then = sys.argv[1:5]
    if trick == "sleeper":  # what `scrubbed` and `lost` become
        tell(ready, mark)
        sleep()
    TRICKS[trick](ready, mark)
    wait_until_told(ready, mark)
    if then == "stay":
        sleep()
    return 0


def tell(ready: str, mark: str) -> None:
    """All that is to be there is there."""
    descriptor = os.open(ready, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.write(descriptor, f"{mark}\n".encode())
    os.close(descriptor)


def wait_until_told(ready: str, mark: str) -> None:
    """Whoever was started says himself that he is there."""
    end = time.monotonic() + LIFETIME
    while time.monotonic() < end:
        with suppress(FileNotFoundError), open(ready, encoding="utf-8") as file:  # noqa: PTH123  # pathlib is no quick import
            if f"{mark}\n" in file:
                return
        time.sleep(0.01)


def sleep() -> None:
    """Live on, for a bounded time."""
    end = time.monotonic() + LIFETIME
    while time.monotonic() < end:
        time.sleep(1)
    os._exit(0)


def be_deaf() -> None:
    """Ignore every request to end."""
    for number in DEAF:
        signal.signal(number, signal.SIG_IGN)


def child(*, session: bool = False, deaf: bool = False, stopped: bool = False) -> None:
    """Start a child that lives on, and wait until it is as it is to be."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        if session:
            os.setsid()
        if deaf:
            be_deaf()
        os.write(writing, b"x")
        if stopped:
            os.kill(os.getpid(), signal.SIGSTOP)
        sleep()
    os.read(reading, 1)
    if stopped:
        os.waitpid(pid, os.WUNTRACED)
    os.close(reading)
    os.close(writing)


def forked_twice(act: "Callable[[], None]") -> None:
    """Have a grandchild act in a session of its own, without our pipes, whose parent has ended."""
    middle = os.fork()
    if middle == 0:
        os.setsid()
        if os.fork() == 0:
            nothing = os.open(os.devnull, os.O_RDWR)
            for number in (0, 1, 2):
                os.dup2(nothing, number)
            os.closerange(3, 64)
            act()
            os._exit(0)
        os._exit(0)
    os.waitpid(middle, 0)


def told(**how: bool) -> "Callable[[str, str], None]":
    """A trick that is one child."""

    def trick(ready: str, mark: str) -> None:
        child(**how)
        tell(ready, mark)

    return trick


def ignored(ready: str, mark: str) -> None:
    """Ignore the requests ourselves, with a child that does."""
    be_deaf()
    child(deaf=True)
    tell(ready, mark)


def daemon(ready: str, mark: str) -> None:
    """Fork twice, and keep the environment only."""

    def act() -> None:
        tell(ready, mark)
        sleep()

    forked_twice(act)


def become_sleeper(ready: str, mark: str) -> None:
    """Go on as another program with an empty environment."""
    argv = [sys.executable, "-I", "-S", __file__, "sleeper", mark, ready, "stay"]
    os.execve(argv[0], argv, {})  # noqa: S606  # no shell is wanted


def scrubbed(ready: str, mark: str) -> None:
    """Have a child empty its environment."""
    if os.fork() == 0:
        become_sleeper(ready, mark)


def lost(ready: str, mark: str) -> None:
    """Fork twice and empty the environment: parent, session, pipes and marker are gone."""
    forked_twice(lambda: become_sleeper(ready, mark))


def bomb(ready: str, mark: str) -> None:
    """A bounded fork bomb, half of which leads sessions of their own, and all of which is deaf."""
    reading, writing = os.pipe()
    _fork_on(DEPTH, writing)
    count = 0
    while count < 2 ** (DEPTH + 1) - 2:
        count += len(os.read(reading, 100))
    tell(ready, mark)


def _fork_on(depth: int, writing: int) -> None:
    for number in range(2 if depth else 0):
        if os.fork() == 0:
            be_deaf()
            if number:
                os.setsid()
            os.write(writing, b"x")
            _fork_on(depth - 1, writing)
            sleep()


def runaway(ready: str, mark: str) -> None:
    """Go from fork to fork, so that nobody's parent lives for long."""

    def act() -> None:
        tell(ready, mark)
        end = time.monotonic() + LIFETIME
        while time.monotonic() < end:
            time.sleep(STEP)
            if os.fork():
                os._exit(0)

    forked_twice(act)


def late(ready: str, mark: str) -> None:
    """Start others when asked to end."""

    def breed(*_: object) -> None:
        for _number in range(3):
            if os.fork() == 0:
                os.setsid()
                be_deaf()
                sleep()

    if os.fork() == 0:
        signal.signal(signal.SIGTERM, breed)
        tell(ready, mark)
        sleep()


TRICKS = {
    "ignored": ignored,
    "child": told(),
    "session": told(session=True, deaf=True),
    "stopped": told(session=True, stopped=True),
    "daemon": daemon,
    "scrubbed": scrubbed,
    "lost": lost,
    "bomb": bomb,
    "runaway": runaway,
    "late": late,
}

if __name__ == "__main__":
    sys.exit(main())
