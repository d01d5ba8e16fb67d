"""Many runs of many tasks: what is only listed is not held, and what is asked for is whole."""

import json
import sqlite3
import tracemalloc
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from orchestration.store.sqlite import SqliteStore
from tests.world.store_samples import record, run_started

TASKS = 400
SHAPE = {f"T{n}": {"needs": [f"T{n - 1}"] if n else [], "kind": "shell", "external": False} for n in range(TASKS)}


@pytest.fixture
async def folder(tmp_path: Path) -> Path:
    """A state with a hundred runs of the same tasks."""
    store = SqliteStore(tmp_path)
    await store.open_run(record("first", tasks=tuple(SHAPE), shape=SHAPE), [run_started("first")])
    await store.close()
    with closing(sqlite3.connect(tmp_path / "state.db")) as connection, connection:
        copies = [(f"run{n}",) for n in range(99)]
        columns = "status, created_at, updated_at, tasks, shape, kind"
        connection.executemany(f"INSERT INTO runs (run_id, {columns}) SELECT ?, {columns} FROM runs LIMIT 1", copies)  # noqa: S608  # names of columns
    return tmp_path


async def test_the_graph_of_a_run_is_what_it_was(folder: Path) -> None:
    store = SqliteStore(folder)
    runs = await store.runs()
    await store.close()
    assert len(runs) == 100
    shape = runs[-1].shape
    assert shape == SHAPE
    assert [*shape] == [*SHAPE]
    assert (len(shape), shape["T1"], "T999" in shape) == (TASKS, SHAPE["T1"], False)
    assert repr(shape) == repr(SHAPE)
    assert runs[0] == replace(runs[0], shape=SHAPE)


async def test_runs_of_the_same_tasks_take_little_more_than_one_of_them(folder: Path) -> None:
    store = SqliteStore(folder)
    await store.runs()  # what is read once and stays
    tracemalloc.start()
    try:
        runs = await store.runs()
        held = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    await store.close()
    assert len({id(run.tasks) for run in runs}) == 1
    assert held < 3 * len(json.dumps(SHAPE)) + 2_000 * len(runs)
