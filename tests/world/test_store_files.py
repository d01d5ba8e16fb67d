"""State files of others, of other versions, cut short or damaged: told of, and left as they are."""

import os
import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path

import pytest

from orchestration.errors import NewerStore, StoreError
from orchestration.protocols import Claim
from orchestration.store.opening import connect, version_of
from orchestration.store.owners import this_process
from orchestration.store.schema import APPLICATION_ID, Schema, build, load_schema
from orchestration.store.sqlite import SqliteStore
from orchestration.store.texts import event_text
from tests.world.store_samples import at, many, opened, record, run_started, started


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / ".orchestration"


@pytest.fixture
async def store(folder: Path) -> AsyncIterator[SqliteStore]:
    made = SqliteStore(folder)
    yield made
    await made.close()


def database(folder: Path, *statements: str) -> Path:
    folder.mkdir(exist_ok=True)
    with closing(sqlite3.connect(folder / "state.db", isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)
    return folder / "state.db"


def tables(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """Every table, index and trigger of a file with what SQLite knows of it, without the text that made it."""
    with closing(sqlite3.connect(path)) as connection:
        names = connection.execute("SELECT type || ' ' || name, tbl_name FROM sqlite_master ORDER BY 1").fetchall()
        known: dict[str, list[tuple[object, ...]]] = {name: [(table,)] for name, table in names}
        for (name,) in connection.execute("SELECT name FROM sqlite_master").fetchall():
            for pragma in ("table_xinfo", "index_xinfo"):
                known.setdefault(f"{pragma} {name}", []).extend(connection.execute(f"PRAGMA {pragma}({name})"))
        return known


FOREIGN = {
    "no database": b"this is a text of somebody, and long enough to have a header" * 100,
    "a short text": b"hi",
}


@pytest.mark.parametrize("content", FOREIGN.values(), ids=FOREIGN)
async def test_a_file_that_is_no_database_is_left_alone(store: SqliteStore, folder: Path, content: bytes) -> None:
    folder.mkdir()
    (folder / "state.db").write_bytes(content)
    with pytest.raises(StoreError, match="no SQLite database") as caught:
        await opened(store)
    assert caught.value.file == str(folder / "state.db")
    assert caught.value.hint
    with pytest.raises(StoreError):
        await store.events("r")
    await store.close()
    assert (folder / "state.db").read_bytes() == content


def test_a_file_that_cannot_be_read_is_not_kept_open_by_the_error(tmp_path: Path) -> None:
    (tmp_path / "state.db").write_bytes(FOREIGN["no database"])
    with pytest.raises(sqlite3.DatabaseError) as caught:
        connect(tmp_path / "state.db", "mode=ro")
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        caught.traceback[-1].frame.f_locals["connection"].execute("SELECT 1")


@pytest.mark.parametrize(
    "statement", ["CREATE TABLE notes (x)", "PRAGMA user_version = 1", "PRAGMA application_id = 7"]
)
async def test_a_database_of_another_program_is_left_alone(store: SqliteStore, folder: Path, statement: str) -> None:
    path = database(folder, statement)
    before = path.read_bytes()
    with pytest.raises(StoreError, match="another program"):
        await opened(store)
    with pytest.raises(StoreError, match="another program"):
        await store.runs()
    await store.close()
    assert path.read_bytes() == before


@pytest.mark.parametrize("journal", ["DELETE", "WAL"])
async def test_a_newer_state_is_refused_and_not_a_byte_of_it_changes(
    store: SqliteStore,
    folder: Path,
    journal: str,
) -> None:
    await opened(store)
    await store.close()
    newer = load_schema().version + 1
    path = database(folder, f"PRAGMA journal_mode = {journal}", f"PRAGMA user_version = {newer}")
    before = path.read_bytes(), sorted(folder.iterdir())
    with pytest.raises(NewerStore, match=f"format {newer}") as caught:
        await store.append("r", [started("r", 2)])
    assert caught.value.exit_code == 2
    await store.close()
    assert (path.read_bytes(), sorted(folder.iterdir())) == before
    with pytest.raises(NewerStore):
        await store.events("r")
    await store.close()
    assert path.read_bytes() == before[0]


async def test_the_log_of_a_newer_program_that_died_stays_where_it_is(store: SqliteStore, folder: Path) -> None:
    await opened(store)
    await store.close()
    newer = sqlite3.connect(folder / "state.db", isolation_level=None)
    newer.execute(f"PRAGMA user_version = {load_schema().version + 1}")
    copy = folder.with_name("copy")
    shutil.copytree(folder, copy)  # as a crash would leave it: with a log that holds the new number
    newer.close()
    before = {name: (copy / name).read_bytes() for name in ("state.db", "state.db-wal")}
    assert before["state.db-wal"]
    other = SqliteStore(copy)
    with pytest.raises(NewerStore):
        await opened(other)
    await other.close()
    assert {name: (copy / name).read_bytes() for name in before} == before


@pytest.mark.parametrize("statements", [(), ("PRAGMA journal_mode = WAL",)])
async def test_a_file_whose_making_was_cut_short_is_made_anew(
    store: SqliteStore,
    folder: Path,
    statements: tuple[str, ...],
) -> None:
    database(folder, *statements).touch()
    assert list(await store.runs()) == []
    await opened(store)
    assert len(await store.events("r")) == 1


async def test_something_in_the_way_is_named(store: SqliteStore, folder: Path) -> None:
    folder.write_text("a file")
    for deed in (opened(store), store.runs()):
        with pytest.raises(StoreError, match="in the way"):
            await deed
    folder.unlink()
    (folder / "state.db").mkdir(parents=True)
    for deed in (opened(store), store.runs()):
        with pytest.raises(StoreError) as caught:
            await deed
        assert caught.value.file == str(folder / "state.db")


async def test_damage_is_told_of_and_ends_writing(store: SqliteStore, folder: Path) -> None:
    await store.open_run(record("r"), many("r", 500))
    await store.close()
    path = folder / "state.db"
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xa5" * (len(content) - 4096)
    path.write_bytes(content)
    for _ in range(2):
        with pytest.raises(StoreError, match="damaged") as caught:
            await store.append("r", [started("r", 501)])
    assert "backup" in str(caught.value.hint)
    with pytest.raises(StoreError, match="damaged"):
        await store.events("r")


async def test_a_link_that_leads_out_is_not_followed(store: SqliteStore, folder: Path, tmp_path: Path) -> None:
    other = SqliteStore(tmp_path / "other")
    await opened(other)
    await other.close()
    folder.mkdir()
    (folder / "state.db").symlink_to(tmp_path / "other/state.db")
    with pytest.raises(StoreError, match="leads out"):
        await store.events("r")
    with pytest.raises(StoreError, match="leads out"):
        await store.append("r", [started("r", 2)])


@pytest.mark.parametrize("name", ["state.db", "state.db-wal", "state.db-journal"])
@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir])
async def test_what_is_no_file_is_refused_and_not_waited_for(
    store: SqliteStore, folder: Path, name: str, make: Callable[[Path], None]
) -> None:
    if name != "state.db":
        await opened(store)
        await store.close()
        (folder / name).unlink(missing_ok=True)
    folder.mkdir(exist_ok=True)
    make(folder / name)
    again = SqliteStore(folder)
    with pytest.raises(StoreError, match="no file"):
        await again.events("r")
    with pytest.raises(StoreError, match="no file"):
        await again.append("r", [started("r", 2)])
    await again.close()


