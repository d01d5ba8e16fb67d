"""Reading what a process writes: to its logs, to the caller's memory and to a sink, whatever any of them does.

Edges it survives:

- A line of megabytes: there are no lines here, only chunks.
- A pipe that nobody reads would stop the child, so both are read to the end also after a sink or a log has failed. The
  first failure is kept, and told at once, so that the process can be ended.
- A sink that waits: while it does, nothing is read, so the child is slowed down and memory stays small.
- A stream that is closed early, while the process goes on.
- A process that has ended while somebody else still holds its pipe: what is in the pipe is taken, in bounds of bytes
  and time, and no end of file is waited for in vain. Chunks that a waiting sink cannot take yet are kept for it.
- Output without end: the log stops at its bound and what is dropped is counted; memory keeps the last bytes.
- An empty stream: no file is made for it.
"""

import asyncio
import os
from collections import deque
from collections.abc import Awaitable, Callable
from pathlib import Path

from orchestration.process.command import Command, Sink, Stream
from orchestration.process.steadfast import Steadfast

CHUNK = 65536  # bytes; a pipe holds as many
WATCH_DELAY = 0.01  # seconds in which the pipe itself keeps the output: nobody sees so short a delay on a screen
DRAIN_BYTES = 4 * 1024 * 1024  # bytes per stream after the end: four times the largest pipe that users may make
DRAIN_PATIENCE = 1.0  # seconds after the end for a pipe that somebody holds whom we could neither find nor end
SINK_PATIENCE = 1.0  # seconds for a sink to take the rest of a process that we have ended


class Log:
    """A file that exists once there is something to write, up to a bound."""

    __slots__ = ("_descriptor", "_left", "_path", "dropped")

    def __init__(self, path: Path | None, limit: int) -> None:
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


def _open_for_append(path: Path) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        return os.open(path, flags, 0o600)  # output may hold secrets that masking does not know
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, flags, 0o600)


class Channel:
    """One stream: its pipe, its log, and its last bytes."""

    __slots__ = ("_limit", "_tail", "descriptor", "log", "stream", "total", "watched")

    def __init__(self, stream: Stream, descriptor: int, log: Log, limit: int) -> None:
        """Take over the read end of the pipe, which does not block."""
        self.stream = stream
        self.descriptor: int | None = descriptor
        self.log = log
        self.total = 0
        self.watched = False
        self._limit = limit
        self._tail = bytearray()

    def read(self) -> bytes | None:
        """The next chunk; None when there is nothing now, and empty, once, at the end."""
        if self.descriptor is None:
            return None
        try:
            return os.read(self.descriptor, CHUNK)
        except (BlockingIOError, InterruptedError):
            return None

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


