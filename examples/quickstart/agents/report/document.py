"""What a report consists of, before it is HTML or Markdown."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

Cell: TypeAlias = str | int


@dataclass(frozen=True, slots=True)
class Table:
    """A table; numbers stand right-aligned, and the last row is a total where `total` says so."""

    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    total: bool = False


@dataclass(frozen=True, slots=True)
class Figure:
    """A number that stands out. `fact` is the dotted name under which the audit finds it again."""

    fact: str
    label: str
    value: int


@dataclass(frozen=True, slots=True)
class Chapter:
    """One part of the report; `chart` is a file relative to the report."""

    title: str
    text: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    chart: str | None = None

    @property
    def anchor(self) -> str:
        """The chapter's place in a link; titles consist of words, so this is also what GitHub makes of them."""
        return self.title.lower().replace(" ", "-")


@dataclass(frozen=True, slots=True)
class Report:
    """All of it. `verdict` is one sentence, `passed` whether it is good news."""

    title: str
    subtitle: str
    passed: bool
    verdict: str
    figures: tuple[Figure, ...]
    chapters: tuple[Chapter, ...]


def table(head: str, rows: Iterable[Sequence[Cell]], *, total: bool = False) -> tuple[Table, ...]:
    """A chapter's tables: the one with these columns (`"file | lines"`), or none if it has no rows."""
    filled = tuple(tuple(row) for row in rows)
    return (Table(tuple(head.split(" | ")), filled, total),) if filled else ()
