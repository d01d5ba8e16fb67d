"""What a retry in one run takes away of what another run did, in both stores."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from orchestration.events import TaskAdopted, TaskInputGiven
from orchestration.store.memory import MemoryStore
from orchestration.store.sqlite import SqliteStore
from tests.world.store_samples import at, completed, failed, opened

if TYPE_CHECKING:
    from orchestration.protocols import RunStore


@pytest.mark.parametrize("kind", ["sqlite", "memory"])
async def test_asking_to_retry_a_task_leaves_what_another_run_did(kind: str, tmp_path: Path) -> None:
    store: RunStore = SqliteStore(tmp_path / ".orchestration") if kind == "sqlite" else MemoryStore()
    await opened(store, "r1")
    await opened(store, "r2")
    await store.append("r1", [failed("r1", 2), failed("r1", 3, "B")])
    await store.append("r2", [completed("r2", 2), failed("r2", 3, "B")])
    again = [TaskInputGiven("r1", 4 + i, at(4 + i), name, action="retry") for i, name in enumerate("AB")]
    await store.append("r1", [*again, TaskAdopted("r1", 6, at(6), "A", from_run="r2")])
    assert {task: found.run_id for task, found in (await store.standings()).items()} == {"A": "r2"}
    await store.append("r1", [completed("r1", 7, attempt=2), TaskInputGiven("r1", 8, at(8), "A", action="retry")])
    assert await store.standings() == {}
    await store.close()
