"""Running one process from its spawn to the proof that nothing of it is left.

The life of a process: it is spawned; its output is read and its input fed while it runs; it ends by itself, or a timer,
a cancellation or a failing sink orders its end; what it left behind is ended too; the rest of its output is taken; the
record of its end is made. Only then does the call return or raise. Edges it survives:

- A cancellation, or several, at any of these points: the tree is ended first, and the record is handed to `on_end`.
- `asyncio.run` cancelling all tasks, ours too; a loop that is thrown away in the middle (all is killed on the spot).
- A loop that cancels all tasks in the very turn in which asyncio spawns: then asyncio waits for ever for a process that
  it has killed. It is cancelled once more, which frees it.
- An end ordered while the process is being spawned: it is carried out as soon as its pid is known.
"""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress

from orchestration.process.children import LiveChildren
from orchestration.process.command import Command, EndedBy, ProcessEnd, Sink
from orchestration.process.control import Control
from orchestration.process.ending import kill_at_once
from orchestration.process.spawn import Spawned, spawn, spawn_at_once
from orchestration.process.started import Started
from orchestration.process.steadfast import Steadfast
from orchestration.process.table import Entry, read_table
from orchestration.process.tree import Tree
from orchestration.process.watching import Child

STUCK = 0.5  # seconds after which a spawn that was broken off is taken to hang; the turns it needs take microseconds


async def run_process(
    command: Command,
    sink: Sink | None = None,
    *,
    children: LiveChildren | None = None,
    on_end: Callable[[ProcessEnd], None] | None = None,
    control: Control | None = None,
) -> ProcessEnd:
    """Run a program to its end, and end whatever it started.

    Args:
        command: What to run, with its bounds.
        sink: Given every chunk of output as it comes.
        children: The book to enter the process in: there is one per program.
        on_end: Called once with the record of a process that was started, before this returns or raises.
        control: Ends the process on request of its reader.

    Returns:
        How it ended. A process that fails is a value.

    Raises:
        AgentMissing: The program is not there or cannot be executed.
        UsageError: The folder, the arguments or the environment make no sense.
        OrchError: The machine had no room for another process for too long.
        asyncio.CancelledError: We were cancelled; by now the whole tree is ended.
        Exception: What the sink raised, or OSError of a log; the whole tree is ended.
    """
    book = LiveChildren() if children is None else children
    running = Running(command, sink, book, control)
    try:
        end = await running.run()
    finally:
        if children is None:
            book.close()  # now: an error that is raised holds on to it, and is often left to the collector
    if end is not None and on_end is not None:
        on_end(end)
    return running.result(end)


class Running:
    """The life of one process from the wish to start it; what happens before and around the start."""

    __slots__ = (
        "_children",
        "_command",
        "_control",
        "_gone",
        "_lead",
        "_order",
        "_sink",
        "_started",
        "_steady",
        "_wake",
    )

    def __init__(self, command: Command, sink: Sink | None, children: LiveChildren, control: Control | None) -> None:
        """Describe it; nothing is started."""
        self._command = command
        self._control = control
        self._sink = sink
        self._children = children
        self._steady = Steadfast(self._cancel)
        self._gone = asyncio.Event()
        self._wake = asyncio.Event()
        self._order: EndedBy | None = None
        self._started: Started | None = None
        self._lead: asyncio.Task[None] | None = None

    async def run(self) -> ProcessEnd | None:
        """Run it to its end; None if it could not be started, and `result` says why."""
        self._children.enter(self)
        self._children.guard(self._command)
        try:
            self._start()
            await self._steady.wait_for(self._gone)
            if self._started is None:
                return None
            await self._started.settle(self._steady)
            return self._started.record()
        finally:
            leader = None
            if self._started is not None:
                self._started.close()
                leader = self._started.reaped_leader
            self._children.strike(self, leader)
            self._steady.release()
            if self._control is not None:
                self._control.release()

    def result(self, end: ProcessEnd | None) -> ProcessEnd:
        """Return the end, or raise what kept it from being the answer: a cancellation before anything else."""
        failure = self._started.reading.error if self._started is not None else None
        if self._steady.cancellation is not None:
            raise self._steady.cancellation from failure
        if failure is not None:
            raise failure
        if self._lead is not None and self._lead.done():
            self._lead.result()
        if end is None:
            raise asyncio.CancelledError
        return end

    def hurry(self) -> None:
        """Give no more grace."""
        if self._started is not None:
            self._started.hurry()

    def kill_now(self, table: Iterable[Entry]) -> None:
        """Kill the whole tree, without waiting; if it is just being started, as soon as it is there."""
        if self._started is not None:
            self._started.kill_now(table)
        else:
            self._cancel()

    def _cancel(self) -> None:
        if self._started is not None:
            self._started.cancel()
            return
        self._order = EndedBy.CANCELLED
        self._wake.set()
        asyncio.get_running_loop().call_later(STUCK, self._free_stuck_spawn)

    def _free_stuck_spawn(self) -> None:
        if self._lead is not None and self._lead.cancelling():
            self._lead.cancel()

    def _start(self) -> None:
        """Start the process now, or else in a task that nobody but a closing loop cancels."""
        spawned = spawn_at_once(self._command, self._children)
        if spawned is not None:
            self._begin(spawned)
        else:
            self._lead = asyncio.get_running_loop().create_task(self._spawn_and_wait())
            self._lead.add_done_callback(lambda _: self._gone.set())

    async def _spawn_and_wait(self) -> None:
        """Start the process when there is room, and wait for its end."""
        spawned = await spawn(self._command, self._children, lambda: self._order is not None, self._wake)
        self._begin(spawned)
        while spawned.process.returncode is None:
            with suppress(asyncio.CancelledError):
                await spawned.process.wait()
        self._note_end()

    def _begin(self, spawned: Spawned) -> None:
        """Take charge of the process."""
        self._children.note_leader(spawned.process.pid)
        try:
            self._started = Started(spawned, self._command, self._sink, self._children, (self._gone, self._wake))
        except BaseException:  # a fault of ours must not leave a process that nobody waits for
            kill_at_once(Tree(spawned.process.pid, spawned.born, self._command.marker), read_table())
            raise
        if self._order is not None:
            self._started.end_it(self._order)
        if self._control is not None:
            self._control.bind(self._started.end_it, self._started.is_being_ended)
        if self._lead is None and isinstance(spawned.process, Child):
            spawned.process.call_at_end(self._note_end)

    def _note_end(self) -> None:
        if self._started is not None:
            self._started.note_duration()
            self._gone.set()