class Reading:
    """Both streams of one process, read until they end or until enough was waited for."""

    __slots__ = (
        "_backlog",
        "_backlog_size",
        "_channels",
        "_draining",
        "_loop",
        "_on_failure",
        "_pump",
        "_sink",
        "_sink_timer",
        "_turn",
        "_wake",
        "_watch_timer",
        "error",
        "last_output",
    )

    def __init__(
        self,
        command: Command,
        pipes: tuple[int, int],
        sink: Sink | None,
        on_failure: Callable[[], None],
        wake: asyncio.Event,
    ) -> None:
        """Take over the read ends of the pipes.

        `on_failure` is called once, when the sink or a log fails; `wake` is set whenever a stream or the sink is done.
        """
        self.error: BaseException | None = None
        self._loop = asyncio.get_running_loop()
        self.last_output = self._loop.time()
        self._channels = (
            Channel(Stream.STDOUT, pipes[0], Log(command.stdout_log, command.max_log), command.max_capture),
            Channel(Stream.STDERR, pipes[1], Log(command.stderr_log, command.max_log), command.max_capture),
        )
        self._sink = sink
        self._on_failure: Callable[[], None] | None = on_failure
        self._pump: asyncio.Task[None] | None = None
        self._backlog: deque[tuple[Stream, bytes]] = deque()
        self._backlog_size = 0
        self._draining = False
        self._sink_timer: asyncio.TimerHandle | None = None
        self._watch_timer: asyncio.TimerHandle | None = None
        self._turn = False
        self._wake = wake

    @property
    def stdout(self) -> Channel:
        """The output."""
        return self._channels[0]

    @property
    def stderr(self) -> Channel:
        """The error output."""
        return self._channels[1]

    @property
    def is_waiting_for_sink(self) -> bool:
        """Whether we are not reading because the sink has not returned."""
        return self._pump is not None

    def open_pipes(self) -> list[int]:
        """The descriptors of the streams that have not ended."""
        return [channel.descriptor for channel in self._channels if channel.descriptor is not None]

    def start(self) -> None:
        """Read whenever there is something, from `WATCH_DELAY` on: short processes end before, which saves a lot."""
        self._watch_timer = self._loop.call_later(WATCH_DELAY, self._watch)

    def _watch(self) -> None:
        for channel in self._channels:
            if channel.descriptor is not None and not channel.watched:
                self._loop.add_reader(channel.descriptor, self._step, channel)
                channel.watched = True

    def _look_away(self, channel: Channel) -> None:
        if channel.descriptor is not None and channel.watched and not self._loop.is_closed():
            self._loop.remove_reader(channel.descriptor)
        channel.watched = False

    def read_out(self) -> bool:
        """Take what is in the pipes now, without waiting; True when both streams have ended."""
        self._draining = True
        for channel in self._channels:
            bound = channel.total + DRAIN_BYTES
            while self._step(channel) and channel.total < bound:
                pass
        return not self.open_pipes()

    async def wait_for_streams(self, steady: Steadfast) -> None:
        """Wait, in bounds, until both streams have ended, then close the pipes; for when the process has ended."""
        self._draining = True
        self._watch()
        deadline = self._loop.time() + DRAIN_PATIENCE
        while self.open_pipes() and (left := deadline - self._loop.time()) > 0:
            self._wake.clear()
            await steady.wait_for(self._wake, left)
        for channel in self._channels:
            self._end(channel)

    async def wait_for_sink(self, steady: Steadfast) -> None:
        """Wait until the sink has taken everything, for ever unless `limit_sink` was called: how long is its affair."""
        while self._pump is not None:
            self._wake.clear()
            await steady.wait_for(self._wake)

    def limit_sink(self, seconds: float = SINK_PATIENCE) -> None:
        """Give the sink so long for the rest; then it is cancelled, and what it has not taken is lost to it.

        One that does not let itself be cancelled either is left behind after `SINK_PATIENCE`.
        """
        if self._sink_timer is None:
            self._sink_timer = self._loop.call_later(seconds, self._dismiss_sink)

    def close(self) -> None:
        """Close pipes and logs."""
        for timer in (self._watch_timer, self._sink_timer):
            if timer is not None:
                timer.cancel()
        for channel in self._channels:
            self._end(channel)
            channel.log.close()
        self._on_failure = None  # no ring of references is left for the collector

    def _step(self, channel: Channel) -> bool:
        """Read one chunk and pass it on; False when there was none."""
        data = self._take(channel)
        if data is None:
            return False
        if self._pump is not None:
            self._postpone(channel, data)
        elif self._sink is not None:
            self._offer(self._sink, channel.stream, data)
        return True

    def _take(self, channel: Channel) -> bytes | None:
        """Read one chunk and keep it; None when there was none."""
        data = channel.read()
        if data is None:
            return None
        if not data:
            self._end(channel)
            return None
        self.last_output = self._loop.time()
        channel.keep(data)
        try:
            channel.log.write(data)
        except OSError as error:
            channel.log.close()
            channel.log = Log(None, 0)
            self._fail(error)
        return data

    def _offer(self, sink: Sink, stream: Stream, data: bytes) -> None:
        """Give the sink a chunk; if it waits, stop reading and wait with it in a task of its own."""
        try:
            answer = sink(stream, data)
        except Exception as error:  # noqa: BLE001  # kept, and raised when the process has ended
            self._fail(error)
            return
        if answer is not None:
            self._pump = self._loop.create_task(self._deliver(sink, answer))
            self._pump.add_done_callback(self._delivered)
            if not self._draining:
                for channel in self._channels:
                    self._look_away(channel)

    def _postpone(self, channel: Channel, data: bytes) -> None:
        """Keep a chunk for a sink that waits; happens only after the end, and not without bound."""
        self._backlog.append((channel.stream, data))
        self._backlog_size += len(data)
        if self._backlog_size > len(self._channels) * DRAIN_BYTES:
            self._end(channel)

    async def _deliver(self, sink: Sink, answer: Awaitable[None]) -> None:
        """Wait for the sink, then go on reading for it for as long as there is something; others get their turn."""
        await answer
        while self._sink is not None and (chunk := self._next()) is not None:
            following = sink(*chunk)
            if following is not None:
                await following
            await asyncio.sleep(0)

    def _next(self) -> tuple[Stream, bytes] | None:
        if self._backlog:
            return self._backlog.popleft()
        self._turn = not self._turn  # so that a stream that never pauses does not starve the other
        for channel in self._channels if self._turn else reversed(self._channels):
            data = self._take(channel)
            if data is not None:
                return channel.stream, data
        return None

    def _delivered(self, pump: asyncio.Task[None]) -> None:
        self._pump = None
        self.last_output = self._loop.time()
        if pump.cancelled():
            if self._sink is not None:  # not dismissed: it was the sink that met a cancellation
                self._fail(asyncio.CancelledError())
        elif (error := pump.exception()) is not None:
            self._fail(error)
        self._wake.set()
        if not self._draining:
            self._watch()

    def _dismiss_sink(self) -> None:
        self._sink = None
        self._backlog.clear()
        if self._pump is not None:
            self._pump.cancel()
            self._sink_timer = self._loop.call_later(SINK_PATIENCE, self._leave_sink_behind)

    def _leave_sink_behind(self) -> None:
        self._pump = None
        self._wake.set()

    def _fail(self, error: BaseException) -> None:
        """Keep the first failure; from now on the streams are only drained."""
        self._sink = None
        self._backlog.clear()
        if self.error is None:
            self.error = error
            if self._on_failure is not None:
                self._on_failure()

    def _end(self, channel: Channel) -> None:
        if channel.descriptor is not None:
            self._look_away(channel)
            channel.close()
            self._wake.set()
