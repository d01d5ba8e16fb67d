"""The store on disk: what it makes and when, what it groups, and what it outlives."""

import asyncio
import gc
import os
import shutil
import sqlite3
import sys
import threading
import weakref
from collections.abc import AsyncIterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from orchestration.errors import StoreError
from orchestration.events import TaskCompleted
from orchestration.protocols import RunStore
from orchestration.results import Outcome
from orchestration.store.committing import Answer
from orchestration.store.recording import Deed
from orchestration.store.sqlite import SqliteStore
from orchestration.store.writer import Writer
from tests.world.store_samples import at, completed, many, opened, record, run_started, started

NO_UTF8 = pytest.param(
    os.fsdecode(b"caf\xe9"),
    marks=pytest.mark.skipif(sys.platform == "darwin", reason="macOS has no such names"),
)
CLOSED = [".gitignore", "state.db", "write.lock"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / ".orchestration"


@pytest.fixture
async def store(folder: Path) -> AsyncIterator[SqliteStore]:
    made = SqliteStore(folder)
    yield made
    await made.close()


def made_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def ask(folder: Path, statement: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(folder / "state.db")) as connection:
        return connection.execute(statement).fetchall()


_OF_OTHERS: set[threading.Thread] = set()
"""Threads of stores that other tests have left to the collector."""


@pytest.fixture(autouse=True)
def _others() -> None:
    _OF_OTHERS.clear()
    _OF_OTHERS.update(writers())


def writers() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == "orch-store-writer"} - _OF_OTHERS


async def test_asking_makes_nothing(store: SqliteStore, folder: Path) -> None:
    await store.runs()
    await store.events("r")
    await store.standings()
    await store.commands("r")
    await store.answered(1)
    assert not store.is_live("r")
    await store.close()
    assert not folder.exists()
    assert not writers()


async def test_the_first_write_makes_the_folder_which_ignores_itself(store: SqliteStore, folder: Path) -> None:
    await opened(store)
    await store.close()
    assert made_in(folder) == CLOSED
    assert (folder / ".gitignore").read_text() == "*\n"
    assert store.warning is None


async def test_owning_makes_the_runs_folder_and_says_who(store: SqliteStore, folder: Path) -> None:
    with store.own("r"):
        assert made_in(folder) == [".gitignore", "runs", "runs/r", "runs/r/owner.lock"]
        assert (folder / "runs/r/owner.lock").read_text() == f"{os.getpid()}\n"
    assert (folder / "runs/r/owner.lock").exists()


@pytest.mark.parametrize("name", ["a b", "what?mode=memory", "50%25#x", "käse\u2028", NO_UTF8, "a:b&c'd\"e"])
async def test_a_folder_may_have_any_name(tmp_path: Path, name: str) -> None:
    store = SqliteStore(tmp_path / name / ".orchestration")
    await opened(store)
    assert len(await store.events("r")) == 1
    await store.close()
    assert made_in(tmp_path / name / ".orchestration") == CLOSED


async def test_it_syncs_fully_and_logs_ahead(store: SqliteStore, folder: Path) -> None:
    await opened(store)
    assert ask(folder, "PRAGMA journal_mode") == [("wal",)]
    assert ask(folder, "PRAGMA integrity_check") == [("ok",)]


async def test_another_store_sees_what_was_acknowledged(store: SqliteStore, folder: Path) -> None:
    other = SqliteStore(folder)
    for seq in range(1, 6):
        if seq == 1:
            await opened(store)
        else:
            await store.append("r", [started("r", seq, attempt=seq)])
        assert [event.seq for event in await other.events("r", seq - 1)] == [seq]
    await other.append("r", [started("r", 6)])
    assert (await store.events("r", 5)) == [started("r", 6)]
    await other.close()


