"""The worker's parts by themselves: messages among prints, what it imports, and how soon it is there."""

import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import partial, wraps
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.executors.function import PACKAGE, START
from orchestration.worker.calling import BY_NAME, BY_POSITION, REQUIRED, parameters
from orchestration.worker.frames import MAX_MESSAGE, BadMessage, Reader, Writer

TOKEN = b"0123456789abcdef"
REQUEST = {
    "task": {"id": "T-1"},
    "inputs": {},
    "parameters": {},
    "upstream": {},
    "prompt": "",
    "attempt": 1,
    "run_id": "r",
    "directory": "/",
    "token": TOKEN.decode(),
}
CHILD = (sys.executable, "-P", "-c", START, PACKAGE)

messages = st.binary(max_size=200).map(lambda data: data.replace(b"\n", b"").replace(b"\x1e", b""))
prints = st.binary(max_size=40) | st.sampled_from([b"\x1e", b"\x1e" + TOKEN[:5], b"\n", b"\x1e0", TOKEN, b""])


def written(message: bytes) -> bytes:
    """What a writer puts into a pipe for a message."""
    reading, writing = os.pipe()
    chunks: list[bytes] = []
    drain = threading.Thread(target=lambda: chunks.extend(iter(lambda: os.read(reading, 65536), b"")))
    drain.start()
    Writer(writing, TOKEN).write(message)
    os.close(writing)
    drain.join()
    os.close(reading)
    return b"".join(chunks)


def read(stream: bytes, cuts: list[int]) -> tuple[bytes, list[bytes]]:
    """The prints and the messages that a reader finds in a stream that comes in pieces."""
    reader = Reader(TOKEN)
    bounds = sorted({0, len(stream), *(cut % (len(stream) + 1) for cut in cuts)})
    found = [part for a, b in pairwise(bounds) for part in reader.feed(stream[a:b])]
    printed = b"".join(data for is_message, data in found if not is_message) + reader.rest()
    return printed, [data for is_message, data in found if is_message]


@pytest.mark.slow
@given(st.lists(st.tuples(prints, messages), max_size=6), prints, st.lists(st.integers(0, 10_000), max_size=8))
def test_messages_and_prints_are_told_apart_wherever_the_stream_is_cut(
    parts: list[tuple[bytes, bytes]], end: bytes, cuts: list[int]
) -> None:
    stream = b"".join(printed + written(message) for printed, message in parts) + end
    assert read(stream, cuts) == (
        b"".join(printed for printed, _ in parts) + end,
        [message for _, message in parts],
    )


@pytest.mark.parametrize("size", [0, 1, 4000, 4096, 100_000, 3_000_000])
def test_a_message_of_any_size_comes_through_in_parts_that_a_pipe_takes_whole(size: int) -> None:
    message = bytes(ord("a") + n % 26 for n in range(size))
    stream = written(message)
    assert max(len(part) + 1 for part in stream.split(b"\n")) <= 4096
    assert read(stream, [len(stream) // 3]) == (b"", [message])


def test_a_message_that_never_ends_is_no_print() -> None:
    stream = b"printed" + written(b'{"done":1}')
    assert read(stream[:-1], []) == (b"printed", [])


def test_a_message_without_bound_is_refused_on_both_sides() -> None:
    with pytest.raises(BadMessage):
        Writer(1, TOKEN).write(bytes(MAX_MESSAGE + 1))
    part = b"\x1e" + TOKEN + b"+" + 1024 * 1024 * b"x" + b"\n"
    reader = Reader(TOKEN)
    with pytest.raises(BadMessage):
        list(reader.feed((MAX_MESSAGE // len(part) + 2) * part))


def test_a_pipe_that_does_not_block_is_waited_for() -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    message = 300_000 * b"x"
    writer = threading.Thread(target=Writer(writing, TOKEN).write, args=(message,))
    writer.start()
    reader = Reader(TOKEN)
    found: list[bytes] = []
    while not found:
        found = [data for is_message, data in reader.feed(os.read(reading, 65536)) if is_message]
    writer.join()
    os.close(reading)
    os.close(writing)
    assert found == [message]


def plain(a: int, b: int = 1, /, c: int = 2, *args: int, d: int, e: int = 3, **others: int) -> None:
    """Has every kind of parameter."""


@wraps(plain)
def wrapped(*args: int, **others: int) -> None:
    """Looks like what it wraps."""


class WithMethod:
    def method(self, a: int) -> None:
        """Is bound when it is looked up."""


@pytest.mark.parametrize("function", [plain, wrapped])
def test_parameters_are_found_with_and_without_inspect(function: Callable[..., Any]) -> None:
    assert list(parameters(function)) == [
        ("a", BY_POSITION, REQUIRED),
        ("b", BY_POSITION, 1),
        ("c", BY_NAME, 2),
        ("d", BY_NAME, REQUIRED),
        ("e", BY_NAME, 3),
        *[(name, "all others", REQUIRED) for name in ("",) if function is plain],
        *[(name, "all others", REQUIRED) for name in ("others",) if function is wrapped],
    ]


def test_parameters_that_are_bound_already_are_left_out() -> None:
    assert [name for name, _, _ in parameters(WithMethod().method)] == ["a"]
    assert [name for name, _, _ in parameters(partial(plain, 5))] == ["b", "c", "d", "e", "others"]


def run_worker(function: str, **changes: object) -> "subprocess.CompletedProcess[bytes]":
    request = json.dumps({**REQUEST, "function": function, **changes}).encode()
    return subprocess.run(CHILD, input=request, capture_output=True, env={}, check=False)


def test_the_worker_imports_little_and_nothing_from_outside_the_standard_library() -> None:
    done = run_worker("json:dumps", inputs={"obj": 1})
    assert read(done.stdout, [])[1] == [b'{"done":{"output":"1","outputs":{}}}'], done.stderr
    assert START.endswith("; main()")
    code = START.removesuffix("main()") + "print(*sys.modules)"
    argv = (sys.executable, "-I", "-S", "-c", code, PACKAGE)
    loaded = subprocess.run(argv, capture_output=True, text=True, check=True)
    names = {name.partition(".")[0] for name in loaded.stdout.split()}
    assert names - {"orchestration", "__main__"} <= sys.stdlib_module_names
    assert not names & {
        "contextlib",
        "asyncio",
        "dataclasses",
        "inspect",
        "pathlib",
        "subprocess",
        "threading",
        "traceback",
        "typing",
    }


@pytest.mark.slow
def test_the_worker_is_there_in_a_few_times_the_start_of_python() -> None:
    request = json.dumps({**REQUEST, "function": "os:getpid"}).encode()

    def ratio() -> float:
        empty: list[float] = []
        worker: list[float] = []
        for _ in range(15):
            for argv, times in (((sys.executable, "-P", "-c", "pass"), empty), (CHILD, worker)):
                begun = time.perf_counter()
                subprocess.run(argv, input=request, capture_output=True, env={}, check=True)
                times.append(time.perf_counter() - begun)
        return statistics.median(worker) / statistics.median(empty)

    assert any(ratio() < 4 for _ in range(3))  # the machine may have other things to do
