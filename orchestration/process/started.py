"""What a process is once it has been started: its reading, its clocks, and the one way by which it is ended.

Edges it survives, beside those of `running`, which holds one of these for each process:

- An end ordered after the process has ended by itself, noticed or not: it ended itself.
- A process that no signal ends: the wait for it is given up and it is named as a survivor.
- A leftover without any tie but a pipe it holds: the pipe that does not end is the evidence, and who holds it is found.
  (Without a marker, not where orphans come to us, own session, parents ended before any look, pipes closed: such a one
  is not found at a normal end.)
"""

import asyncio
from collections.abc import Iterable

from orchestration.process.children import LiveChildren
from orchestration.process.command import Command, EndedBy, ProcessEnd, Sink
from orchestration.process.ending import Ending, group_is_alive, has_ended, kill_at_once
from orchestration.process.feeding import Feeding
from orchestration.process.reading import SINK_PATIENCE, Reading
from orchestration.process.spawn import Spawned
from orchestration.process.steadfast import Steadfast
from orchestration.process.table import Entry, name_of_pipe, read_table
from orchestration.process.tree import Tree


class Started:
    """A process that was started."""

    __slots__ = (
        "_children",
        "_command",
        "_duration",
        "_ended_by",
        "_ending",
        "_feeding",
        "_forced",
        "_gone",
        "_loop",
        "_over",
        "_spawned",
        "_survivors",
        "_swept",
        "_task",
        "_timers",
        "_tree",
        "_unproved",
        "_wake",
        "_why",
        "reading",
    )

    def __init__(
        self,
        spawned: Spawned,
        command: Command,
        sink: Sink | None,
        children: LiveChildren,
        events: tuple[asyncio.Event, asyncio.Event],
    ) -> None:
        """Read and feed the process, and start its clocks.

        Of the events, the first is set here when the process cannot be ended and the wait for it is given up; the
        second is set whenever something is done that `settle` may be waiting for.
        """
        self._loop = asyncio.get_running_loop()
        self._spawned = spawned
        self._command = command
        self._children = children
        self._gone, self._wake = events
        self._tree = Tree(spawned.process.pid, spawned.born, command.marker, supervised=command.supervised)
        self._ended_by = EndedBy.ITSELF
        self._why = EndedBy.ITSELF
        self._ending: Ending | None = None
        self._task: asyncio.Task[None] | None = None
        self._forced = False  # whether we ended it
        self._unproved = False  # whether we killed without looking again
        self._duration: float | None = None
        self._swept = 0
        self._survivors: tuple[int, ...] = ()
        self._over = False
        self.reading = Reading(command, (spawned.stdout, spawned.stderr), sink, self.cancel, self._wake)
        self.reading.start()
        self._feeding = None if spawned.stdin is None else Feeding(spawned.stdin, command.stdin or b"")
        self._timers: dict[EndedBy, asyncio.TimerHandle] = {}
        self._start_clocks()

    @property
    def reaped_leader(self) -> int | None:
        """The pid of the process, if it is nobody's any more."""
        return None if self._spawned.process.returncode is None else self._spawned.process.pid

    def note_duration(self) -> None:
        """Note that the process has ended now."""
        self._duration = self._loop.time() - self._spawned.at

    def end_it(self, why: EndedBy) -> None:
        """End the process and its tree, unless it has ended or is being ended already."""
        if self._task is not None or has_ended(self._spawned.process):
            return
        self._why = why
        self._forced = True
        self._ending = Ending(
            self._tree,
            self._children.table,
            self._grace(),
            Steadfast(),
            leader_gone=False,
            request=self._command.stop_signal,
        )
        self._task = self._loop.create_task(self._ending.end())
        self._task.add_done_callback(self._ending_is_over)

    def is_being_ended(self) -> bool:
        """Whether its end was ordered."""
        return self._forced

    def cancel(self) -> None:
        """End the process because nobody wants it any more; if it has ended, hurry up with the rest."""
        self.end_it(EndedBy.CANCELLED)
        if self._gone.is_set():
            self._limit_sink()

    def hurry(self) -> None:
        """Give no more grace."""
        if self._ending is not None:
            self._ending.hurry()

    def kill_now(self, table: Iterable[Entry]) -> None:
        """Kill the whole tree, without waiting."""
        self.hurry()
        self._forced = self._unproved = True
        if kill_at_once(self._tree, table):
            self._ended_by = EndedBy.CANCELLED if self._task is None else self._why

    async def settle(self, steady: Steadfast) -> None:
        """See to the rest, when the process itself is gone: its tree, its output, its sink."""
        self._stop_clocks()
        if self._feeding is not None:
            self._feeding.close()
        self._tree.leader_reaped = self.reaped_leader is not None
        if self._task is not None:
            await self._finish_ending(steady, self._task)
        if self._forced or steady.cancellation is not None:
            self._limit_sink()
        at_end = self.reading.read_out()
        if self._has_leftovers() or not at_end:
            await self._sweep(steady)
            at_end = self.reading.read_out()
        if not at_end:
            await self.reading.wait_for_streams(steady)
        await self.reading.wait_for_sink(steady)
        self._over = True

    def record(self) -> ProcessEnd:
        """The facts of the end."""
        code = self._spawned.process.returncode
        return ProcessEnd(
            exit_code=code if code is not None and code >= 0 else None,
            signal=-code if code is not None and code < 0 else None,
            ended_by=self._ended_by,
            duration=self._loop.time() - self._spawned.at if self._duration is None else self._duration,
            stdout=self.reading.stdout.tail(),
            stderr=self.reading.stderr.tail(),
            stdout_total=self.reading.stdout.total,
            stderr_total=self.reading.stderr.total,
            log_dropped=self.reading.stdout.log.dropped + self.reading.stderr.log.dropped,
            swept=self._swept,
            survivors=self._survivors,
        )

    def close(self) -> None:
        """Let go of everything; kill the tree if we are torn away in the middle, where waiting is not possible."""
        if not self._over:
            kill_at_once(self._tree, read_table())
        self._stop_clocks()
        if self._feeding is not None:
            self._feeding.close()
        self.reading.close()

    def _grace(self) -> float:
        return 0.0 if self._children.is_hasty else self._command.kill_grace

    def _limit_sink(self) -> None:
        self.reading.limit_sink(0.0 if self._children.is_hasty else SINK_PATIENCE)

    def _has_leftovers(self) -> bool:
        """Whether a look at the whole table is called for: some microseconds, if nothing is left."""
        orphans = self._children.has_orphans(self._tree)
        return self._unproved or orphans or group_is_alive(self._tree)

    async def _sweep(self, steady: Steadfast) -> None:
        self._tree.pipes = frozenset(map(name_of_pipe, self.reading.open_pipes()))
        self._ending = Ending(self._tree, self._children.table, self._grace(), steady, leader_gone=True)
        await self._ending.end()
        self._swept += self._ending.swept
        self._survivors = self._ending.survivors

    async def _finish_ending(self, steady: Steadfast, task: asyncio.Task[None]) -> None:
        while not task.done():
            self._wake.clear()
            await steady.wait_for(self._wake)
        task.result()
        if self._ending is not None:
            self._swept, self._survivors = self._ending.swept, self._ending.survivors
            if self._ending.reached_leader:
                self._ended_by = self._why

    def _ending_is_over(self, task: asyncio.Task[None]) -> None:
        self._wake.set()
        survived = self._ending is not None and self._tree.leader in self._ending.survivors
        if survived or task.cancelled() or task.exception() is not None:
            self._gone.set()

    def _start_clocks(self) -> None:
        if self._command.timeout is not None:
            due = self._spawned.at + self._command.timeout
            self._timers[EndedBy.TIMEOUT] = self._loop.call_at(due, self.end_it, EndedBy.TIMEOUT)
        if self._command.idle_timeout is not None:
            self._watch_idleness(self._command.idle_timeout)

    def _stop_clocks(self) -> None:
        for timer in self._timers.values():
            timer.cancel()

    def _watch_idleness(self, limit: float) -> None:
        """End the process if it was silent for so long; else look again when it could have been."""
        now = self._loop.time()
        since = now if self.reading.is_waiting_for_sink else self.reading.last_output
        if since + limit <= now:
            self.end_it(EndedBy.IDLE_TIMEOUT)
        else:
            self._timers[EndedBy.IDLE_TIMEOUT] = self._loop.call_at(since + limit, self._watch_idleness, limit)
