"""Steps of flows that do nothing: what a flow costs above the scheduler, from what is written to the last record."""

import time
from pathlib import Path

from bench.reporting import Row
from orchestration.flow import Flow, FlowExecutor, FlowStep


async def _nothing() -> None:
    """Do nothing."""


def _plainly_nothing() -> None:
    """Do nothing, in a thread."""


ROUNDS = {1_000: 10, 10_000: 3}
"""Each figure is the least of so many, as for steps without a flow."""


def _seconds(flow: Flow, folder: Path | None) -> float:
    executor = FlowExecutor(max_concurrent=4, store=folder)
    began = time.perf_counter()
    run = executor.run(flow)
    seconds = time.perf_counter() - began
    if not run.succeeded:
        raise RuntimeError(f"the flow ended as {run.status}")
    return seconds


def flows(folder: Path) -> list[Row]:
    """Rows for steps beside each other, in memory and on disk, and for a chain."""
    rows = []
    for count, rounds in ROUNDS.items():
        wide = Flow("wide", [FlowStep(f"s{n}", _nothing) for n in range(count)])
        chain = Flow("chain", [FlowStep(f"s{n}", _nothing, depends_on=[f"s{n - 1}"] * (n > 0)) for n in range(count)])
        plain = Flow("plain", [FlowStep(f"s{n}", _plainly_nothing) for n in range(count)])
        for what, flow, place, goal in (
            ("memory store", wide, None, "≤ 15"),
            ("in a chain, memory store", chain, None, "≤ 15"),
            ("of a plain function, memory store", plain, None, "≤ 15"),
            ("SQLite with FULL", wide, folder, "≤ 100"),
            ("in a chain, SQLite with FULL", chain, folder, "≤ 100"),
            ("of a plain function, SQLite with FULL", plain, folder, "≤ 100"),
        ):
            places = (None if place is None else place / f"flow-{flow.name}-{count}-{n}" for n in range(rounds))
            value = min(_seconds(flow, one) for one in places) / count * 1e6
            rows.append(Row(f"step of a flow, {what}, {count:,} steps", value, "µs", goal=goal))
    return rows
