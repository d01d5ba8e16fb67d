"""Backups and their way back: whole, verified, never in place of another file, and in one step."""

import shutil
import sqlite3
import stat
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from orchestration.errors import NewerStore, StoreError, UsageError, WrongState
from orchestration.store.backup import PASSING, back_up
from orchestration.store.locks import owned
from orchestration.store.restoring import restore
from orchestration.store.schema import load_schema
from orchestration.store.sqlite import SqliteStore
from tests.world.store_children import child, run_child, said
from tests.world.store_samples import many, opened, started


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / ".orchestration"


@pytest.fixture
async def store(folder: Path) -> AsyncIterator[SqliteStore]:
    made = SqliteStore(folder)
    yield made
    await made.close()


def events_in(file: Path) -> list[int]:
    """The numbers of the events in a file that must be whole."""
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return [seq for (seq,) in connection.execute("SELECT seq FROM events ORDER BY seq")]


def passing(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.name.startswith(PASSING)]


async def test_a_backup_is_one_whole_file_with_all_that_was_acknowledged(store: SqliteStore, folder: Path) -> None:
    await opened(store)
    await store.append("r", many("r", 50, first=2))
    made = back_up(folder)
    assert made.file.parent == folder / "backups"
    assert (made.runs, made.events, made.size) == (1, 51, made.file.stat().st_size)
    assert events_in(made.file) == list(range(1, 52))
    assert sorted(made.file.parent.iterdir()) == [made.file]
    await store.append("r", [started("r", 52)])
    assert len(events_in(made.file)) == 51


async def test_backups_of_one_second_get_names_of_their_own(store: SqliteStore, folder: Path) -> None:
    await opened(store)
    files = [back_up(folder).file for _ in range(4)]
    assert len(set(files)) == 4
    assert sorted((folder / "backups").iterdir()) == sorted(files)


async def test_a_backup_replaces_nothing(store: SqliteStore, folder: Path, tmp_path: Path) -> None:
    await opened(store)
    for name in ("file", "link"):
        place = tmp_path / name
        if name == "file":
            place.write_text("mine")
        else:
            place.symlink_to(tmp_path / "nowhere")
        with pytest.raises(UsageError, match="never replaces"):
            back_up(folder, place)
    assert (tmp_path / "file").read_text() == "mine"
    assert not (tmp_path / "nowhere").exists()
    assert not passing(tmp_path)


async def test_a_backup_goes_where_it_is_told_to(store: SqliteStore, folder: Path, tmp_path: Path) -> None:
    await opened(store)
    (folder / "state.db").chmod(0o640)
    made = back_up(folder, tmp_path / "copy.db")
    assert made.file == tmp_path / "copy.db"
    assert stat.S_IMODE(made.file.stat().st_mode) == 0o640
    assert back_up(folder, tmp_path).file.parent == tmp_path
    with pytest.raises(UsageError, match="does not exist"):
        back_up(folder, tmp_path / "no" / "copy.db")


@pytest.mark.slow
def test_a_run_may_write_while_a_backup_is_made(folder: Path) -> None:
    with child("append_for_ever", folder) as process:
        for _ in range(5):
            said(process)
            acknowledged = int(said(process))
            made = back_up(folder)
            found = events_in(made.file)
            assert found == list(range(1, len(found) + 1))
            assert len(found) >= acknowledged
            assert len(found) % 3 == 1  # each append is in it whole or not at all


def test_where_there_is_no_state_there_is_nothing_to_back_up(folder: Path) -> None:
    with pytest.raises(WrongState, match="no state"):
        back_up(folder)
    assert not folder.exists()


async def test_a_damaged_state_is_not_backed_up(store: SqliteStore, folder: Path, tmp_path: Path) -> None:
    await opened(store)
    await store.append("r", many("r", 500, first=2))
    await store.close()
    damage(folder / "state.db")
    with pytest.raises(StoreError, match="damaged"):
        back_up(folder, tmp_path / "copy.db")
    assert not (tmp_path / "copy.db").exists()
    assert not passing(tmp_path)


def damage(path: Path) -> None:
    """Overwrite everything but the first two pages, which hold the header and the names of the tables."""
    content = bytearray(path.read_bytes())
    content[8192:] = b"\xa5" * (len(content) - 8192)
    path.write_bytes(content)


@pytest.mark.slow
async def test_a_full_disk_leaves_no_backup_and_no_rest_of_one(store: SqliteStore, folder: Path) -> None:
    await opened(store)
    await store.append("r", many("r", 2000, first=2))
    await store.close()
    told = run_child("back_up_without_room", folder)
    assert "space" in told or "disk" in told
    assert not list((folder / "backups").iterdir())
    assert len(events_in(folder / "state.db")) == 2001


# -- the way back -----------------------------------------------------------------------------------------------------


