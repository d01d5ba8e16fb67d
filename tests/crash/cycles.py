"""Kills `orch` at a random moment, once or twice, lets it end what it began, and looks at what came of it.

The moment is drawn from a seed: so many lines of `--events`, then so many milliseconds. What the machine does in them
is not repeated by the same seed, so a failure shows up again only in some tries; the seed says where in the run.
"""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import IO, Final

from tests.cli.project import PATIENCE, Project
from tests.crash import backlogs
from tests.crash.checking import Event, complaints, told_by

LINES: Final = 44
"""About so many lines tell of a run of the mixed backlog, so that a kill comes anywhere in it."""
START_SECONDS: Final = 0.8
PAUSE_SECONDS: Final = 0.04
MAX_KILLS: Final = 3
BLOCK: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class Cycle:
    """What came of one cycle: how often `orch` was really killed, and what is wrong."""

    seed: int
    kills: int
    wrong: Sequence[str]


def cycle(folder: Path, seed: int) -> Cycle:
    """Start, kill, restart until it is through, verify."""
    random = Random(seed)  # noqa: S311  # a draw for a test
    project = backlogs.mixed(folder)
    told: list[Event] = []
    kills = 0
    for _ in range(random.randint(1, MAX_KILLS)):
        killed, events = _kill(project, random)
        kills += killed
        told += events
    done = project.orch(*backlogs.ALL)
    told += told_by(done.out.encode())
    wrong = complaints(project.root, backlogs.MIXED, told)
    if done.code != 1:  # one task has to fail
        wrong.append(f"the last run ended with exit code {done.code}: {done.last}")
    return Cycle(seed, kills, wrong)


def _kill(project: Project, random: Random) -> tuple[bool, Sequence[Event]]:
    """Start a run and kill it at the drawn moment; returns whether it still lived, and what it had told."""
    lines = random.choice([0, *(random.randrange(1, LINES) for _ in range(4))])
    pause = random.uniform(0, PAUSE_SECONDS if lines else START_SECONDS)
    with project.start(*backlogs.ALL) as process:
        output = _read_lines(process.stdout, lines)
        time.sleep(pause)
        process.kill()
        rest, _ = process.communicate(timeout=PATIENCE)
    return process.returncode < 0, told_by(output + rest)


def _read_lines(stream: IO[bytes] | None, count: int) -> bytes:
    """At least so many lines, or all; read from the descriptor itself, as `communicate` reads the rest."""
    assert stream is not None
    found = b""
    while found.count(b"\n") < count and (block := os.read(stream.fileno(), BLOCK)):
        found += block
    return found
