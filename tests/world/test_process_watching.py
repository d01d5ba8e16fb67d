"""How the end of a child is learned: by a pidfd, and what happens where there is none or the end is taken by others."""

import asyncio
import errno
import gc
import os
import subprocess

import pytest

from orchestration.process import run_process
from orchestration.process.watching import UNKNOWN_END, Child
from tests.world.processes import command


def started(*argv: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(argv, stdin=subprocess.DEVNULL)


async def test_the_exit_code_or_signal_of_a_child_is_learned() -> None:
    assert await Child(started("sh", "-c", "exit 7")).wait() == 7
    assert await Child(started("sh", "-c", "kill -9 $$")).wait() == -9


async def test_a_wait_that_was_cancelled_can_be_repeated() -> None:
    child = Child(started("sh", "-c", "sleep 0.05; exit 3"))
    waiting = asyncio.ensure_future(child.wait())
    await asyncio.sleep(0)
    waiting.cancel()
    assert await child.wait() == 3
    assert await child.wait() == 3


async def test_a_child_without_a_descriptor_is_looked_at_until_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_room(*_: object) -> int:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(os, "pidfd_open", no_room)
    assert await Child(started("sh", "-c", "sleep 0.05; exit 5")).wait() == 5


async def test_an_end_that_somebody_else_has_taken_is_unknown() -> None:
    process = started("true")
    os.waitid(os.P_PID, process.pid, os.WEXITED)  # noqa: ASYNC222  # it ends at once
    assert await Child(process).wait() == UNKNOWN_END


async def test_no_descriptor_is_left_behind() -> None:
    await run_process(command("true"))
    gc.collect()  # what earlier tests have left must not count
    before = len(os.listdir("/dev/fd"))  # noqa: PTH208  # a list of numbers, not of paths
    for _ in range(3):
        await run_process(command("true"))
    assert len(os.listdir("/dev/fd")) == before  # noqa: PTH208  # as above