async def test_what_the_migrations_make_is_what_a_new_file_has(
    store: SqliteStore, folder: Path, tmp_path: Path
) -> None:
    await opened(store)
    await store.close()
    with closing(sqlite3.connect(tmp_path / "migrated.db")) as connection:
        for step in load_schema().steps:
            connection.executescript(step)
    assert tables(tmp_path / "migrated.db") == tables(folder / "state.db")


@pytest.mark.parametrize("first", ["read", "write"])
async def test_a_state_of_the_first_version_is_brought_up_to_date(store: SqliteStore, folder: Path, first: str) -> None:
    """The file as version 1 made it, with a claim that says nothing of who took it."""
    text = event_text(run_started("r"))
    path = database(folder, "PRAGMA journal_mode = WAL")
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript(load_schema().steps[0])
        connection.execute(
            "INSERT INTO runs VALUES (1, 'r', 'running', ?, ?, '[\"A\"]', '{}')", [at(1).isoformat()] * 2
        )
        connection.execute("INSERT INTO events VALUES ('r', 1, 'run_started', NULL, NULL, ?)", [text])
        connection.execute("INSERT INTO claims VALUES ('A', 'r')")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute("PRAGMA user_version = 1")
    if first == "read":
        assert list(await store.events("r")) == [run_started("r")]
        assert dict(await store.claims()) == {"A": Claim("A", "r")}
    with store.own("r"):
        assert dict(await store.claim("other", ["A"])) == {"A": "r"}
    assert dict(await store.claim("other", ["A"])) == {}
    assert (await store.claims())["A"].owner == this_process()
    assert [event.seq for event in await store.events("r")] == [1]
    await store.close()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (load_schema().version,)


