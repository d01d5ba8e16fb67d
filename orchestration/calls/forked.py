"""Child processes that functions of others make by `os.fork`, also behind a pool of processes.

What a function raises is an outcome of its attempt, an exit too. In such a child it would be one as well, and the child
would go on with a run that is not its own, or hang in a loop that is none there. So it ends where Python would have
ended it, with the exit code that it would have had.

A child also has a copy of all that we hold, but none of our threads and loops: whoever waited for one of those there
would wait for ever. So what is shared between threads and runs begins anew in a child, before anything else runs in it.
"""

import os
import sys
import traceback
from contextlib import suppress
from functools import cache
from typing import Final, Protocol
from weakref import WeakSet


class BeginsAnew(Protocol):
    """Something that counts on threads or loops of its process."""

    def begin_anew(self) -> None:
        """Be as one that was just made; called in a child process, where only the thread is left that calls."""


_SHARED: Final[WeakSet[BeginsAnew]] = WeakSet()


def begin_anew_in_children(shared: BeginsAnew) -> None:
    """Have it begin anew in every child process that is forked while it is there."""
    _hear_of_children()
    _SHARED.add(shared)


@cache
def _hear_of_children() -> None:
    os.register_at_fork(after_in_child=_begin_anew)


def _begin_anew() -> None:
    for shared in [*_SHARED]:
        shared.begin_anew()


def leave_if_forked(process: int, error: BaseException) -> None:
    """End this process, by what a function has raised in it, where it is not the one of this id any more."""
    if os.getpid() == process:
        return
    code: object = 1
    with suppress(Exception):  # whatever is broken in a child, it ends
        if isinstance(error, SystemExit):
            code = 0 if error.code is None else error.code
        else:
            traceback.print_exception(error, file=sys.__stderr__)
        if not isinstance(code, int):
            print(code, file=sys.__stderr__)  # as Python does with an exit by a text
        for stream in (sys.__stdout__, sys.__stderr__):
            if stream is not None:
                stream.flush()
    os._exit(code & 0xFF if isinstance(code, int) else 1)
