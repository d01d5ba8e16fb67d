"""Starting a process: its pipes, the spawn itself, and what can go wrong with it, said for people.

Edges it survives:

- The pipes are ours, not asyncio's: waiting for the process then never means waiting for whoever else holds a pipe. Our
  ends do not block and are not inherited; the child's ends are closed here as soon as it has them.
- No descriptor, process or memory page free just now: a machine that is busy, not a task that failed. We wait, in
  bounds. That wait obeys a wish not to start after all, for nothing has been started. Of descriptors we know more:
  children of ours that live will free theirs, so they are waited for, however long they take. Where none live, and
  nothing else goes on in this program, nobody is going to free any, and to wait would be in vain.
- A spawn by asyncio (where there are no pidfds) that is broken off half way, because the loop cancels every task of its
  own at its end: asyncio kills the process, and what that may have started by then is looked for by marker and pipes.
- The spawn keeps to the fast path of `subprocess` (vfork): own session, folder, environment and descriptors cost
  nothing there, a `preexec_fn` would fork the whole heap.
- The program is missing, no program, or its interpreter is missing; the folder is missing; arguments or environment are
  too big or hold a zero byte: each has its own message.
- A locale that cannot say what the command holds: it is then said in UTF-8.
"""

import asyncio
import errno
import os
import resource
import shutil
import subprocess
from collections.abc import Callable

from orchestration.errors import AgentMissing, OrchError, UsageError
from orchestration.process.brand import branded, branded_at_first_step
from orchestration.process.children import LiveChildren
from orchestration.process.command import Command
from orchestration.process.ending import Ending
from orchestration.process.spelling import words_of
from orchestration.process.steadfast import Steadfast
from orchestration.process.table import SharedTable, name_of_pipe, ticks_since_boot
from orchestration.process.tree import Tree
from orchestration.process.watching import Child, Process, has_pidfds
from orchestration.records import dataclass

SPAWN_PATIENCE = 30.0  # seconds for the machine to have room; others' children of a normal size end in that time
ALONE_PATIENCE = 0.25  # seconds for a descriptor to be free where nobody is seen that could free one
FIRST_PAUSE = 0.005  # seconds before the second try; doubled each time
LONGEST_PAUSE = 0.25  # seconds between two tries
NO_ROOM = frozenset({errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM, errno.ETXTBSY})  # ETXTBSY: being written
NOT_THERE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP})
LONGEST_NAME = 200  # characters of a program's name in a message
NO_ZERO_BYTES = "arguments and variables must not hold zero bytes, and names of variables no ="
MAKE_ROOM = "raise the limits of open files and processes (ulimit -n, ulimit -u), or run fewer tasks at once"
MORE_FILES = "raise the limit of open files (ulimit -n), or run fewer tasks at once"
USE_STDIN = "pass big input on stdin or in a file"
FILE_LIMIT = 8192  # descriptors: a thousand children; not more, for children inherit it and some loop over all of them


@dataclass(frozen=True, slots=True)
class Spawned:
    """A process that was started, and our ends of its pipes, which the reader of this record closes.

    `born` is in ticks since boot and no later than the process; `at` is the time of the loop just before the spawn.
    """

    process: Process
    born: int
    at: float
    stdout: int
    stderr: int
    stdin: int | None


class Pipes:
    """Both ends of the child's streams: output, error output and, if there is input to feed, input."""

    __slots__ = ("ours", "theirs")

    def __init__(self, *, feed: bool) -> None:
        """Make the pipes.

        Raises:
            OSError: There is no descriptor free; none is left open.
        """
        self.ours: list[int] = []
        self.theirs: list[int] = []
        try:
            self._add(*os.pipe())
            self._add(*os.pipe())
            if feed:
                self._add(*reversed(os.pipe()))
        except OSError:
            close_all(self.theirs)
            close_all(self.ours)
            raise

    def _add(self, ours: int, theirs: int) -> None:
        self.ours.append(ours)
        self.theirs.append(theirs)
        os.set_blocking(ours, False)

    def spawned(self, process: Process, born: int, at: float) -> Spawned:
        """The process that has our ends from now on."""
        stdout, stderr, *stdin = self.ours
        return Spawned(process, born, at, stdout, stderr, stdin[0] if stdin else None)


