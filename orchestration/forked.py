"""Child processes that functions of others make by `os.fork`, also behind a pool of processes.

What a function raises is an outcome of its attempt, an exit too. In such a child it would be one as well, and the child
would go on with a run that is not its own, or hang in a loop that is none there. So it ends where the function does,
with the exit code that Python would have given it, and with an error where the function would wait for the loop.

Which process this is has to be asked for each step, and the system is slow to answer. So we count the forks that lie
between the first process and this one, and whoever begins something notes the count.

A child also has a copy of all that we hold, but none of our threads and loops: whoever waited for one of those there
would wait for ever. So what is shared between threads and runs begins anew in a child, before anything else runs in it.
Some of it must besides be at rest when the copy is made, because half of a deed cannot be begun anew: it comes to rest
before a fork, and goes on after it.
"""

import os
import sys
import threading
import traceback
from contextlib import suppress
from functools import cache
from typing import Final, Protocol
from weakref import WeakSet


class BeginsAnew(Protocol):
    """Something that counts on threads or loops of its process."""

    def begin_anew(self) -> None:
        """Be as one that was just made; called in a child process, where only the thread is left that calls."""


class Rests(BeginsAnew, Protocol):
    """Something of which a fork must not copy half a deed."""

    def rest(self) -> None:
        """Come to rest and stay so; called in the parent before the fork, and may take `PATIENCE` seconds."""

    def go_on(self) -> None:
        """The fork is over; called in the parent."""


class _Process:
    """The one that this is."""

    def __init__(self) -> None:
        self.generation = 0
        self.forking = threading.Lock()  # one fork at a time, or two would wait for what the other has brought to rest
        self.resting = threading.local()  # a stack for each thread: a signal's handler may fork in the middle of a fork

    def forks(self) -> list[list[Rests] | None]:
        """What this thread has brought to rest for each of its forks; None for one that did not get its turn."""
        stack: list[list[Rests] | None] = self.resting.__dict__.setdefault("forks", [])
        return stack


PATIENCE: Final = 5.0
"""Seconds that a fork waits for something to come to rest; what rests not even then cannot be used in the child."""


_THIS: Final = _Process()
_CANNOT_WAIT: Final = (
    "a child process that the function of a step has forked cannot wait for anything in the loop of its parent, nor "
    "yield to it; let it do its work without, and return"
)
_SHARED: Final[WeakSet[BeginsAnew]] = WeakSet()
_RESTING: Final[WeakSet[Rests]] = WeakSet()


def begin_anew_in_children(shared: BeginsAnew) -> None:
    """Have it begin anew in every child process that is forked while it is there."""
    _hear_of_children()
    _SHARED.add(shared)


def rest_while_forking(shared: Rests) -> None:
    """Have it rest during each fork, and begin anew in the child."""
    begin_anew_in_children(shared)
    _RESTING.add(shared)


@cache
def _hear_of_children() -> None:
    os.register_at_fork(before=_rest, after_in_parent=_go_on, after_in_child=_begin_anew)


def _rest() -> None:
    if not _THIS.forking.acquire(timeout=PATIENCE):
        _THIS.forks().append(None)
        return
    resting: list[Rests] = []
    _THIS.forks().append(resting)
    for shared in [*_RESTING]:
        resting.append(shared)
        shared.rest()


def _go_on() -> None:
    resting = _THIS.forks().pop()
    if resting is not None:
        for shared in resting:
            shared.go_on()
        _THIS.forking.release()


def _begin_anew() -> None:
    _THIS.forks().clear()
    _THIS.forking = threading.Lock()
    _THIS.generation += 1
    for shared in [*_SHARED]:
        shared.begin_anew()


def generation() -> int:
    """How many forks lie between the first process and this one, as far as `begin_anew_in_children` was called before.

    To be noted where something begins.
    """
    return _THIS.generation


def leave_instead_of_waiting(noted: int) -> None:
    """End this process, with an error, where it was forked since this generation was noted, and is about to wait."""
    if noted != _THIS.generation:
        leave_if_forked(noted, RuntimeError(_CANNOT_WAIT))


def leave_if_forked(noted: int, error: BaseException | None = None) -> None:
    """End this process where it was forked since this generation was noted, and what it was forked in has ended.

    Args:
        noted: what `generation` was.
        error: what was raised at the end.
    """
    if noted == _THIS.generation:
        return
    code: object = 1
    with suppress(Exception):  # whatever is broken in a child, it ends
        if error is None:
            code = 0
        elif isinstance(error, SystemExit):
            code = 0 if error.code is None else error.code
        else:
            traceback.print_exception(error, file=sys.__stderr__)
        if not isinstance(code, int):
            print(code, file=sys.__stderr__)  # as Python does with an exit by a text
        for stream in (sys.__stdout__, sys.__stderr__):
            if stream is not None:
                stream.flush()
    os._exit(code & 0xFF if isinstance(code, int) else 1)
