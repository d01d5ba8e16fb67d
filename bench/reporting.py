"""A figure, and the page that all figures go to."""

import os
import platform
import sqlite3
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

_DIGITS = 3  # what a figure from a shared machine is good for


@dataclass(frozen=True, slots=True)
class Row:
    """One figure with its unit, and where it must get to, if that is decided."""

    name: str
    value: float
    unit: str
    goal: str = ""

    def cells(self) -> str:
        """The figure as a row of a Markdown table."""
        digits = max(0, _DIGITS - len(str(int(self.value))))
        return f"| {self.name} | {self.value:,.{digits}f} {self.unit} | {self.goal} |"


def machine() -> str:
    """The machine that the figures are from, in one line."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{platform.system()} {platform.release()} {platform.machine()}, {os.cpu_count()} cores (shared), "
        f"{memory:.0f} GiB, CPython {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    )


def page(sections: Sequence[tuple[str, Sequence[Row]]], profile: Sequence[str]) -> str:
    """`RESULTS.md`."""
    lines = [
        "# Figures",
        "",
        f"Taken on {datetime.now(UTC):%Y-%m-%d} by `scripts/bench` on: {machine()}.",
        "",
        "Absolute times vary between machines and between runs on one; the ratios were taken round by round in one",
        "run and are what counts. Goals without a value here are those of a later version. State was kept on tmpfs.",
    ]
    for title, rows in sections:
        lines += ["", f"## {title}", "", "| figure | value | goal |", "| --- | ---: | --- |"]
        lines += [row.cells() for row in rows]
    lines += ["", "## Where the time goes", "", "Own time of the parent process, batch of 1,000 tasks, four at a time:"]
    lines += ["", "```text", *profile, "```", ""]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(machine() + "\n")