def close_all(descriptors: list[int]) -> None:
    """Close descriptors, each once."""
    while descriptors:
        os.close(descriptors.pop())


def raise_file_limit(wanted: int = FILE_LIMIT) -> int:
    """Raise the soft limit of open files, for every child takes several; for a program's start.

    Returns:
        The soft limit that now holds.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    target = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < target:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (target, hard))
        except (OSError, ValueError):  # macOS refuses what its kernel does not allow, whatever the hard limit says
            return soft
        return target
    return soft


def spawn_at_once(command: Command, children: LiveChildren) -> Spawned | None:
    """Start the process now, which nothing can break off half way.

    Args:
        command: What to start.
        children: The book that it will be entered in.

    Returns:
        The process, and our ends of its pipes; None where that takes more than one turn of the loop, as the machine has
        no room just now, or only asyncio can start it (`spawn`).

    Raises:
        AgentMissing: The program is not there or cannot be executed.
        UsageError: The command, the folder or the environment makes no sense.
    """
    if not command.argv:
        raise UsageError("there is no program to run: the command is empty", hint="name a program")
    if not has_pidfds():
        return None
    try:
        return _spawned(command, children)
    except ValueError as error:
        raise UsageError(f"cannot run {_name(command)}: {error}", hint=NO_ZERO_BYTES) from error
    except OSError as error:
        if error.errno in NO_ROOM:
            children.close_no_input()  # who waits for room takes none up
            return None
        raise explain(error, command) from error


async def spawn(command: Command, children: LiveChildren, unwanted: Callable[[], bool], wake: asyncio.Event) -> Spawned:
    """Start the process as soon as the machine has room for it.

    Args:
        command: What to start.
        children: The book that it will be entered in.
        unwanted: Whether to give up waiting for room.
        wake: Set when `unwanted` may have changed.

    Returns:
        The process, and our ends of its pipes.

    Raises:
        AgentMissing: The program is not there or cannot be executed.
        UsageError: The command, the folder or the environment makes no sense.
        OrchError: The machine had no room for too long.
        asyncio.CancelledError: Not wanted any more; nothing was started.
    """
    steady = Steadfast()
    pause, patience = FIRST_PAUSE, _Patience(children)
    while True:
        try:
            return _spawned(command, children) if has_pidfds() else await _spawned_by_asyncio(command, children)
        except ValueError as error:
            raise UsageError(f"cannot run {_name(command)}: {error}", hint=NO_ZERO_BYTES) from error
        except OSError as error:
            if error.errno not in NO_ROOM or patience.is_over(error):
                raise explain(error, command) from error
            children.close_no_input()
        wake.clear()
        if not unwanted():
            await steady.wait_for(wake, pause)
        if unwanted() or steady.cancellation is not None:
            raise asyncio.CancelledError
        patience.wait(pause)
        pause = min(2 * pause, LONGEST_PAUSE)


class _Patience:
    """How long to wait for room."""

    def __init__(self, children: LiveChildren) -> None:
        self._children = children
        self._waited = self._alone = 0.0

    def wait(self, seconds: float) -> None:
        """There is no room for so long."""
        self._waited += seconds
        self._alone = 0.0 if self._children.any_started else self._alone + seconds

    def is_over(self, error: OSError) -> bool:
        """Whether to give up, as this is what is missing."""
        if error.errno != errno.EMFILE:
            return self._waited >= SPAWN_PATIENCE
        return self._alone >= (ALONE_PATIENCE if self._children.are_all else SPAWN_PATIENCE)


def _spawned(command: Command, children: LiveChildren) -> Spawned:
    """Start it by `Popen`, in the loop's thread, for threads would only wait for each other."""
    argv, cwd, env = words_of(command)
    pipes = Pipes(feed=command.stdin is not None)
    born, at = ticks_since_boot(), asyncio.get_running_loop().time()

    def start() -> Child:
        return Child(
            subprocess.Popen(
                argv,
                stdin=children.no_input if command.stdin is None else pipes.theirs[2],
                stdout=pipes.theirs[0],
                stderr=pipes.theirs[1],
                cwd=cwd,
                env=env,
                start_new_session=True,
            )
        )

    try:
        process = branded(start, command.marker[1], alone=children.is_subreaper) if command.marker else start()
    except BaseException:
        close_all(pipes.ours)
        raise
    finally:
        close_all(pipes.theirs)
    return pipes.spawned(process, born, at)


