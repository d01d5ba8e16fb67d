"""One stream of a process: its pipe, its mask, its log and its last bytes.

What is masked is masked before anything else sees it: the log, the memory and the sink get the same bytes, so what is
held back by the mask (the beginning of what may become a secret) reaches none of them before it is decided. Counts for
people (`total`, `dropped`) are of masked bytes, so that they fit what is kept; how much was read (`taken`) bounds the
work.
"""

import os
from pathlib import Path

from orchestration.masking import Masker
from orchestration.process.command import Stream

CHUNK = 65536  # bytes; a pipe holds as many


class Log:
    """A file that exists once there is something to write, up to a bound."""

    __slots__ = ("_descriptor", "_left", "_path", "dropped")

    def __init__(self, path: Path | str | None, limit: int) -> None:
        """Name the file; None for no log, which drops nothing."""
        self.dropped = 0
        self._path = path
        self._left = limit
        self._descriptor: int | None = None

    def write(self, data: bytes) -> None:
        """Append, as far as the bound allows.

        Raises:
            OSError: The file cannot be made or written.
        """
        if self._path is None:
            return
        if self._descriptor is None:
            self._descriptor = _open_for_append(self._path)
        allowed = data[: self._left] if len(data) > self._left else data
        self.dropped += len(data) - len(allowed)
        self._left -= len(allowed)
        while allowed:
            allowed = allowed[os.write(self._descriptor, allowed) :]

    def close(self) -> None:
        """Close the file, if there is one."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _open_for_append(path: Path | str) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        return os.open(path, flags, 0o600)  # output may hold secrets that masking does not know
    except FileNotFoundError:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, flags, 0o600)


class Channel:
    """One stream: its pipe, its log, and its last bytes."""

    __slots__ = ("_limit", "_mask", "_tail", "descriptor", "log", "stream", "taken", "total", "watched")

    def __init__(self, stream: Stream, descriptor: int, log: Log, limit: int, masker: Masker | None) -> None:
        """Take over the read end of the pipe, which does not block."""
        self.stream = stream
        self.descriptor: int | None = descriptor
        self.log = log
        self.taken = 0
        self.total = 0
        self.watched = False
        self._limit = limit
        self._tail = bytearray()
        self._mask = masker.stream() if masker else None

    def read(self) -> bytes | None:
        """The next chunk; None when there is nothing now, and empty, once, at the end."""
        if self.descriptor is None:
            return None
        try:
            data = os.read(self.descriptor, CHUNK)
        except (BlockingIOError, InterruptedError):
            return None
        self.taken += len(data)
        return data

    def masked(self, data: bytes) -> bytes:
        """The chunk without secrets, which may be less or more than it; what is missing comes with a later one."""
        return data if self._mask is None else self._mask.feed(data)

    def rest(self) -> bytes:
        """What masking has held back, for when nothing more will be read."""
        return b"" if self._mask is None else self._mask.flush()

    def keep(self, data: bytes) -> None:
        """Count the chunk and keep it among the last bytes."""
        self.total += len(data)
        self._tail += data
        if len(self._tail) > 2 * self._limit:  # cut seldom, so that every byte is moved once
            del self._tail[: len(self._tail) - self._limit]

    def tail(self) -> bytes:
        """The last bytes of what was read."""
        return bytes(self._tail[max(0, len(self._tail) - self._limit) :])

    def close(self) -> None:
        """Close the pipe."""
        if self.descriptor is not None:
            os.close(self.descriptor)
            self.descriptor = None
