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
- Secrets in the output, also cut by the ends of chunks: all three get the masked stream. What was held back in case it
  became a secret comes with the end of the stream, also with one that we cut. Time counts from what was read.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from pathlib import Path

from orchestration.process.channel import Channel, Log
from orchestration.process.command import Command, Sink, Stream
from orchestration.process.steadfast import Steadfast

WATCH_DELAY = 0.01  # seconds in which the pipe itself keeps the output: nobody sees so short a delay on a screen
DRAIN_BYTES = 4 * 1024 * 1024  # bytes per stream after the end: four times the largest pipe that users may make
DRAIN_PATIENCE = 1.0  # seconds after the end for a pipe that somebody holds whom we could neither find nor end
SINK_PATIENCE = 1.0  # seconds for a sink to take the rest of a process that we have ended


def _channel(command: Command, stream: Stream, pipe: int, log: Path | str | None) -> Channel:
    return Channel(stream, pipe, Log(log, command.max_log), command.max_capture, command.masker)


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
            _channel(command, Stream.STDOUT, pipes[0], command.stdout_log),
            _channel(command, Stream.STDERR, pipes[1], command.stderr_log),
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
            bound = channel.taken + DRAIN_BYTES
            while self._step(channel) and channel.taken < bound:
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
        self._sink = None
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
        self._pass_on(channel, data)
        return True

    def _take(self, channel: Channel) -> bytes | None:
        """Read one chunk, mask and keep it; None when there was none, empty when all of it is held back."""
        data = channel.read()
        if data is None:
            return None
        if not data:
            self._end(channel)
            return None
        self.last_output = self._loop.time()
        return self._keep(channel, channel.masked(data))

    def _keep(self, channel: Channel, data: bytes) -> bytes:
        """Put a masked chunk into memory and log; returns it."""
        if not data:
            return data
        channel.keep(data)
        try:
            channel.log.write(data)
        except OSError as error:
            channel.log.close()
            channel.log = Log(None, 0)
            self._fail(error)
        return data

    def _pass_on(self, channel: Channel, data: bytes) -> None:
        """Give a masked chunk to the sink, or keep it for one that waits."""
        if not data:
            return
        if self._pump is not None:
            self._postpone(channel, data)
        elif self._sink is not None:
            self._offer(self._sink, channel.stream, data)

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
        self._turn = not self._turn  # so that a stream that never pauses does not starve the other
        for channel in self._channels if self._turn else reversed(self._channels):
            while not self._backlog and (data := self._take(channel)) is not None:
                if data:
                    return channel.stream, data
        return self._backlog.popleft() if self._backlog else None  # the end of a stream puts there what was held back

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
            self._pass_on(channel, self._keep(channel, channel.rest()))
            self._wake.set()
