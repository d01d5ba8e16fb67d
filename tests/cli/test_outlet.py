"""What is put into an outlet arrives whole and in order, and a reader that stalls holds nobody up."""

import asyncio
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

import pytest

from cli.render.outlet import MAX_PENDING, Outlet
from cli.streams import Tolerant


@contextmanager
def pipe() -> Iterator[tuple[int, TextIO]]:
    """The reading end, and a stream onto the writing end as the command line has them."""
    reader, writer = os.pipe()
    stream = io.TextIOWrapper(io.BufferedWriter(Tolerant(writer)), encoding="utf-8")
    try:
        yield reader, stream
    finally:
        for descriptor in (reader, writer):
            try:
                os.close(descriptor)
            except OSError:
                continue


async def read_all(reader: int, size: int) -> str:
    data = b""
    while len(data) < size:
        data += await asyncio.to_thread(os.read, reader, 1 << 16)
    return data.decode()


async def test_everything_arrives_in_order() -> None:
    with pipe() as (reader, stream):
        async with Outlet(stream) as outlet:
            for i in range(1000):
                outlet.put(f"{i}\n")
        assert (await read_all(reader, 3890)).split() == [str(i) for i in range(1000)]
        assert not outlet.is_busy


async def test_a_reader_that_stalls_does_not_stop_the_loop() -> None:
    with pipe() as (reader, stream):
        async with Outlet(stream) as outlet:
            outlet.put("x" * 1_000_000)  # far more than a pipe holds
            for _ in range(10):
                await asyncio.sleep(0)
            assert outlet.is_busy
            assert len(await read_all(reader, 1_000_000)) == 1_000_000


async def test_who_has_much_to_say_waits_for_room() -> None:
    with pipe() as (reader, stream):
        async with Outlet(stream) as outlet:
            outlet.put("x" * (MAX_PENDING + 100_000))
            assert outlet.is_behind
            waiting = asyncio.create_task(outlet.wait_for_room())
            await asyncio.sleep(0)
            assert not waiting.done()
            await read_all(reader, MAX_PENDING + 100_000)
            await waiting
            assert not outlet.is_behind


async def test_leaving_can_be_cancelled_while_the_terminal_is_stopped() -> None:
    with pipe() as (reader, stream):

        async def write_without_end() -> None:
            async with Outlet(stream) as outlet:
                outlet.put("x" * 1_000_000)

        writing = asyncio.create_task(write_without_end())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing
        await read_all(reader, 1_000_000)  # lets the thread end


async def test_a_dead_reader_is_no_error() -> None:
    with pipe() as (reader, stream):
        os.close(reader)
        async with Outlet(stream) as outlet:
            outlet.put("nobody reads this\n")
        assert not outlet.is_busy
