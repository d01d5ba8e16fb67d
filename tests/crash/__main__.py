"""The full sets of crashes, by hand: scripts/soak [--cycles N] [--minutes M] [--share I/N] [PART…].

Parts: kills (random kills), calls (a death before every system call), cuts (every power cut), lies (a store that says
it failed), habits (any commands in any order). Prints a table, and for whatever is wrong how to try it again and where
its files are. Not part of CI. A share is every N-th try, beginning with the I-th: N shares together are the whole, and
may be run when there is time.
"""

import argparse
import asyncio
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias

import pytest

from tests.crash import cutting, cycles, dying, lying, tracing
from tests.crash import habits as user

CYCLES: Final = 1_000
MINUTES: Final = 90.0

Try: TypeAlias = tuple[str, Path, Sequence[str]]
"""What was tried, where its files are, and what is wrong."""


@dataclass(slots=True)
class Tally:
    """What came of a part."""

    part: str
    tries: int = 0
    violations: int = 0
    seconds: float = 0.0
    remarks: list[str] = field(default_factory=list)

    def line(self) -> str:
        """A row of the table."""
        remark = "; ".join(self.remarks)
        return f"| {self.part} | {self.tries} | {self.violations} | {self.seconds:.0f} | {remark} |"


@dataclass(frozen=True, slots=True)
class Lot:
    """What of a part is to be tried: so many seeds from the first one on, and of these and of all points a share."""

    first: int
    count: int
    share: slice

    @property
    def seeds(self) -> Sequence[int]:
        """The seeds of the share."""
        return range(self.first, self.first + self.count)[self.share]


def kills(folder: Path, lot: Lot) -> Iterator[Try]:
    """Random kills, one cycle for each seed."""
    for seed in lot.seeds:
        place = folder / f"kill-{seed}"
        yield f"kills --first {seed} --cycles 1", place, cycles.cycle(place, seed).wrong


def calls(folder: Path, lot: Lot) -> Iterator[Try]:
    """A death before every system call."""
    tracing.strace()
    for point in dying.all_points(folder / "recorded")[lot.share]:
        place = folder / str(point)
        yield f"calls ({point})", place, dying.death(place, point).wrong


def cuts(folder: Path, lot: Lot) -> Iterator[Try]:
    """Every power cut."""
    tracing.strace()
    recording = cutting.recorded(folder / "recorded")
    for cut in cutting.all_cuts(recording)[lot.share]:
        place = folder / str(cut)
        yield f"cuts ({cut})", place, cutting.wrong_after(recording, cut, place)


def lies(folder: Path, lot: Lot) -> Iterator[Try]:
    """Stores that say that they failed."""
    for seed in lot.seeds:
        place = folder / f"lies-{seed}"
        with asyncio.Runner() as runner:
            yield f"lies --first {seed} --cycles 1", place, runner.run(lying.lived(place, seed)).wrong


def habits(folder: Path, lot: Lot) -> Iterator[Try]:
    """Any commands in any order; a seed takes as long as ten kills, so there are a tenth as many."""
    for seed in list(lot.seeds)[: max(1, lot.count // 10)]:
        place = folder / f"habits-{seed}"
        yield f"habits --first {seed} --cycles 1", place, user.wrong_with(place, seed)


PARTS: Final[Mapping[str, Callable[[Path, Lot], Iterator[Try]]]] = {
    "kills": kills,
    "calls": calls,
    "cuts": cuts,
    "lies": lies,
    "habits": habits,
}


def say(*lines: str) -> None:
    """Tell the person who waits."""
    print(*lines, sep="\n", flush=True)  # noqa: T201  # the soak is a program, which reports by printing


def tally(part: str, tries: Iterator[Try], deadline: float) -> Tally:
    """Try until there is nothing left to try, or no time."""
    found, start = Tally(part), time.monotonic()
    try:
        for name, place, wrong in tries:
            found.tries += 1
            if not wrong:
                shutil.rmtree(place, ignore_errors=True)
            else:
                found.violations += 1
                say(f"scripts/soak {name}: see {place}", *wrong)
            if time.monotonic() > deadline:
                found.remarks.append("the time was up")
                break
    except pytest.skip.Exception as why:
        found.remarks.append(str(why))
    found.seconds = time.monotonic() - start
    return found


def share_of(text: str) -> slice:
    """Which tries `I/N` means.

    Raises:
        ValueError: it means none.
    """
    number, _, count = text.partition("/")
    if not 1 <= int(number) <= int(count):
        raise ValueError(text)
    return slice(int(number) - 1, None, int(count))


def main() -> int:
    """Run the parts that were asked for; returns 1 if anything is wrong."""
    options = argparse.ArgumentParser(prog="scripts/soak", description="Crashes orch in every way we know, for long.")
    options.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all by default")
    options.add_argument("--cycles", type=int, default=CYCLES, help="of kills and of lies (%(default)s)")
    options.add_argument("--first", type=int, default=1_000, metavar="SEED", help="the first seed (%(default)s)")
    options.add_argument("--minutes", type=float, default=MINUTES, help="for all parts together (%(default)s)")
    options.add_argument("--share", type=share_of, default=slice(None), metavar="I/N", help="every N-th try only")
    given = options.parse_args()
    unknown = sorted(set(given.parts) - PARTS.keys())
    if unknown:
        options.error(f"there is no part {unknown[0]}")
    folder = Path(tempfile.mkdtemp(prefix="orch-soak-"))
    deadline = time.monotonic() + 60 * given.minutes
    lot = Lot(given.first, given.cycles, given.share)
    rows = []
    for part in given.parts or PARTS:
        rows.append(tally(part, PARTS[part](folder / part, lot), deadline))
        say(f"{part}: {rows[-1].tries} tried, {rows[-1].violations} wrong")
    say("", "| part | tried | violations | seconds | |", "| --- | --- | --- | --- | --- |", *map(Tally.line, rows))
    failed = any(row.violations for row in rows)
    if not failed:
        shutil.rmtree(folder, ignore_errors=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
