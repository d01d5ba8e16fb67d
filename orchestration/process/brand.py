"""A tie that no process breaks by accident: a number in a limit of the kernel that limits nothing.

Whoever takes his own session, lets his parents end and starts another program with an empty environment has no parent,
no session and no marker left by which he could be found. What he keeps are his limits: they pass to children, and no
`exec` changes them. `RLIMIT_LOCKS` is the one that has had no effect since Linux 2.6 and is still kept, by number 10.
So each process that is started here gets, as its soft limit of file locks, a number made of its marker (`brand_of`):
its upper half names the run, its lower half the attempt.

Edges survived: a program that is quicker than we are (it is born with its brand where `orch` is a program of its own),
threads of a host program that start processes of their own (our limit is not touched there), a hard limit that is too
low, a kernel that does not tell limits: then the other ties have to do. Somebody who sets this limit himself
(`ulimit -x`) leaves the tree on purpose.
"""

import os
import resource
import sys
from collections.abc import Callable, Coroutine, Generator, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from types import coroutine
from typing import Any, Final, TypeVar
from zlib import crc32

from orchestration.process.table import read_whole
from orchestration.process.watching import Process

_P = TypeVar("_P", bound=Process)

WIDTH: Final = 30
"""Bits of each half; both together fit into a limit, which has 63."""
_AT_ONCE: Final = 256  # brands that are asked for several times while their attempts begin
_RUNS: Final = 16  # whose halves are asked for with each attempt
_LIMIT: Final = 10
_LINE: Final = b"\nMax file locks"
_NOT_NOUGHT: Final = 1 << (WIDTH - 1)


@lru_cache(maxsize=_AT_ONCE)
def brand_of(value: str) -> int:
    """The number for a marker's value, `run/task/n`."""
    return run_brand(value) << WIDTH | _half(value)


def run_brand(value: str) -> int:
    """The upper half of the number for every marker whose value begins with the same run."""
    return _half_of_run(value.partition("/")[0])


def mark_of(folder: Path) -> str:
    """What tells apart the processes of runs that have the same id in several state folders; follows the id."""
    return f"@{crc32(os.fsencode(folder.resolve())):08x}"


def branded(start: Callable[[], _P], value: str, *, alone: bool) -> _P:
    """Start a process that bears the brand.

    Args:
        start: starts it.
        value: the marker's value.
        alone: whether nobody else in this program starts processes. Then our own limit is set for as long as that
            takes, so that the process is born with the brand; else it gets it afterwards, and with it whatever it has
            started by then.
    """
    if sys.platform != "linux":
        return start()
    if not alone:
        return _given(start(), value)
    take_back = _put_on(value)
    try:
        return start()
    finally:
        take_back()


async def branded_at_first_step(spawning: Coroutine[Any, Any, Process], value: str, *, alone: bool) -> Process:
    """The same for a call that starts it in its first step, before it waits for anything."""
    if sys.platform != "linux":
        return await spawning
    return await _first_step(spawning, _put_on(value)) if alone else _given(await spawning, value)


@contextmanager
def bearing(value: str) -> Iterator[None]:
    """Bear a brand ourselves: whatever is started in this program meanwhile, by whomever, is born with it."""
    if sys.platform != "linux":
        yield
        return
    take_back = _put_on(value)
    try:
        yield
    finally:
        take_back()


def _put_on(value: str) -> Callable[[], None]:
    """Bear a brand ourselves, so that who is started now is born with it; returns what takes it back."""
    soft, hard = resource.getrlimit(_LIMIT)
    with suppress(OSError, ValueError):  # a hard limit below it: then it stays without
        resource.setrlimit(_LIMIT, (brand_of(value), hard))
    return lambda: resource.setrlimit(_LIMIT, (soft, hard))


def _given(process: _P, value: str) -> _P:
    """Give a brand to a process that has just been started, and to whatever that has started by now."""
    todo, brand = [process.pid], brand_of(value)
    with suppress(OSError, ValueError):
        while todo:
            one = todo.pop()
            if sys.platform == "linux":
                resource.prlimit(one, _LIMIT, (brand, resource.RLIM_INFINITY))
            todo += _children(one)
    return process


@coroutine
def _first_step(work: Coroutine[Any, Any, Process], then: Callable[[], None]) -> Generator[Any, Any, Process]:
    """Await, and do something right after the first step, before anybody else's turn comes."""
    steps = work.__await__()
    try:
        try:
            waited = next(steps)
        finally:
            then()
        while True:
            try:
                value = yield waited
            except BaseException as error:  # noqa: BLE001  # a cancellation too: it is handed on
                waited = steps.throw(error)
            else:
                waited = steps.send(value)
    except StopIteration as end:
        process: Process = end.value
        return process


def read_brand(pid: int) -> int:
    """The number that a process bears; 0 where it bears none or cannot be looked at."""
    try:
        text = read_whole(f"/proc/{pid}/limits")
    except OSError:
        return 0
    word = text.partition(_LINE)[2][:80].split(maxsplit=1)[:1]
    return int(word[0]) if word and word[0].isdigit() else 0


@lru_cache(maxsize=_RUNS)
def _half_of_run(run: str) -> int:
    return _half(run)


def _half(text: str) -> int:
    return crc32(os.fsencode(text)) % _NOT_NOUGHT | _NOT_NOUGHT


def _children(pid: int) -> list[int]:
    """The children of a process's first thread, as far as the kernel lists them."""
    try:
        return [int(word) for word in read_whole(f"/proc/{pid}/task/{pid}/children").split()]
    except OSError:
        return []
