"""Commits of the loop itself: when there are any, that they are durable, and that nobody is waited for in them."""

import asyncio
import fcntl
import os
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from orchestration.errors import OutcomeTaken, StoreError
from orchestration.flow import AsyncFlowExecutor, Flow, FlowStep
from orchestration.protocols import Ready
from orchestration.store import pace
from orchestration.store.committing import Answer
from orchestration.store.locks import WriteLock
from orchestration.store.recording import SMALL_ROWS, SMALL_TEXT, Deed
from orchestration.store.sqlite import SqliteStore
from orchestration.store.writer import Writer
from tests.world.store_samples import completed, many, opened, started


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / ".orchestration"


@pytest.fixture(autouse=True)
def _any_disk_is_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """How long a commit takes here is not what is tried, but in the one test that says so."""
    monkeypatch.setattr(pace, "QUICK", 1_000.0)
    monkeypatch.setattr(pace, "STALL", 1_000.0)


async def _warm(store: SqliteStore, run_id: str = "r") -> int:
    """Open a run, and add events until the loop adds them by itself; returns the last number."""
    await opened(store, run_id)
    for seq in range(2, 50):
        added = store.append(run_id, [many(run_id, 1, first=seq)[0]])
        await added
        if isinstance(added, Ready):
            return seq
    pytest.fail("the loop never committed by itself")


async def test_a_warm_store_answers_at_once_and_what_it_has_acknowledged_is_in_the_file(folder: Path) -> None:
    store = SqliteStore(folder)
    seq = await _warm(store)
    added = store.append("r", many("r", 2, first=seq + 1))
    assert isinstance(added, Ready)
    other = SqliteStore(folder)
    assert len(await other.events("r")) == seq + 2
    await other.close()
    await store.close()
    assert len(await store.events("r")) == seq + 2


async def test_a_refusal_comes_with_the_answer_and_writes_nothing(folder: Path) -> None:
    store = SqliteStore(folder)
    seq = await _warm(store)
    added = store.append("r", [started("r", seq + 2)])
    assert isinstance(added, Ready)
    with pytest.raises(OutcomeTaken):
        await added
    added = store.append("r", many("r", 1, first=seq + 1))
    assert isinstance(added, Ready)
    assert len(await store.events("r")) == seq + 1
    await store.close()


@pytest.mark.parametrize("count", [SMALL_ROWS, SMALL_ROWS + 1])
async def test_many_events_are_left_to_the_thread(folder: Path, count: int) -> None:
    store = SqliteStore(folder)
    seq = await _warm(store)
    added = store.append("r", many("r", count, first=seq + 1))
    assert isinstance(added, Ready) is (count == SMALL_ROWS)
    await added
    await store.close()


async def test_long_ones_are_left_to_the_thread(folder: Path) -> None:
    store = SqliteStore(folder)
    seq = await _warm(store)
    added = store.append("r", [completed("r", seq + 1, "new", output="x" * SMALL_TEXT)])
    assert not isinstance(added, Ready)
    await added
    await store.close()


async def test_what_is_queued_is_not_overtaken(folder: Path) -> None:
    store = SqliteStore(folder)
    seq = await _warm(store)
    long = store.append("r", [completed("r", seq + 1, "new", output="x" * SMALL_TEXT)])
    short = store.append("r", [started("r", seq + 2, "newer")])
    assert not isinstance(short, Ready)
    await asyncio.gather(long, short)
    await store.close()


async def test_another_process_that_holds_the_lock_keeps_nobody_from_the_loop(folder: Path) -> None:
    store = SqliteStore(folder)
    seq = await _warm(store)
    lock = WriteLock(folder / "write.lock")
    lock.acquire()
    began = time.monotonic()
    added = asyncio.ensure_future(store.append("r", many("r", 1, first=seq + 1)))
    assert time.monotonic() - began < 5  # it would wait for 30 seconds
    await asyncio.sleep(0.05)
    assert not added.done()
    lock.close()
    await added
    assert len(await store.events("r")) == seq + 1
    await store.close()


async def test_another_program_in_a_transaction_keeps_nobody_from_the_loop(folder: Path) -> None:
    store = SqliteStore(folder)
    seq = await _warm(store)
    shell = sqlite3.connect(folder / "state.db", isolation_level=None)
    shell.execute("BEGIN IMMEDIATE")
    began = time.monotonic()
    added = asyncio.ensure_future(store.append("r", many("r", 1, first=seq + 1)))
    assert time.monotonic() - began < 5
    await asyncio.sleep(0.05)
    assert not added.done()
    shell.execute("COMMIT")
    shell.close()
    await added  # the thread has all its patience again
    assert isinstance(store.append("r", many("r", 1, first=seq + 2)), Ready)
    await store.close()


