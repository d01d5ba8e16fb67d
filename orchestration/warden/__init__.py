"""One small process beside `orch` that ends what a run has started, if `orch` itself dies.

It serves all attempts without a supervisor of their own: shell commands, scripts, functions in a child, checks. It
holds the read end of a pipe, `orch` alone the write end. The end of that pipe is the news of a death that no signal
handler can tell of (SIGKILL, no memory left): then it ends whatever carries the marker of a run that it was told of,
and only when nothing is left it ends too. After a good end `orch` says so first.

`Warden` is for `orch`: it starts the process with the first attempt that needs it, and does not wait for it. `__main__`
is the process; standard library only, as it has to start in milliseconds. Where there is no `/proc` (macOS) it is told
of process groups instead, and whoever left its group is missed.

Edges survived: no room for another process (told, and the run goes on without), a warden that somebody killed (the next
attempt gets a new one), a full pipe, a Ctrl-C for all of the terminal, descriptors that `orch` itself inherited.
"""

import logging
import os
import signal
import sys
from contextlib import suppress

LOG = logging.getLogger(__name__)
BLOCKED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGTSTP)
FAREWELL = b".\n"
HAS_PROC = sys.platform == "linux"


class Warden:
    """The hand of `orch` on its warden; to be used in one thread."""

    __slots__ = ("_brands", "_groups", "_pid", "_pipe", "_runs")

    def __init__(self) -> None:
        """Nothing is started."""
        self._pid: int | None = None
        self._pipe: int | None = None
        self._runs: dict[str, float] = {}
        self._brands: dict[str, int] = {}
        self._groups: set[int] = set()
        os.register_at_fork(after_in_child=self._let_go_of_pipe)  # a fork that lives on would hide our death

    @property
    def pid(self) -> int | None:
        """The process, once it is started."""
        return self._pid

    def watch(self, marker: str, grace: float, brand: int = 0) -> None:
        """Have everything ended that carries a marker, should this process die.

        Args:
            marker: how an item of the environment begins, such as `ORCH_ATTEMPT_ID=<run>/`.
            grace: seconds between the request to end and the end by force.
            brand: what all of it bears as the upper half of its brand (`process.brand`), should it lose the marker.
        """
        if self._pipe is not None and self._runs.get(marker, -1.0) >= grace:
            return
        self._runs[marker] = max(grace, self._runs.get(marker, 0.0))
        self._brands[marker] = brand
        self._tell(self._line_of(marker))

    def note_group(self, pid: int) -> None:
        """A process that leads a group of its own was started."""
        if not HAS_PROC:
            self._groups.add(pid)
            self._tell(b"+%d\n" % pid)

    def strike_group(self, pid: int) -> None:
        """It has ended, with all of its group."""
        if not HAS_PROC and pid in self._groups:
            self._groups.discard(pid)
            self._tell(b"-%d\n" % pid)

    def dismiss(self) -> None:
        """There is nothing to watch any more; the process ends by itself, at once."""
        self._runs.clear()
        self._groups.clear()
        if self._pipe is not None:
            with suppress(OSError):
                os.write(self._pipe, FAREWELL)
            self._let_go()

    def _tell(self, line: bytes) -> None:
        for _ in range(2):
            try:
                if self._pipe is None:
                    self._start()
                else:
                    os.write(self._pipe, line)
            except BlockingIOError:  # it has been stopped, or has no time: what it knows has to do
                return
            except BrokenPipeError:  # it was killed; a new one is told everything
                self._let_go()
            except OSError as error:
                self._let_go()
                LOG.warning("no warden could be started (%s): if orch is killed, what it runs may live on", error)
                return
            else:
                return

    def _start(self) -> None:
        read, write = os.pipe()
        try:
            self._pid = _spawn(read)
        except OSError:
            os.close(write)
            raise
        finally:
            os.close(read)
        self._pipe = write
        os.set_blocking(write, False)
        known = [self._line_of(marker) for marker in self._runs]
        os.write(write, b"".join([*known, *(b"+%d\n" % pid for pid in sorted(self._groups))]))

    def _line_of(self, marker: str) -> bytes:
        return b"=%.3f %d %s\n" % (self._runs[marker], self._brands[marker], os.fsencode(marker))

    def _let_go_of_pipe(self) -> None:
        if self._pipe is not None:
            os.close(self._pipe)
            self._pipe = None

    def _let_go(self) -> None:
        self._let_go_of_pipe()
        if self._pid is not None:
            with suppress(OSError):
                os.waitpid(self._pid, os.WNOHANG)
        self._pipe = self._pid = None


def _spawn(pipe: int) -> int:
    """Start the process in a session of its own, deaf to what a terminal sends, without anything of ours but the pipe.

    Raises:
        OSError: there is no room for it.
    """
    program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "__main__.py")
    argv = [sys.executable, "-I", "-S", program]
    files = [
        (os.POSIX_SPAWN_DUP2, pipe, 0),
        (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
        (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
    ]
    try:
        return os.posix_spawn(argv[0], argv, {}, file_actions=files, setsid=True, setsigmask=BLOCKED)
    except NotImplementedError:  # then it leaves our session itself, some milliseconds later
        return os.posix_spawn(argv[0], argv, {}, file_actions=files, setpgroup=0, setsigmask=BLOCKED)
