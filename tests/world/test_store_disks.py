"""Disks that are full, read-only or far away."""

import json
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from orchestration.store.files import network_type
from orchestration.store.sqlite import SqliteStore
from tests.world.store_children import child, run_child, said, tell
from tests.world.store_samples import completed, many, opened, started


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / ".orchestration"


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A state folder whose parents everybody may enter, unlike those of `tmp_path`."""
    with tempfile.TemporaryDirectory() as made:
        Path(made).chmod(0o755)
        yield Path(made) / ".orchestration"


async def test_on_a_network_disk_the_slower_journal_is_used_and_told_of(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(f"/dev/vda / ext4 rw 0 0\nserver:/x {str(tmp_path).replace(' ', chr(92) + '040')} nfs4 rw 0 0\n")
    store = SqliteStore(folder, mounts=mounts)
    await opened(store)
    await store.append("r", [completed("r", 2)])
    assert store.warning
    assert "nfs4" in store.warning
    assert [entry.getMessage() for entry in caplog.records] == [store.warning]
    assert len(await store.events("r")) == 2
    assert not (folder / "state.db-wal").exists()
    await store.close()
    local = SqliteStore(folder)
    await local.append("r", [started("r", 3)])
    assert local.warning is None
    assert (folder / "state.db-wal").exists()
    await local.close()
    await store.append("r", [started("r", 4)])
    assert not (folder / "state.db-wal").exists()
    await store.close()


MOUNTS = r"""
/dev/vda / ext4 rw,relatime 0 0
proc /proc proc rw 0 0
server:/export /data nfs rw 0 0
/dev/vdb /data/local ext4 rw 0 0
//server/share /data/my\040share cifs rw 0 0
me@host:/ /data/remote fuse.sshfs rw 0 0
/dev/vdc /over ext4 rw 0 0
server:/over /over nfs4 rw 0 0
broken
"""


@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        ("/elsewhere/project", None),
        ("/data/project", "nfs"),
        ("/data", "nfs"),
        ("/database", None),
        ("/data/local/project", None),
        ("/data/my share/project", "cifs"),
        ("/data/remote/x", "fuse.sshfs"),
        ("/over/x", "nfs4"),
    ],
)
def test_the_kind_of_disk_is_that_of_the_nearest_mount(folder: str, expected: str | None, tmp_path: Path) -> None:
    (tmp_path / "mounts").write_text(MOUNTS)
    assert network_type(Path(folder), tmp_path / "mounts") == expected


def test_where_no_mounts_are_listed_the_disk_counts_as_local(tmp_path: Path) -> None:
    assert network_type(Path("/data"), tmp_path / "nothing") is None


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    modes = {path: path.stat().st_mode for path in (folder, *folder.iterdir())}
    for path, mode in modes.items():
        path.chmod(mode & 0o555)
    try:
        yield
    finally:
        for path, mode in modes.items():
            path.chmod(mode)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["closed", "left open", "died"])
async def test_whoever_may_only_read_sees_what_can_be_seen(open_folder: Path, how: str) -> None:
    store = SqliteStore(open_folder)
    await opened(store)
    if how == "died":
        died = open_folder.with_name("died")
        shutil.copytree(open_folder, died, ignore=shutil.ignore_patterns("*-shm"))
        shutil.rmtree(open_folder)
        shutil.move(died, open_folder)
    elif how == "closed":
        await store.close()
    with read_only(open_folder):
        before = sorted(open_folder.iterdir())
        told = json.loads(run_child("look_and_touch", open_folder))
        assert sorted(open_folder.iterdir()) == before
    await store.close()
    if how == "died":
        assert "writable" in told["seen"][1]
    else:
        assert told["seen"] == [1]
    assert "cannot be written" in told["error"][0]
    assert "writable" in told["error"][1]


@pytest.mark.slow
async def test_whoever_may_only_read_sees_what_others_add(open_folder: Path) -> None:
    store = SqliteStore(open_folder)
    await opened(store)
    await store.close()
    with read_only(open_folder), child("look_again", open_folder) as process:
        assert said(process) == "1"
        for path in (open_folder, *open_folder.iterdir()):
            path.chmod(path.stat().st_mode | 0o200)
        await store.append("r", many("r", 50, first=2))
        await store.close()
        with read_only(open_folder):
            tell(process, "go on")
            assert said(process) == "51"


@pytest.mark.slow
def test_a_full_disk_ends_writing_until_the_store_is_opened_anew(folder: Path) -> None:
    told = json.loads(run_child("fill_the_disk", folder))
    first, *others = told["errors"]
    assert others == [first, first]
    assert "state.db" in first[0]
    assert "space" in first[1]
    assert told["acknowledged"] > 10
    assert told["seen"] >= told["acknowledged"]
    with closing(sqlite3.connect(folder / "state.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("SELECT count(*), max(seq) FROM events").fetchone() == (told["seen"] + 1,) * 2
