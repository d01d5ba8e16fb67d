"""What a backlog takes in memory: so much for each task, however many there are."""

import gc
import tracemalloc
from pathlib import Path
from typing import Final

import pytest

from orchestration.models import PythonAgent
from orchestration.orchestrator import ProjectOrchestrator
from orchestration.registry import AgentRegistry
from orchestration.results import RunResult
from tests.world.projects import make_project

pytestmark = pytest.mark.slow

FEW, MANY = 300, 1_500
MOST: Final = 3_400
"""Bytes for a task that says nothing but its id and its agent, with all that is alive for it at the worst moment, from
its file to its result. 10,000 of them are to fit into 80 MB together with what is imported, so not much is to spare."""


async def nothing_at_all() -> None:
    """The work."""


async def run(root: Path, count: int) -> tuple[RunResult, int]:
    """Run so many tasks; returns the result, and the bytes that Python had in use at the worst moment."""
    make_project(root, [{"id": f"T{i}"} for i in range(count)])
    registry = AgentRegistry({"shell": PythonAgent(function=nothing_at_all)})
    gc.collect()
    tracemalloc.start()
    try:
        async with ProjectOrchestrator(root, registry=registry, python_in_child=False) as orchestrator:
            return await orchestrator.run_batch(max_concurrent=4), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


async def test_what_a_task_takes_in_memory_is_bounded(tmp_path: Path) -> None:
    await run(tmp_path / "first", 1)  # what is imported and built once belongs to nobody
    _, few = await run(tmp_path / "few", FEW)
    result, many = await run(tmp_path / "many", MANY)
    assert result.succeeded
    assert len(result.results) == MANY
    assert (many - few) / (MANY - FEW) < MOST
