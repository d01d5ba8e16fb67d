"""What one run leaves of what another run did, in both stores: retried, cancelled, skipped or blocked in the one."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from orchestration.events import (
    OUTSIDE,
    Event,
    TaskAdopted,
    TaskBlocked,
    TaskCancelled,
    TaskCompleted,
    TaskError,
    TaskInputGiven,
    TaskSkipped,
    TaskStarted,
)
from orchestration.results import ADOPTED_FROM, Outcome
from orchestration.store.memory import MemoryStore
from orchestration.store.sqlite import SqliteStore
from tests.world.store_samples import at, completed, failed, opened

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from orchestration.protocols import RunStore


@pytest.fixture(params=["sqlite", "memory"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> "AsyncIterator[RunStore]":
    """A store in which two runs are open."""
    made: RunStore = SqliteStore(tmp_path / ".orchestration") if request.param == "sqlite" else MemoryStore()
    await opened(made, "r1")
    await opened(made, "r2")
    yield made
    await made.close()


async def test_asking_to_retry_a_task_leaves_what_another_run_did(store: "RunStore") -> None:
    await store.append("r1", [failed("r1", 2), failed("r1", 3, "B")])
    await store.append("r2", [completed("r2", 2), failed("r2", 3, "B")])
    again = [TaskInputGiven("r1", 4 + i, at(4 + i), name, action="retry") for i, name in enumerate("AB")]
    await store.append("r1", [*again, TaskAdopted("r1", 6, at(6), "A", from_run="r2")])
    assert {task: found.run_id for task, found in (await store.standings()).items()} == {"A": "r2"}
    await store.append("r1", [completed("r1", 7, attempt=2), TaskInputGiven("r1", 8, at(8), "A", action="retry")])
    assert await store.standings() == {}


async def test_an_end_without_an_attempt_leaves_what_another_run_did(store: "RunStore") -> None:
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


async def test_a_retry_stored_together_with_the_success_of_another_run_leaves_it(store: "RunStore") -> None:
    await store.append("r1", [failed("r1", 2)])
    again = TaskInputGiven("r1", 3, at(3), "A", action="retry")
    await asyncio.gather(store.append("r2", [completed("r2", 2)]), store.append("r1", [again]))
    assert {task: standing.run_id for task, standing in (await store.standings()).items()} == {"A": "r2"}


@pytest.mark.parametrize(
    "end",
    [
        lambda **facts: TaskCompleted("r1", 3, at(3), "A", 1, **facts),
        lambda **facts: TaskError("r1", 3, at(3), "A", 1, **facts),
        lambda **facts: TaskCancelled("r1", 3, at(3), "A", 1, reason="cancelled", **facts),
    ],
)
@pytest.mark.parametrize(("agent", "run"), [("orch", "r2"), ("somebody", "r1")])
async def test_an_end_that_was_taken_over_is_that_of_the_other_run(
    store: "RunStore", end: Callable[..., Event], agent: str, run: str
) -> None:
    await store.claim("r1", ["A"])
    await store.append("r2", [failed("r2", 2)])
    await store.append("r1", [TaskStarted("r1", 2, at(2), "A", 1)])
    await store.append("r1", [end(agent=agent, outcome=Outcome(metadata={ADOPTED_FROM: "r2"}))])
    assert (await store.standings())["A"].run_id == run
    assert await store.claims() == {}


async def test_a_task_that_a_run_only_looks_at_stands_as_before(store: "RunStore") -> None:
    await store.append("r1", [TaskBlocked("r1", 2, at(2), "A", reason=OUTSIDE), TaskBlocked("r1", 3, at(3), "B")])
    assert [*(await store.standings())] == ["B"]
