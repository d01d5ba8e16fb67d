"""The records of the room: what is to be run, and how it ended.

A `Command` says everything that a child may know: its environment is the whole environment, its input is given or
closed, its output is bounded. A `ProcessEnd` keeps the facts of the end apart: exit code or signal, who ended it, what
it wrote, what it left behind. Neither judges: whether an end was a success is for others to say.
"""

import signal
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import field
from enum import StrEnum
from pathlib import Path
from typing import TypeAlias

from orchestration.masking import Masker
from orchestration.records import dataclass

DEFAULT_KILL_GRACE = 5.0  # seconds; time for a program to save its work and tell its children
DEFAULT_MAX_LOG = 64 * 1024 * 1024  # bytes per stream; a long day's talk fits, a runaway loop fills no disk
DEFAULT_MAX_CAPTURE = 1024 * 1024  # bytes per stream; results stand at the end of the output; 50 of these fit in memory


class Stream(StrEnum):
    """Which output of a process."""

    STDOUT = "stdout"
    STDERR = "stderr"


class EndedBy(StrEnum):
    """Who ended a process: everything but `itself` was us."""

    ITSELF = "itself"
    TIMEOUT = "timeout"
    IDLE_TIMEOUT = "idle_timeout"
    CANCELLED = "cancelled"
    FIRST_OUTPUT = "first_output"
    LINGERING = "lingering"
    BUDGET = "budget"


Sink: TypeAlias = Callable[[Stream, bytes], Awaitable[None] | None]
"""Given every chunk as it was read, in order, one call at a time.

While what it returns is being awaited, nothing is read: a slow sink slows the child down. Chunks end anywhere, also in
the middle of a character.
"""


@dataclass(frozen=True, slots=True)
class Command:
    """A program to run, with all that it may see and all its bounds.

    Attributes:
        argv: The program and its arguments; the program is looked up on the PATH of `env`.
        cwd: The folder to work in; None for ours.
        env: The whole environment of the child; nothing of ours is inherited.
        stdin: None for an input that is at its end; otherwise written, then closed. Not reading it is no error.
        timeout: Seconds from the spawn until the process is ended; None for no limit.
        idle_timeout: Seconds without output on either stream until the process is ended. While a sink keeps us from
            reading, the silence is ours and does not count.
        kill_grace: Seconds between the request to end (TERM) and the end by force (KILL).
        stop_signal: The request to end, for the few programs that want another one than TERM.
        stdout_log: A file to append the output to, made, with its folders, when there is some.
        stderr_log: The same for the error output.
        max_log: Bytes per stream that are logged; more is counted and dropped, and the child is still read.
        max_capture: Bytes per stream, the last ones, that are kept in memory for `ProcessEnd`.
        supervised: Whether the program is a supervisor, which is to be ended after all that it watches.
        marker: Name and value of a variable of `env` that nothing else carries: by it descendants are found that broke
            all other ties.
        masker: Masks the output before it reaches log, memory or sink; all counts are of what is left.
    """

    argv: tuple[str, ...]
    cwd: Path | None = None
    env: Mapping[str, str] = field(default_factory=dict, repr=False)  # may hold secrets, and records get printed
    stdin: bytes | None = field(default=None, repr=False)
    timeout: float | None = None
    idle_timeout: float | None = None
    kill_grace: float = DEFAULT_KILL_GRACE
    stop_signal: signal.Signals = signal.SIGTERM
    stdout_log: Path | str | None = None
    stderr_log: Path | str | None = None
    max_log: int = DEFAULT_MAX_LOG
    max_capture: int = DEFAULT_MAX_CAPTURE
    supervised: bool = False
    marker: tuple[str, str] | None = None
    masker: Masker | None = None


@dataclass(frozen=True, slots=True)
class ProcessEnd:
    """How a process ended, and what became of its descendants.

    Attributes:
        exit_code: None when a signal ended the process.
        signal: The number of the signal, else None.
        ended_by: Who ended it. A process that ended before our request reached it has ended itself.
        duration: Seconds from the spawn to the end of the process itself.
        stdout: The last `max_capture` bytes of its output.
        stderr: The last `max_capture` bytes of its error output.
        stdout_total: The bytes that it wrote (as masked); more than `stdout` holds if that was cut.
        stderr_total: The same for the error output.
        log_dropped: Bytes over `max_log`, of both streams, that are in no log.
        swept: Descendants that were still alive after the process had ended, and were ended.
        survivors: Pids of the tree that could not be proved dead: an uninterruptible wait, or a foreign user's.
    """

    exit_code: int | None
    signal: int | None
    ended_by: EndedBy
    duration: float
    stdout: bytes
    stderr: bytes
    stdout_total: int
    stderr_total: int
    log_dropped: int
    swept: int
    survivors: tuple[int, ...]

    def __repr__(self) -> str:
        """The end in one short line: on 3.11 `asyncio.run` formats what it returns, and the output may be megabytes."""
        how = f"signal {self.signal}" if self.signal is not None else f"exit code {self.exit_code}"
        return f"<ProcessEnd: {how}, {self.ended_by} after {self.duration:.3f} s>"
