"""Renders a report as one HTML page that needs nothing else: styles and charts are inside it.

The page is also well-formed XML, so that a strict parser can audit it. Whatever comes from the tree is escaped.
"""

from collections.abc import Mapping
from html import escape

from agents.report.document import Cell, Chapter, Figure, Report, Table
from agents.wording import visible

STYLE = """
:root { --page: #f9f9f7; --card: #fcfcfb; --ink: #0b0b0b; --soft: #52514e; --line: #e1e0d9; --good: #006300;
  --bad: #b52a2a; color-scheme: light dark; }
@media (prefers-color-scheme: dark) { :root { --page: #0d0d0d; --card: #1a1a19; --ink: #ffffff; --soft: #c3c2b7;
  --line: #2c2c2a; --good: #0ca30c; --bad: #e66767; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; }
main { max-width: 60rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
h1 { margin: 0; font-size: 1.7rem; } h2 { margin: 0 0 .4rem; font-size: 1.15rem; }
p { margin: .3rem 0; } .soft, nav { color: var(--soft); } nav a { color: inherit; margin-right: .9rem; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 1.1rem 1.25rem;
  margin-top: 1.1rem; }
.verdict { display: inline-block; margin: .9rem 0; font-weight: 600; } .good { color: var(--good); }
.bad { color: var(--bad); }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(6.3rem, 1fr)); gap: .7rem; margin: 0 0 .9rem; }
.figures div { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: .6rem .8rem;
  display: flex; flex-direction: column; justify-content: space-between; }
.figures dt { color: var(--soft); font-size: .82rem; } .figures dd { margin: 0; font-size: 1.35rem; font-weight: 600; }
.scroll { overflow-x: auto; margin-top: .8rem; }
table { border-collapse: collapse; width: 100%; font-size: .88rem; }
th, td { padding: .25rem .9rem .25rem 0; border-bottom: 1px solid var(--line); vertical-align: top;
  overflow-wrap: anywhere; }
th { text-align: left; color: var(--soft); font-weight: 600; overflow-wrap: normal; }
td:first-child:not(.number) { min-width: 6.5rem; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; width: 1%; }
tr.total td { font-weight: 600; border-bottom: 0; }
svg.chart { display: block; max-width: 100%; height: auto; margin: .8rem 0 0 -1rem; } svg.chart .surface { fill: none; }
"""


def render(report: Report, charts: Mapping[str, str]) -> str:
    """The page; `charts` maps each chart's file to its SVG."""
    kind = "good" if report.passed else "bad"
    parts = [
        "<!DOCTYPE html>",
        '<html xmlns="http://www.w3.org/1999/xhtml" lang="en">',
        f'<head><meta charset="utf-8"/><title>{_escaped(report.title)}</title>',
        '<meta name="viewport" content="width=device-width, initial-scale=1"/>',
        f"<style>{STYLE}</style></head>",
        f'<body><main><h1>{_escaped(report.title)}</h1><p class="soft">{_escaped(report.subtitle)}</p>',
        f'<p class="verdict {kind}">{_escaped(report.verdict)}</p>',
        f'<dl class="figures">{"".join(map(_figure, report.figures))}</dl>',
        f"<nav>{''.join(map(_link, report.chapters))}</nav>",
        *(_chapter(chapter, charts) for chapter in report.chapters),
        "</main></body></html>",
    ]
    return "\n".join(parts) + "\n"


def _figure(figure: Figure) -> str:
    return f'<div><dt>{_escaped(figure.label)}</dt><dd data-fact="{_escaped(figure.fact)}">{figure.value:,}</dd></div>'


def _link(chapter: Chapter) -> str:
    return f'<a href="#{_escaped(chapter.anchor)}">{_escaped(chapter.title)}</a> '


def _chapter(chapter: Chapter, charts: Mapping[str, str]) -> str:
    text = "".join(f"<p>{_escaped(sentence)}</p>" for sentence in chapter.text)
    chart = charts.get(chapter.chart or "", "")
    tables = "".join(map(_table, chapter.tables))
    return f'<section id="{_escaped(chapter.anchor)}"><h2>{_escaped(chapter.title)}</h2>{text}{chart}{tables}</section>'


def _table(table: Table) -> str:
    numeric = [all(isinstance(row[n], int) for row in table.rows) for n in range(len(table.head))]
    head = "".join(f"<th{_number(yes)}>{_escaped(name)}</th>" for name, yes in zip(table.head, numeric, strict=True))
    rows = []
    for number, row in enumerate(table.rows, 1):
        last = table.total and number == len(table.rows)
        style = ' class="total"' if last else ""
        rows.append(f"<tr{style}>{''.join(map(_cell, row))}</tr>")
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'


def _cell(value: Cell) -> str:
    shown = f"{value:,}" if isinstance(value, int) else _escaped(value)
    return f"<td{_number(isinstance(value, int))}>{shown}</td>"


def _escaped(text: str) -> str:
    return escape(visible(text))


def _number(yes: bool) -> str:  # noqa: FBT001  # the one question there is about a cell
    return ' class="number"' if yes else ""