@pytest.mark.parametrize("operation", [fcntl.LOCK_EX, fcntl.LOCK_UN])
async def test_ctrl_c_in_the_middle_of_a_commit_leaves_nothing_locked(
    folder: Path, operation: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = SqliteStore(folder)
    seq = await _warm(store)
    locks = fcntl.flock

    def is_interrupted(descriptor: int, wanted: int) -> None:
        if operation == fcntl.LOCK_EX:
            locks(descriptor, wanted)
        if wanted & operation:
            monkeypatch.undo()
            signal.raise_signal(signal.SIGINT)
        locks(descriptor, wanted)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # as in a host without a handler of its own
    monkeypatch.setattr(fcntl, "flock", is_interrupted)
    try:
        with pytest.raises(KeyboardInterrupt):
            store.append("r", many("r", 1, first=seq + 1))
    finally:
        signal.signal(signal.SIGINT, before)
    lock = WriteLock(folder / "write.lock")
    assert lock.acquire_at_once()
    lock.close()
    there = len(await store.events("r"))
    await store.append("r", many("r", 1, first=there + 1))
    assert [event.seq for event in await store.events("r")] == [*range(1, there + 2)]
    await store.close()


async def test_a_file_that_was_replaced_is_not_written_to(folder: Path) -> None:
    store = SqliteStore(folder)
    seq = await _warm(store)
    (folder / "state.db").rename(folder / "elsewhere.db")
    for _ in range(2):
        with pytest.raises(StoreError, match="removed or replaced"):
            await store.append("r", many("r", 1, first=seq + 1))
    await store.close()


async def test_a_closed_store_is_opened_by_its_thread(folder: Path) -> None:
    store = SqliteStore(folder)
    seq = await _warm(store)
    await store.close()
    added = store.append("r", many("r", 1, first=seq + 1))
    assert not isinstance(added, Ready)
    await added
    await store.close()


@pytest.mark.slow
async def test_a_forked_child_does_not_write_with_its_parents_connection(folder: Path) -> None:
    store = SqliteStore(folder)
    seq = await _warm(store)
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            store.append("r", many("r", 1, first=seq + 1))
        except RuntimeError:  # it is not in the loop either
            code = 0
        finally:
            os._exit(code)
    assert (await asyncio.to_thread(os.waitpid, pid, 0))[1] == 0
    assert len(await store.events("r")) == seq
    await store.close()


class _Deeds:
    """Commits of a thread and of a loop that must never be at it together."""

    def __init__(self) -> None:
        self.at_work, self.done = threading.Lock(), list[tuple[str, object]]()
        self.busy, self.go_on = threading.Event(), threading.Event()
        self.go_on.set()

    def commit(self, deeds: Sequence[Deed]) -> list[Answer]:
        assert self.at_work.acquire(blocking=False)
        self.busy.set()
        assert self.go_on.wait(10)
        self.done += [(threading.current_thread().name, deed) for deed in deeds]
        self.at_work.release()
        return [Answer() for _ in deeds]

    def at_once(self, deed: Deed) -> Answer | None:
        return self.commit([deed])[0]


def _deed(number: int) -> Deed:
    return lambda _: number


async def test_thread_and_loop_take_turns() -> None:
    deeds = _Deeds()
    writer = Writer(deeds.commit, lambda: None, deeds.at_once)
    assert writer.do_at_once(_deed(0)) is None  # nobody has opened anything
    for number in range(pace.FIRST):
        await writer.put(_deed(number))
    assert writer.do_at_once(_deed(1)) == Answer()
    assert deeds.done[-1][0] == threading.current_thread().name
    deeds.busy.clear()
    deeds.go_on.clear()
    queued = writer.put(_deed(2))
    assert writer.do_at_once(_deed(3)) is None
    assert deeds.busy.wait(10)
    assert writer.do_at_once(_deed(4)) is None
    deeds.go_on.set()
    await queued
    assert writer.do_at_once(_deed(5)) == Answer()
    await writer.close()
    assert writer.do_at_once(_deed(6)) is None


async def test_two_loops_that_share_a_writer_are_never_at_it_together() -> None:
    deeds = _Deeds()
    writer = Writer(deeds.commit, lambda: None, deeds.at_once)
    for number in range(pace.FIRST):
        await writer.put(_deed(number))
    count = 300

    async def play() -> None:
        for number in range(count):
            if writer.do_at_once(_deed(number)) is None:
                await writer.put(_deed(number))

    def play_elsewhere() -> None:
        with asyncio.Runner() as runner:
            runner.run(play())

    other = threading.Thread(target=play_elsewhere)
    other.start()
    await play()
    other.join(60)
    assert not other.is_alive()
    assert len(deeds.done) == 2 * count + pace.FIRST
    await writer.close()


async def test_a_stall_sends_the_next_ones_to_the_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "STALL", 0.0)
    deeds = _Deeds()
    writer = Writer(deeds.commit, lambda: None, deeds.at_once)
    for number in range(pace.FIRST):
        await writer.put(_deed(number))
    assert writer.do_at_once(_deed(0)) == Answer()
    assert writer.do_at_once(_deed(1)) is None
    await writer.close()


async def _nothing() -> None:
    """Do nothing."""


def _chain(count: int) -> list[FlowStep]:
    return [FlowStep(f"s{n}", _nothing, depends_on=[f"s{n - 1}"] * (n > 0)) for n in range(count)]


@pytest.mark.parametrize("shape", ["chain", "beside each other"])
async def test_runs_after_each_other_on_a_warm_store_are_recorded_whole(folder: Path, shape: str) -> None:
    steps = _chain(100) if shape == "chain" else [FlowStep(f"s{n}", _nothing) for n in range(100)]
    store = SqliteStore(folder)
    executor = AsyncFlowExecutor(max_concurrent=4, store=store)
    for _ in range(3):
        run = await executor.execute(Flow("sample", steps))
        assert run.succeeded
        assert len(await store.events(run.run_id)) == 202
    await store.close()


async def test_what_happens_in_one_turn_still_makes_one_transaction(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = SqliteStore(folder)
    await _warm(store)
    sizes: list[int] = []
    append: Callable[..., object] = store.append

    def counted(run_id: str, events: Sequence[object]) -> object:
        sizes.append(len(events))
        return append(run_id, events)

    monkeypatch.setattr(store, "append", counted)
    executor = AsyncFlowExecutor(max_concurrent=4, store=store)
    assert (await executor.execute(Flow("wide", [FlowStep(f"s{n}", _nothing) for n in range(100)]))).succeeded
    assert len(sizes) < 32  # 25 of four steps each, and how it begins
    await store.close()