async def test_what_is_restored_is_what_was_backed_up_and_what_was_there_is_kept(
    store: SqliteStore, folder: Path
) -> None:
    await opened(store)
    made = back_up(folder)
    await store.append("r", many("r", 9, first=2))
    await store.close()
    done = restore(folder, made.file)
    assert done.kept is not None
    assert done.kept_is_verified
    assert events_in(done.kept) == list(range(1, 11))
    assert [event.seq for event in await store.events("r")] == [1]
    await store.append("r", [started("r", 2)])
    assert events_in(made.file) == [1]


async def test_whoever_has_the_old_state_open_is_told_and_cannot_harm_the_new_one(
    store: SqliteStore, folder: Path
) -> None:
    await opened(store)
    made = back_up(folder)
    await store.append("r", many("r", 5, first=2))
    restore(folder, made.file)
    with pytest.raises(StoreError, match="replaced"):
        await store.append("r", [started("r", 7)])
    other = SqliteStore(folder)
    await other.append("r", [started("r", 2)])
    await store.close()
    assert len(await other.events("r")) == 2
    await other.append("r", [started("r", 3)])
    await other.close()
    assert events_in(folder / "state.db") == [1, 2, 3]


async def test_nothing_is_restored_while_a_run_goes_on(store: SqliteStore, folder: Path) -> None:
    await opened(store)
    made = back_up(folder)
    await store.append("r", [started("r", 2)])
    with owned(folder, "r"), pytest.raises(WrongState, match="run r goes on"):
        restore(folder, made.file)
    assert len(await store.events("r")) == 2
    assert sorted((folder / "backups").iterdir()) == [made.file]


async def test_only_a_backup_of_ours_is_restored(store: SqliteStore, folder: Path, tmp_path: Path) -> None:
    await opened(store)
    whole = back_up(folder, tmp_path / "whole.db").file
    newer, foreign, torn, text = (tmp_path / name for name in ("newer.db", "foreign.db", "torn.db", "text"))
    shutil.copy(whole, newer)
    with closing(sqlite3.connect(newer, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA user_version = {load_schema().version + 1}")
    with closing(sqlite3.connect(foreign)) as connection:
        connection.execute("CREATE TABLE notes (x)")
    torn.write_bytes(whole.read_bytes()[:-8192])
    text.write_text("nothing of the kind " * 1000)
    await store.close()
    before = (folder / "state.db").read_bytes()
    for file, kind, match in (
        (newer, NewerStore, "newer"),
        (foreign, StoreError, "another program"),
        (torn, StoreError, "damaged"),
        (text, StoreError, "no SQLite database"),
        (tmp_path / "missing", UsageError, "no such file"),
        (folder / "state.db", UsageError, "the state itself"),
    ):
        with pytest.raises(kind, match=match) as refused:
            restore(folder, file)
        assert kind is not StoreError or "orch backup" in (refused.value.hint or "")
        assert (folder / "state.db").read_bytes() == before, file
    assert not passing(folder)
    assert not (folder / "backups").exists()


@pytest.mark.parametrize("what", ["damaged", "newer", "gone", "empty"])
async def test_a_state_that_cannot_be_read_is_kept_and_replaced(store: SqliteStore, folder: Path, what: str) -> None:
    await opened(store)
    await store.append("r", many("r", 500, first=2))
    made = back_up(folder)
    await store.close()
    path = folder / "state.db"
    if what == "damaged":
        damage(path)
    elif what == "newer":
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute(f"PRAGMA user_version = {load_schema().version + 1}")
    else:
        path.unlink()
        if what == "empty":
            path.touch()
    before = path.read_bytes() if path.exists() else b""
    done = restore(folder, made.file)
    if before:
        assert done.kept is not None
        assert done.kept.read_bytes() == before
        assert not done.kept_is_verified
    else:
        assert done.kept is None
    assert len(await store.events("r")) == 501


async def test_a_plain_copy_of_a_state_in_use_is_restored_with_its_log(
    store: SqliteStore, folder: Path, tmp_path: Path
) -> None:
    await opened(store)
    await store.append("r", many("r", 20, first=2))
    for name in ("state.db", "state.db-wal"):
        shutil.copy(folder / name, tmp_path / name)
    await store.close()
    assert restore(folder, tmp_path / "state.db").state.events == 21


async def test_the_log_of_a_run_that_died_is_kept_too(store: SqliteStore, folder: Path) -> None:
    await opened(store)
    made = back_up(folder)
    await store.append("r", many("r", 20, first=2))
    died = folder.with_name("died")
    shutil.copytree(folder, died, ignore=shutil.ignore_patterns("*-shm"))
    await store.close()
    assert (died / "state.db-wal").stat().st_size
    done = restore(died, made.file)
    assert done.kept is not None
    assert len(events_in(done.kept)) == 21
    assert not (died / "state.db-wal").exists()
    assert events_in(died / "state.db") == [1]