async def test_what_waits_is_committed_together() -> None:
    groups: list[list[object]] = []
    busy, go_on = threading.Event(), threading.Event()

    def commit(deeds: Sequence[Deed]) -> list[Answer]:
        groups.append(list(deeds))
        busy.set()
        assert go_on.wait(10)
        return [Answer(deed) for deed in deeds]

    writer = Writer(commit, lambda: None)
    deeds: list[Deed] = [_deed(number) for number in range(5)]
    first = writer.put(deeds[0])
    assert busy.wait(10)
    rest = [writer.put(deed) for deed in deeds[1:]]
    rest[1].cancel()
    go_on.set()
    assert await first is deeds[0]
    assert [await rest[0], *await asyncio.gather(*rest[2:])] == [deeds[1], *deeds[3:]]
    assert groups == [deeds[:1], deeds[1:]]
    await writer.close()


async def test_a_fault_of_ours_reaches_whoever_waits_and_the_next_one_is_served() -> None:
    def commit(deeds: Sequence[Deed]) -> list[Answer]:
        if deeds[0] is bad:
            raise ZeroDivisionError
        return [Answer(len(deeds))]

    def close() -> None:
        closed.append(True)

    closed: list[bool] = []
    bad, good = _deed(0), _deed(1)
    writer = Writer(commit, close)
    with pytest.raises(ZeroDivisionError):
        await writer.put(bad)
    assert await writer.put(good) == 1
    await writer.close()
    assert closed == [True]


async def test_where_no_thread_can_be_started_that_is_said_each_time_and_nobody_waits() -> None:
    writer = Writer(lambda deeds: [Answer(len(deeds))], lambda: None)
    for _ in range(2):
        usual = threading.stack_size(1 << 46)  # no system has room for it
        try:
            for _ in range(2):
                with pytest.raises(StoreError, match="no thread can be started"):
                    await writer.put(_deed(0))
            await writer.close()
        finally:
            threading.stack_size(usual)
        assert await writer.put(_deed(1)) == 1
        await writer.close()


def _deed(number: int) -> Deed:
    return lambda _: number


def test_it_serves_one_loop_after_another(folder: Path) -> None:
    store = SqliteStore(folder)
    with asyncio.Runner() as first:
        first.run(opened(store))
        first.run(store.events("r"))

        async def leave() -> None:
            for event in many("r", 50, first=2):
                store.append("r", [event])  # and nobody waits

        first.run(leave())
    with asyncio.Runner() as second:

        async def go_on() -> list[int]:
            await store.append("r", [started("r", 52, attempt=9)])
            return [event.seq for event in await store.events("r")]

        assert second.run(go_on()) == list(range(1, 53))
        second.run(store.close())
    assert not writers()


def test_a_close_that_its_loop_did_not_wait_for_is_finished_by_the_next_use(folder: Path) -> None:
    store = SqliteStore(folder)
    with asyncio.Runner() as first:

        async def start_to_close() -> None:
            await opened(store)
            closing_ = asyncio.ensure_future(store.close())
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            closing_.cancel()

        first.run(start_to_close())
    with asyncio.Runner() as second:
        second.run(_append(store, 2))
        second.run(store.close())
        assert len(second.run(store.events("r"))) == 2
        second.run(store.close())
    assert not writers()


async def _append(store: RunStore, seq: int) -> None:
    await store.append("r", [started("r", seq)])


async def test_closing_ends_the_threads_and_leaves_no_log(store: SqliteStore, folder: Path) -> None:
    await opened(store)
    await store.events("r")
    assert {"state.db-shm", "state.db-wal"} < set(made_in(folder))
    await asyncio.gather(store.close(), store.close())
    assert made_in(folder) == CLOSED
    assert not writers()


async def test_closing_waits_for_what_is_queued(store: SqliteStore) -> None:
    await opened(store)
    answers = [store.append("r", [event]) for event in many("r", 30, first=2)]
    await store.close()
    for answer in answers:
        await answer
    assert len(await store.events("r")) == 31


async def test_a_store_that_nobody_closes_ends_its_thread_when_it_is_collected(folder: Path) -> None:
    store = SqliteStore(folder)
    await opened(store)
    await store.events("r")
    (thread,) = writers()
    gone = weakref.ref(store)
    del store
    gc.collect()
    assert gone() is None
    thread.join(10)
    assert not thread.is_alive()


