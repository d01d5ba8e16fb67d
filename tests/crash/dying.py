"""Dies before one system call of a run of three tasks, lets the next run end it, and looks at what came of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.crash import backlogs, tracing
from tests.crash.checking import complaints, told_by
from tests.crash.tracing import Point

FIRST: Final = 30
AT_MOST: Final = 50


@dataclass(frozen=True, slots=True)
class Death:
    """What came of one point: whether the run really died there, and what is wrong."""

    point: Point
    died: bool
    wrong: Sequence[str]


def all_points(folder: Path) -> Sequence[Point]:
    """Every point of a run, as one that nobody disturbs has them."""
    folder.mkdir(parents=True, exist_ok=True)
    trace = folder / "trace"
    tracing.record(backlogs.small(folder / "undisturbed"), trace)
    return tracing.points(trace)


def some_points(points: Sequence[Point]) -> Sequence[Point]:
    """The first ones, and every k-th after them, the last one too."""
    first, rest = points[:FIRST], points[FIRST:]
    step = -(-len(rest) // (AT_MOST - FIRST)) or 1
    return [*first, *rest[::-1][::step][::-1]]


def death(folder: Path, point: Point) -> Death:
    """Die there, restart, verify."""
    project = backlogs.small(folder)
    died, output = tracing.die_at(project, point)
    done = project.orch(*backlogs.ALL)
    wrong = complaints(project.root, backlogs.SMALL, [*told_by(output), *told_by(done.out.encode())])
    if done.code != 0:
        wrong.append(f"the next run ended with exit code {done.code}: {done.last}")
    return Death(point, died, wrong)
