"""One store that several threads and loops use at once, and that a forked child has a copy of."""

import asyncio
import os
import signal
import sqlite3
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pytest

from orchestration import forked
from orchestration.errors import StoreError
from orchestration.protocols import RunStore
from orchestration.store.sqlite import SqliteStore
from tests.world.store_samples import many, opened

T = TypeVar("T")
RUNS = 4
EVENTS = 60


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / ".orchestration"


def _run(deed: Coroutine[Any, Any, T]) -> T:
    """Do it in a loop of its own."""
    with asyncio.Runner() as runner:
        return runner.run(deed)


async def _soon(deed: Awaitable[T]) -> T:
    """What comes of it, which must not take for ever."""
    async with asyncio.timeout(20):
        return await deed


async def _one_by_one(store: RunStore, run_id: str, count: int = EVENTS, first: int = 2) -> None:
    for event in many(run_id, count, first=first):
        await _soon(store.append(run_id, [event]))


@pytest.mark.slow
def test_threads_that_use_a_store_while_others_close_it_lose_nothing_and_never_hang(folder: Path) -> None:
    store = SqliteStore(folder)
    done = threading.Event()

    async def record(run_id: str) -> None:
        await opened(store, run_id)
        for first in range(2, EVENTS, 10):
            await _one_by_one(store, run_id, 10, first)
            assert len(await _soon(store.events(run_id))) == first + 9
        await store.close()

    async def keep_closing() -> None:
        while not done.is_set():
            await _soon(store.close())

    with ThreadPoolExecutor(RUNS + 2) as threads:
        closing = [threads.submit(_run, keep_closing()) for _ in range(2)]
        recording = [threads.submit(_run, record(f"r{number}")) for number in range(RUNS)]
        try:
            for each in recording:
                each.result(timeout=120)
        finally:
            done.set()
        for each in closing:
            each.result(timeout=30)
    _run(_check(folder, {f"r{number}": EVENTS + 1 for number in range(RUNS)}))


async def _check(folder: Path, expected: dict[str, int]) -> None:
    fresh = SqliteStore(folder)
    assert {run_id: len(await fresh.events(run_id)) for run_id in expected} == expected
    await fresh.close()


def _in_child(deed: Callable[[], Coroutine[Any, Any, object]]) -> int:
    """Do it in a forked child that is ended if it hangs; its exit code."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(25)
            _run(deed())
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.mark.slow
@pytest.mark.parametrize("is_own", [False, True], ids=["the parent's store", "a store of its own"])
def test_a_forked_child_writes_and_what_it_wrote_outlives_its_parents_closing(folder: Path, *, is_own: bool) -> None:
    store = SqliteStore(folder)
    _run(_warm(store))
    to_child, to_parent = os.pipe(), os.pipe()

    async def write() -> None:
        used = SqliteStore(folder) if is_own else store
        await _one_by_one(used, "r", 1, 2)
        os.write(to_parent[1], b".")
        os.read(to_child[0], 1)  # by now the parent has closed the file
        await _one_by_one(used, "r", 1, 3)
        assert len(await used.events("r")) == 3

    with ThreadPoolExecutor(1) as threads:
        code = threads.submit(_in_child, write)
        os.read(to_parent[0], 1)
        _run(store.close())
        os.write(to_child[1], b".")
        assert code.result(timeout=60) == 0
    for end in (*to_child, *to_parent):
        os.close(end)
    _run(_check(folder, {"r": 3}))


async def _warm(store: RunStore) -> None:
    await opened(store, "r")
    assert len(await store.events("r")) == 1  # the reader is open, too


@pytest.mark.slow
def test_children_that_are_forked_while_others_write_can_write(folder: Path) -> None:
    store = SqliteStore(folder)

    async def record() -> None:
        await _one_by_one(store, "r", 300)

    async def write(run_id: str) -> None:
        await opened(store, run_id)
        await _one_by_one(store, run_id, 3)

    _run(_warm(store))
    with ThreadPoolExecutor(1) as threads:
        recording = threads.submit(_run, record())
        codes = [_in_child(partial(write, f"c{number}")) for number in range(10)]
        recording.result(timeout=120)
    assert codes == [0] * 10
    _run(store.close())
    _run(_check(folder, {"r": 301} | {f"c{number}": 4 for number in range(10)}))


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Another program in the middle of a transaction."""
    other = sqlite3.connect(folder / "state.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


@pytest.mark.slow
def test_a_child_that_was_forked_in_the_middle_of_a_commit_is_told_that_it_cannot_write(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestration.store.writer.PATIENCE", 0.2)
    store = SqliteStore(folder)
    _run(_warm(store))

    async def be_refused() -> None:
        for each in (store, SqliteStore(folder)):
            with pytest.raises(StoreError, match="forked while its parent was busy"):
                await opened(each, "child")

    with ThreadPoolExecutor(1) as threads:
        with _writing(folder):
            recording = threads.submit(_run, _one_by_one(store, "r", 1))
            while store._writer._committing.locked() is False:  # noqa: SLF001  # nothing else tells that it is at it
                time.sleep(0.001)
            assert _in_child(be_refused) == 0
        recording.result(timeout=60)
    _run(store.close())
    _run(_check(folder, {"r": 2}))


class _Resting:
    """Something that counts what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def rest(self) -> None:
        self.told.append("rest")

    def go_on(self) -> None:
        self.told.append("go on")

    def begin_anew(self) -> None:
        self.told.append("begin anew")


def test_what_rests_for_a_fork_goes_on_in_the_parent_and_begins_anew_in_the_child() -> None:
    resting = _Resting()
    forked.rest_while_forking(resting)

    async def look() -> None:
        assert resting.told == ["rest", "begin anew"]

    assert _in_child(look) == 0
    assert resting.told == ["rest", "go on"]
