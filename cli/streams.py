"""Standard output and error that may be closed, full, dead or slow, and never raise for it.

Whoever reads us may go away at any time: `orch list | head -1`, a terminal that is closed, a disk that fills up. None
of that may harm a run or end in a traceback. So both streams are put on a raw stream of ours, which

- goes silent once its reader is gone (a broken pipe, a hung-up terminal) and remembers any other reason, such as a full
  disk, so that the command can end with it;
- waits where another process has made the shared pipe or terminal non-blocking, instead of losing what did not fit;
- writes what the encoding cannot say as `?`, so that an ASCII terminal costs accents and no command;
- stands on /dev/null where the descriptor was closed before we started, so that no file of ours ever gets its number.
"""

import errno
import io
import os
import sys

TYPE_CHECKING = False  # taken for True by type checkers: importing `typing` would double the time of `orch version`
if TYPE_CHECKING:
    from typing import TextIO

    from _typeshed import ReadableBuffer

READER_GONE = frozenset({errno.EPIPE, errno.EIO, errno.ENXIO, errno.EBADF, errno.ECONNRESET, errno.ESHUTDOWN})
STANDARD = (0, 1, 2)


class Tolerant(io.RawIOBase):
    """A descriptor that swallows what nobody can read any more; `error` says why it could not be written."""

    def __init__(self, fd: int) -> None:
        super().__init__()
        self._fd = fd
        self.silent = False
        self.error: OSError | None = None

    def writable(self) -> bool:
        """Always: that is what it is for."""
        return True

    def fileno(self) -> int:
        """The descriptor, for those who ask a terminal for its size."""
        return self._fd

    def isatty(self) -> bool:
        """Whether a person may be watching."""
        return os.isatty(self._fd)

    def write(self, data: "ReadableBuffer", /) -> int:
        """Write all of it, or note why not; either way it counts as written."""
        view = memoryview(data).cast("B")
        done = 0
        while done < len(view) and not self.silent:
            try:
                done += os.write(self._fd, view[done:])
            except BlockingIOError:
                self._wait_for_room()
            except OSError as error:
                self.silent = True
                self.error = None if error.errno in READER_GONE else error
        return len(view)

    def move(self) -> None:
        """Write to the same place by a descriptor that nobody else knows."""
        self._fd = os.dup(self._fd)

    def _wait_for_room(self) -> None:
        import select

        select.select([], [self._fd], [])


def adopt() -> None:
    """Put `sys.stdout` and `sys.stderr` on tolerant streams; call it once, before anything is printed."""
    _fill_closed_descriptors()
    sys.stdout = tolerant(sys.stdout, 1)
    sys.stderr = tolerant(sys.stderr, 2)


def failure_of(stream: "TextIO") -> OSError | None:
    """Flush a stream and return why it could not be written, None where it could or nobody reads it any more."""
    stream.flush()
    raw = getattr(getattr(stream, "buffer", None), "raw", None)
    return raw.error if isinstance(raw, Tolerant) else None


def _fill_closed_descriptors() -> None:
    for fd in STANDARD:
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number, which is this one: the lower ones are in use


def tolerant(stream: "TextIO | None", fd: int) -> "TextIO":
    """The stream's own encoding on a raw stream of ours; None is what Python has for a closed descriptor."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    if stream is not None:
        stream.flush()
    buffered = io.BufferedWriter(Tolerant(fd))
    return io.TextIOWrapper(buffered, encoding=encoding, errors="replace", line_buffering=os.isatty(fd))
