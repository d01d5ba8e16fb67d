"""Renders a report as Markdown, for places that show no HTML; the charts are files beside it."""

import re
from collections.abc import Iterable

from agents.report.document import Cell, Chapter, Report, Table
from agents.wording import visible

SPECIAL = re.compile(r"([\\`*_\[\]<>|#])")


def render(report: Report) -> str:
    """The text; it ends with a newline."""
    figures = Table(("figure", "value"), tuple((figure.label, figure.value) for figure in report.figures))
    parts = [
        f"# {plain(report.title)}",
        plain(report.subtitle),
        f"**{plain(report.verdict)}**",
        _table(figures),
        *(_chapter(chapter) for chapter in report.chapters),
    ]
    return "\n\n".join(parts) + "\n"


def _chapter(chapter: Chapter) -> str:
    chart = [f"![{chapter.title}]({chapter.chart})"] if chapter.chart else []
    return "\n\n".join([f"## {chapter.title}", *map(plain, chapter.text), *chart, *map(_table, chapter.tables)])


def _table(table: Table) -> str:
    numeric = [all(isinstance(row[n], int) for row in table.rows) for n in range(len(table.head))]
    rule = ["---:" if yes else "---" for yes in numeric]
    return "\n".join([_row(map(plain, table.head)), _row(rule), *(_row(map(_cell, row)) for row in table.rows)])


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(value: Cell) -> str:
    return f"{value:,}" if isinstance(value, int) else plain(value)


def plain(text: str) -> str:
    """The text with everything escaped that Markdown would take as markup, on one line."""
    return SPECIAL.sub(r"\\\1", visible(text))
