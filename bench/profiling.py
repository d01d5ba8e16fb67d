"""Where the parent's own time goes in a batch of cheap tasks, where it is what `orch` is: a child subreaper."""

import asyncio
import cProfile
import io
import pstats
from pathlib import Path

from bench.batches import make_backlog
from orchestration import ProjectOrchestrator
from orchestration.process import become_subreaper

COUNT = 1_000
TOP = 15


def profile(folder: Path) -> list[str]:
    """The profile's top entries by own time, without paths."""
    project = make_backlog(folder / "profile", COUNT)

    async def batch() -> None:
        async with ProjectOrchestrator(project) as orchestrator:
            await orchestrator.run_batch(max_concurrent=4)

    become_subreaper()  # a host program looks through all younger processes at each end, which the command never does
    profiler = cProfile.Profile()
    profiler.enable()
    asyncio.run(batch())  # noqa: TID251  # a bench is an entry point
    profiler.disable()
    told = io.StringIO()
    pstats.Stats(profiler, stream=told).strip_dirs().sort_stats("tottime").print_stats(TOP)
    lines = told.getvalue().splitlines()
    first = next(i for i, line in enumerate(lines) if line.lstrip().startswith("ncalls"))
    return [line.rstrip() for line in lines[first:] if line.strip()]