async def test_a_state_that_is_removed_while_it_is_open_is_told_of(store: SqliteStore, folder: Path) -> None:
    await opened(store)
    assert len(await store.events("r")) == 1
    shutil.rmtree(folder)
    for _ in range(2):
        with pytest.raises(StoreError):
            await store.append("r", [started("r", 2)])
    assert not folder.exists()
    assert list(await store.events("r")) == []
    await store.close()
    await opened(store)
    assert len(await store.events("r")) == 1


async def test_a_state_file_that_is_replaced_while_it_is_open_is_told_of(store: SqliteStore, folder: Path) -> None:
    await opened(store)
    (folder / "state.db").rename(folder / "moved.db")
    (folder / "state.db").write_bytes(b"")
    for _ in range(2):
        with pytest.raises(StoreError, match="removed or replaced"):
            await store.append("r", [started("r", 2)])
    await store.close()
    assert (folder / "state.db").read_bytes() == b""


async def test_outputs_of_any_kind_come_back_and_cost_no_other_event(store: SqliteStore) -> None:
    run = await opened(store)
    outputs = {
        "bad": "\ud800\x00\ufffe",
        "half": "x\udfffy",
        "inf": [float("inf")],
        "emoji": "\U0001f600",
        "big": 10**600,
    }
    odd = TaskCompleted(run, 2, at(2), "A", 1, outcome=Outcome(outputs=outputs, output="\udc80"))
    huge = TaskCompleted(run, 3, at(3), "B", 1, outcome=Outcome(outputs={"n": 10**5000, "nan": float("nan")}))
    await store.append(run, [odd, huge])
    await store.append(run, [started(run, 4)])
    _, first, second, last = await store.events(run)
    assert first == odd
    assert isinstance(second, TaskCompleted)
    assert second.outcome.outputs["n"] == hex(10**5000)
    assert second.outcome.outputs["nan"] != second.outcome.outputs["nan"]  # only NaN is so
    assert last == started(run, 4)
    assert (await store.standings())["A"].event == odd


async def test_what_was_said_is_stored_though_it_changes_while_it_waits(store: SqliteStore) -> None:
    run = await opened(store)
    outputs = {"n": 1}
    answer = store.append(run, [TaskCompleted(run, 2, at(2), "A", 1, outcome=Outcome(outputs=outputs))])
    outputs["n"] = 2
    await answer
    (event,) = await store.events(run, 1)
    assert isinstance(event, TaskCompleted)
    assert event.outcome.outputs == {"n": 1}


async def test_an_event_of_a_kind_that_is_not_known_is_told_of(store: SqliteStore, folder: Path) -> None:
    await opened(store)
    body = '{"type":"task_teleported","run_id":"r","seq":2,"at":"2025-01-02T03:04:05+00:00"}'
    with closing(sqlite3.connect(folder / "state.db", isolation_level=None)) as connection:
        connection.execute("INSERT INTO events VALUES ('r', 2, 'task_teleported', NULL, NULL, ?)", (body,))
    with pytest.raises(StoreError, match="task_teleported") as caught:
        await store.events("r")
    assert "newer" in str(caught.value.hint)
    (run,) = await store.runs()
    assert run.last_seq == 2


async def test_the_file_itself_refuses_a_gap_and_a_second_outcome(store: SqliteStore, folder: Path) -> None:
    await opened(store)
    await store.append("r", [completed("r", 2)])
    with closing(sqlite3.connect(folder / "state.db", isolation_level=None)) as connection:
        for run, seq, attempt in (("r", 4, 7), ("r", 2, 7), ("nobody", 1, 7), ("r", 3, 1)):
            with pytest.raises(sqlite3.IntegrityError):
                connection.execute("INSERT INTO events VALUES (?, ?, 'task_error', 'A', ?, '{}')", (run, seq, attempt))


async def test_a_long_run_comes_back_whole(store: SqliteStore) -> None:
    events = [run_started("r"), *many("r", 3_000, first=2)]
    await store.open_run(record("r"), events)
    assert list(await store.events("r")) == events