def later(*steps: str) -> Schema:
    """The present schema and some versions that may come."""
    present = load_schema()
    return Schema(create=present.create, steps=(*present.steps, *steps))


@pytest.mark.parametrize("first", ["read", "write"])
async def test_an_older_state_is_brought_up_to_date_and_keeps_what_it_holds(
    store: SqliteStore,
    folder: Path,
    first: str,
) -> None:
    await opened(store)
    await store.close()
    newer = SqliteStore(
        folder, schema=later("ALTER TABLE runs ADD COLUMN note TEXT;", "CREATE TABLE more (x); ANALYZE;")
    )
    if first == "write":
        await newer.append("r", [started("r", 2)])
    assert [event.seq for event in await newer.events("r")] == ([1, 2] if first == "write" else [1])
    await newer.close()
    with closing(sqlite3.connect(folder / "state.db")) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (load_schema().version + 2,)
        assert connection.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
        assert connection.execute("SELECT note FROM runs").fetchall() == [(None,)]
    with pytest.raises(NewerStore):
        await store.runs()


async def test_a_newer_version_that_takes_over_an_open_state_is_noticed(store: SqliteStore, folder: Path) -> None:
    await opened(store)
    await store.events("r")
    newer = SqliteStore(folder, schema=later("CREATE TABLE more (x);"))
    await newer.append("r", [started("r", 2)])
    for _ in range(2):
        with pytest.raises(NewerStore):
            await store.append("r", [started("r", 3)])
        with pytest.raises(NewerStore):
            await store.events("r")
    await store.close()
    assert len(await newer.events("r")) == 2
    await newer.close()


async def test_a_migration_that_fails_leaves_the_version_before_it(store: SqliteStore, folder: Path) -> None:
    await opened(store)
    await store.close()
    broken = SqliteStore(folder, schema=later("CREATE TABLE one (x);", "CREATE TABLE two (x); CREATE TABLE one (x);"))
    for _ in range(2):
        with pytest.raises(StoreError, match="one"):
            await broken.append("r", [started("r", 2)])
    await broken.close()
    assert not {"table two"} & tables(folder / "state.db").keys()
    halfway = SqliteStore(folder, schema=later("CREATE TABLE one (x);"))
    await halfway.append("r", [started("r", 2)])
    await halfway.close()


def test_migrations_have_to_be_numbered_without_a_gap(tmp_path: Path) -> None:
    (tmp_path / "migrations").mkdir()
    (tmp_path / "migrations/0002_second.sql").touch()
    (tmp_path / "schema.sql").touch()
    with pytest.raises(ValueError, match=r"\[2\]"):
        load_schema(tmp_path)


@pytest.mark.parametrize("question", ["application_id", "user_version", "sqlite_master"])
def test_a_file_that_is_made_between_two_questions_is_not_taken_for_a_foreign_one(folder: Path, question: str) -> None:
    folder.mkdir()
    schema = load_schema()
    made: list[str] = []

    def meanwhile(statement: str) -> None:
        if question in statement and not made:
            made.append(statement)
            with closing(sqlite3.connect(folder / "state.db", isolation_level=None)) as other:
                build(other, schema, 0)

    with closing(sqlite3.connect(folder / "state.db", isolation_level=None)) as connection:
        connection.set_trace_callback(meanwhile)
        assert version_of(connection, folder / "state.db", schema) in {0, schema.version}
        assert version_of(connection, folder / "state.db", schema) == schema.version
    assert made
