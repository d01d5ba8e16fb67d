"""Code of somebody else that runs in this process and ends it by `os._exit`: no success, whatever number it gives.

`sys.exit` is an outcome of its step. `os._exit` asks nobody: what runs is cut off as by a crash, nothing is written,
and a caller would take the 0 of `os._exit(0)` for a run that has succeeded. Only children that were forked may leave
so. (What calls the C library's `_exit` by itself is not noticed.)
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def nobody_leaves(instead: Callable[[int], int]) -> Iterator[None]:
    """Have `instead` called where this process is ended by `os._exit`; given the status, it returns the exit code."""
    leave, us = os._exit, os.getpid()

    def exit_of(status: int) -> None:
        leave(instead(status) if os.getpid() == us else status)

    os._exit = exit_of  # type: ignore[assignment]  # for as long as this is open
    try:
        yield
    finally:
        os._exit = leave
