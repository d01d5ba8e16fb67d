"""What one run leaves of what another run did, in both stores: retried, cancelled, skipped or blocked in the one."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from orchestration.events import TaskAdopted, TaskBlocked, TaskCancelled, TaskInputGiven, TaskSkipped
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


@pytest.mark.parametrize("kind", ["sqlite", "memory"])
async def test_an_end_without_an_attempt_leaves_what_another_run_did(kind: str, tmp_path: Path) -> None:
    store: RunStore = SqliteStore(tmp_path / ".orchestration") if kind == "sqlite" else MemoryStore()
    await opened(store, "r1")
    await opened(store, "r2")
    await store.append("r1", [failed("r1", 2)])
    await store.append("r2", [completed("r2", 2)])
    untried = [
        TaskCancelled("r1", 3, at(3), "A", reason="not_started"),
        TaskSkipped("r1", 4, at(4), "A", reason="when"),
        TaskBlocked("r1", 5, at(5), "A", by=("Z",)),
        TaskBlocked("r1", 6, at(6), "B", by=("A",)),
    ]
    await store.append("r1", untried)
    found = {task: (standing.run_id, standing.seq) for task, standing in (await store.standings()).items()}
    assert found == {"A": ("r2", 2), "B": ("r1", 6)}
    await store.append("r2", [TaskBlocked("r2", 3, at(3), "A", by=("Z",))])
    assert (await store.standings())["A"].seq == 3
    await store.append("r1", [failed("r1", 7, attempt=2), TaskSkipped("r1", 8, at(8), "A", reason="when")])
    assert (await store.standings())["A"].seq == 8
    await store.close()


@pytest.mark.parametrize("kind", ["sqlite", "memory"])
async def test_a_retry_stored_together_with_the_success_of_another_run_leaves_it(kind: str, tmp_path: Path) -> None:
    store: RunStore = SqliteStore(tmp_path / ".orchestration") if kind == "sqlite" else MemoryStore()
    await opened(store, "r1")
    await opened(store, "r2")
    await store.append("r1", [failed("r1", 2)])
    again = TaskInputGiven("r1", 3, at(3), "A", action="retry")
    await asyncio.gather(store.append("r2", [completed("r2", 2)]), store.append("r1", [again]))
    assert {task: standing.run_id for task, standing in (await store.standings()).items()} == {"A": "r2"}
    await store.close()