async def _spawned_by_asyncio(command: Command, children: LiveChildren) -> Spawned:
    """Start it where only asyncio knows how to learn of its end."""
    pipes = Pipes(feed=command.stdin is not None)
    born, at = ticks_since_boot(), asyncio.get_running_loop().time()
    try:
        process = await _start_by_asyncio(command, pipes, alone=children.is_subreaper)
    except asyncio.CancelledError:
        close_all(pipes.theirs)
        await _sweep(command, pipes, born)
        raise
    except BaseException:
        close_all(pipes.ours)
        raise
    finally:
        close_all(pipes.theirs)
    return pipes.spawned(process, born, at)


async def _start_by_asyncio(command: Command, pipes: Pipes, *, alone: bool) -> Process:
    argv, cwd, env = words_of(command)
    starting = asyncio.create_subprocess_exec(  # noqa: TID251  # this room is the only spawner
        *argv,
        stdin=subprocess.DEVNULL if command.stdin is None else pipes.theirs[2],
        stdout=pipes.theirs[0],
        stderr=pipes.theirs[1],
        cwd=cwd,
        env=env,
        start_new_session=True,
    )
    if command.marker is None:
        return await starting
    return await branded_at_first_step(starting, command.marker[1], alone=alone)


async def _sweep(command: Command, pipes: Pipes, born: int) -> None:
    """End what a process has started whose spawn asyncio broke off, having killed it, before we knew its pid."""
    tree = Tree(0, born, command.marker)
    tree.pipes = frozenset(name_of_pipe(descriptor) for descriptor in pipes.ours)
    try:
        await Ending(tree, SharedTable(), 0.0, Steadfast(), leader_gone=True).end()
    finally:
        close_all(pipes.ours)


def explain(error: OSError, command: Command) -> OrchError:
    """Say for people why a program could not be started."""
    name, reason = _name(command), error.strerror or str(error)
    if error.errno == errno.EMFILE:
        return no_file_free(f"start {name}", error)
    if error.errno in NO_ROOM:
        return OrchError(f"no room to start {name}: {reason}", hint=MAKE_ROOM)
    if error.errno == errno.E2BIG:
        return UsageError(f"the arguments and the environment of {name} are too big for this system", hint=USE_STDIN)
    if command.cwd is not None and (error.filename == words_of(command)[1] or not command.cwd.is_dir()):
        return UsageError(f"cannot work in the folder {command.cwd}: {reason}", hint="make the folder, or name another")
    return _explain_program(error.errno, name, reason, command)


def no_file_free(deed: str, error: OSError) -> OrchError:
    """Say for people that this program has as many files open as it may have (EMFILE), so that it could not do this."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return OrchError(
        f"no room to {deed}: {error.strerror}, for this program may have only {limit} at once", hint=MORE_FILES
    )


def _explain_program(number: int | None, name: str, reason: str, command: Command) -> AgentMissing:
    if number == errno.ENOEXEC:
        return AgentMissing(f"{name} is no program: {reason}", hint="begin a script with a line such as #!/bin/sh")
    if number not in NOT_THERE:
        return AgentMissing(f"{name} cannot be executed: {reason}", hint=f"is it a program? If so: chmod +x {name}")
    found = shutil.which(command.argv[0], path=command.env.get("PATH", os.defpath))
    if found is not None:
        return AgentMissing(f"the interpreter of {found} is missing", hint="see the first line of that file")
    if os.sep in name:
        return AgentMissing(f"there is no program {name}", hint="install it, or correct the path")
    return AgentMissing(f"there is no program {name} on the PATH", hint="install it, or add its folder to PATH")


def _name(command: Command) -> str:
    """The program as messages show it."""
    return command.argv[0][:LONGEST_NAME]
