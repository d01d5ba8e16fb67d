"""Whole commands, measured by the kernel: wall seconds, CPU seconds with children, peak memory of the largest process.

Runners are interleaved round by round, so that a machine that gets slower slows them all; what counts is the median of
the per-round ratios.

A command is started by a process of its own that has imported next to nothing. The kernel counts what a process was
before it became the command among the command's peak, and a bench that has just loaded 10,000 tasks is larger than most
of what it measures.
"""

import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_STARTER: Final = Path(__file__).with_name("starting.py")


@dataclass(frozen=True, slots=True)
class Cost:
    """What one execution of a command cost; `peak` in MiB."""

    wall: float
    cpu: float
    peak: float


@dataclass(frozen=True, slots=True)
class Runner:
    """A command to measure; `prepare` puts its state back before each round."""

    name: str
    argv: Sequence[str]
    cwd: Path | None = None
    prepare: Callable[[], None] = lambda: None


def measure(runner: Runner) -> Cost:
    """Execute once.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    runner.prepare()
    starter = [sys.executable, "-I", "-S", str(_STARTER), *map(str, runner.argv)]
    said = subprocess.run(starter, cwd=runner.cwd, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    found = json.loads(said.stdout)
    if found["code"]:
        raise subprocess.CalledProcessError(found["code"], runner.argv)
    return Cost(found["wall"], found["cpu"], found["peak"])


def rounds(runners: Sequence[Runner], count: int) -> Mapping[str, list[Cost]]:
    """Each runner once per round, after one round that does not count."""
    costs: dict[str, list[Cost]] = {runner.name: [] for runner in runners}
    for number in range(count + 1):
        for runner in runners:
            cost = measure(runner)
            if number:
                costs[runner.name].append(cost)
    return costs


def median_ratio(costs: Mapping[str, list[Cost]], name: str, floor: str) -> float:
    """The median over the rounds of one runner's wall time by another's."""
    pairs = zip(costs[name], costs[floor], strict=True)
    return statistics.median(ours.wall / theirs.wall for ours, theirs in pairs)


def median(costs: Sequence[Cost], field: str) -> float:
    """The median of one figure."""
    values: list[float] = [getattr(cost, field) for cost in costs]
    return statistics.median(values)
