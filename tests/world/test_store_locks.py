"""Who may write and who owns a run: between threads, between processes, and after deaths."""

import asyncio
import fcntl
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from orchestration.errors import OutcomeTaken, RunOwned, StoreError
from orchestration.store.locks import WriteLock
from orchestration.store.sqlite import SqliteStore
from tests.world.processes import linux_only
from tests.world.store_children import child, said, tell
from tests.world.store_samples import many, opened, record, started


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / ".orchestration"


def test_two_locks_of_one_process_exclude_each_other(tmp_path: Path) -> None:
    first, second = WriteLock(tmp_path / "lock"), WriteLock(tmp_path / "lock", patience=0.01)
    first.acquire()
    with pytest.raises(StoreError, match=f"process {os.getpid()} has kept"):
        second.acquire()
    first.release()
    second.acquire()
    with pytest.raises(StoreError):
        WriteLock(tmp_path / "lock", patience=0).acquire()
    second.close()
    first.acquire()
    first.close()


@linux_only
def test_a_process_that_was_stopped_while_it_writes_is_named_with_the_way_out(tmp_path: Path) -> None:
    held = (
        "import os, signal, sys; from pathlib import Path; from orchestration.store.locks import WriteLock\n"
        "WriteLock(Path(sys.argv[1])).acquire(); os.kill(os.getpid(), signal.SIGSTOP)"
    )
    with subprocess.Popen([sys.executable, "-c", held, str(tmp_path / "lock")]) as holder:
        os.waitid(os.P_PID, holder.pid, os.WSTOPPED)
        told = f"process {holder.pid}, which is stopped, has kept the state locked for 0 seconds"
        with pytest.raises(StoreError, match=told) as caught:
            WriteLock(tmp_path / "lock", patience=0).acquire()
        assert f"kill -CONT {holder.pid}" in str(caught.value.hint)
        holder.send_signal(signal.SIGCONT)
        assert holder.wait(60) == 0
    lock = WriteLock(tmp_path / "lock", patience=0)
    lock.acquire()
    lock.close()


def test_whoever_waits_gets_the_lock_when_it_is_free(tmp_path: Path) -> None:
    first, second = WriteLock(tmp_path / "lock"), WriteLock(tmp_path / "lock")
    first.acquire()
    got = threading.Event()

    def wait() -> None:
        second.acquire()
        got.set()

    waiting = threading.Thread(target=wait)
    waiting.start()
    assert not got.wait(0.02)
    first.release()
    waiting.join(10)
    assert got.is_set()
    second.close()
    first.close()


def test_a_lock_file_that_was_removed_is_not_locked_but_its_successor(tmp_path: Path) -> None:
    first, second = WriteLock(tmp_path / "lock"), WriteLock(tmp_path / "lock", patience=0.01)
    first.acquire()
    first.release()
    (tmp_path / "lock").unlink()
    second.acquire()
    with pytest.raises(StoreError):
        WriteLock(tmp_path / "lock", patience=0).acquire()
    second.release()
    first.acquire()  # and does not believe in the file that has no name any more
    with pytest.raises(StoreError):
        second.acquire()
    first.close()
    second.close()


def test_a_link_in_place_of_a_lock_file_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreError, match="link"):
        WriteLock(tmp_path / "lock").acquire()
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.slow
async def test_a_writer_that_hangs_is_named_and_does_no_lasting_harm(folder: Path) -> None:
    store = SqliteStore(folder, write_patience=0.05)
    await opened(store)
    with child("hold", folder / "write.lock") as process:
        pid = said(process)
        with pytest.raises(StoreError, match=f"process {pid} has kept") as caught:
            await store.append("r", [started("r", 2)])
        assert caught.value.file == str(folder / "write.lock")
        assert len(await store.events("r")) == 1
    await store.append("r", [started("r", 2)])
    await store.close()


