"""Whole commands, measured by the kernel: wall seconds, CPU seconds with children, peak memory of the largest process.

Runners are interleaved round by round, so that a machine that gets slower slows them all; what counts is the median of
the per-round ratios.
"""

import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


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
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    with subprocess.Popen(runner.argv, cwd=runner.cwd, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - began
    if child.returncode:
        raise subprocess.CalledProcessError(child.returncode, runner.argv)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    peak = usage.ru_maxrss / (1024 if sys.platform == "linux" else 1024 * 1024)
    return Cost(wall, cpu, peak)


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
