"""Draws the four charts of the report from the facts."""

from datetime import date
from typing import Any

from agents.facts import OUT, load, save, write
from agents.svg import Column, Row, bars, columns
from agents.wording import counted, span_of

FOLDER = OUT / "charts"
MOST_ROWS = 10
MOST_LABELS = 9  # below the columns of a history


def composition() -> str:
    """The lines of each kind of file."""
    facts = load("measure")
    kinds = facts["kinds"]
    rows = [_row(name, [kinds[name]]) for name in list(kinds)[:MOST_ROWS]]
    if rest := [kinds[name] for name in list(kinds)[MOST_ROWS:]]:
        rows.append(_row(f"{len(rest)} other kinds", rest))
    total = facts["total"]
    note = f"{total['lines']:,} lines in {total['files']:,} text files"
    return bars("What the tree is made of", note, ("code", "words for people", "blank"), rows)


def _row(label: str, counts: list[dict[str, int]]) -> Row:
    return Row(label, tuple(sum(count[sort] for count in counts) for sort in ("code", "words", "blank")))


def functions(longest: int) -> str:
    """How long the functions are, those over the limit marked."""
    facts = load("functions")
    classes = facts["histogram"]
    over = [one["to"] is None or one["to"] > longest for one in classes]
    data = [
        Column(_span(one), one["count"], f"{one['count']:,} functions of {_span(one)} lines", bad)
        for one, bad in zip(classes, over, strict=True)
    ]
    note = f"{facts['count']:,} functions; half of them have at most {facts['median_lines']} lines, the longest has "
    note += f"{facts['longest_lines']}"
    limit = over.index(True) - 1 if True in over else None
    return columns("How long the functions are", note, f"lines of the body (limit: {longest})", data, limit)


def _span(one: dict[str, Any]) -> str:
    return f"over {one['from'] - 1}" if one["to"] is None else f"{one['from']}–{one['to']}"  # noqa: RUF001  # a range


def history() -> str:
    """The commits of each period; without a history, a chart that says so."""
    facts = load("history")
    if not facts["available"]:
        return columns("How the work went", f"No history to draw: {facts['why']}", "", [])
    periods = facts["periods"]
    every = max(1, -(-len(periods) // MOST_LABELS))
    data = [
        Column(
            "" if number % every else _day(one["start"], facts["period"]),
            one["commits"],
            f"{one['commits']:,} commits in the {facts['period']} of {one['start']}",
        )
        for number, one in enumerate(periods)
    ]
    note = f"{counted(facts['commits'], 'commit')} by {counted(facts['authors'], 'person', 'people')} {span_of(facts)}"
    if facts["shallow"] or facts["cut"]:
        note += " (shallow clone: older ones are not here)" if facts["shallow"] else " (the latest ones)"
    return columns("How the work went", note, f"commits in each {facts['period']}", data)


def _day(start: str, period: str) -> str:
    day = date.fromisoformat(start)
    return day.strftime("%b %Y") if period == "month" else f"{day.day} {day:%b}"


def tests() -> str:
    """The tests of each folder."""
    facts = load("tests")
    folders = sorted(facts["folders"].items(), key=lambda item: (-item[1]["tests"], item[0]))
    rows = [Row(name, (row["tests"],)) for name, row in folders[:MOST_ROWS]]
    if rest := folders[MOST_ROWS:]:
        rows.append(Row(f"{len(rest)} other folders", (sum(row["tests"] for _, row in rest),)))
    note = f"{facts['tests']:,} test functions in {facts['files']:,} files; {facts['tables']:,} of them run a table"
    return bars("Where the tests are", note, ("tests",), rows)


def draw(longest: int = 60) -> dict[str, Any]:
    """Draw all four as files under `out/charts`; returns the outputs for the tasks that follow.

    Args:
        longest: The limit, in lines, that longer functions are marked against.
    """
    charts = {"composition": composition(), "functions": functions(longest), "history": history(), "tests": tests()}
    for name, text in charts.items():
        write(FOLDER / f"{name}.svg", text)
    save("charts", {name: f"charts/{name}.svg" for name in charts})
    return {"charts": len(charts)}