@pytest.mark.slow
async def test_a_run_of_another_process_is_owned_until_that_dies(folder: Path) -> None:
    store = SqliteStore(folder)
    await store.claim("r", ["A"])
    with child("own", folder, "r") as process:
        pid = said(process)
        assert store.is_live("r")
        with pytest.raises(RunOwned, match=f"process {pid}"), store.own("r"):
            pytest.fail("owned twice")
        assert dict(await store.claim("other", ["A"])) == {"A": "r"}
        process.kill()
        process.wait()
        assert not store.is_live("r")
        with store.own("r"):
            assert (folder / "runs/r/owner.lock").read_text() == f"{os.getpid()}\n"
    assert dict(await store.claim("other", ["A"])) == {}
    await store.close()


@pytest.mark.slow
def test_a_forked_child_does_not_keep_its_parents_run_alive(folder: Path) -> None:
    with child("own_and_fork", folder, "r") as process:
        assert int(said(process)) != process.pid
        process.wait()
        assert not SqliteStore(folder).is_live("r")
        tell(process, "go on")
        assert said(process) == "gone on"


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0.01, 0.5])
def test_looking_at_a_lock_does_not_keep_anybody_from_owning_it(folder: Path, seconds: float) -> None:
    store = SqliteStore(folder)
    with store.own("r"):
        pass
    onlooker = os.open(folder / "runs/r/owner.lock", os.O_RDONLY)
    fcntl.flock(onlooker, fcntl.LOCK_SH)  # as `is_live` does, but caught in the middle of it
    assert not store.is_live("r"), "several may look at once"
    leaving = threading.Timer(seconds, os.close, [onlooker])
    leaving.start()
    with store.own("r"):
        assert store.is_live("r")
    leaving.join()


@pytest.mark.parametrize("link", ["runs", "runs/r"])
def test_a_folder_of_runs_that_leads_out_is_refused(folder: Path, tmp_path: Path, link: str) -> None:
    (tmp_path / "outside").mkdir()
    (folder / link).parent.mkdir(parents=True)
    (folder / link).symlink_to(tmp_path / "outside")
    store = SqliteStore(folder)
    with pytest.raises(StoreError, match="leads out"), store.own("r"):
        pytest.fail("owned")
    with pytest.raises(StoreError, match="leads out"):
        store.is_live("r")
    assert not any((tmp_path / "outside").iterdir())


def test_a_link_or_pipe_in_place_of_an_owner_lock_is_told_of(folder: Path, tmp_path: Path) -> None:
    (folder / "runs/r").mkdir(parents=True)
    (folder / "runs/r/owner.lock").symlink_to(tmp_path / "outside")
    store = SqliteStore(folder)
    with pytest.raises(StoreError), store.own("r"):
        pytest.fail("owned")
    assert not (tmp_path / "outside").exists()
    (folder / "runs/r/owner.lock").unlink()
    os.mkfifo(folder / "runs/r/owner.lock")
    assert not store.is_live("r")


def test_a_state_folder_that_is_itself_a_link_is_fine(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "other disk").mkdir()
    folder.symlink_to(tmp_path / "other disk")
    store = SqliteStore(folder)
    with store.own("r"):
        assert store.is_live("r")


@pytest.mark.slow
def test_two_stores_in_two_threads_lose_nothing(folder: Path) -> None:
    first = SqliteStore(folder)
    with asyncio.Runner() as runner:
        runner.run(opened(first))
        runner.run(first.close())
    failures: list[BaseException] = []

    async def add(name: str) -> None:
        store = SqliteStore(folder)
        await store.open_run(record(name), [])
        for seq in range(1, 200, 5):
            await store.append(name, many(name, 5, first=seq))
            await _add_to_the_common_run(store, name, seq)
        await store.close()

    def work(name: str) -> None:
        try:
            with asyncio.Runner() as runner:
                runner.run(add(name))
        except BaseException as error:  # noqa: BLE001  # told to the test below
            failures.append(error)

    threads = [threading.Thread(target=work, args=(name,)) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with asyncio.Runner() as runner:
        for name, count in (("one", 200), ("two", 200), ("r", 81)):
            events = runner.run(first.events(name))
            assert [event.seq for event in events] == list(range(1, count + 1))
        runner.run(first.close())


async def _add_to_the_common_run(store: SqliteStore, name: str, number: int) -> None:
    while True:
        last = len(await store.events("r"))
        try:
            await store.append("r", [started("r", last + 1, name, attempt=number)])
        except OutcomeTaken:
            continue
        return
