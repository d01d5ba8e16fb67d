"""The chapters about the code: composition, functions, hot spots, imports, tests."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from agents.report.document import Chapter, table
from agents.wording import counted

Facts: TypeAlias = Mapping[str, Any]
SHOWN = 8


def composition(facts: Facts, chart: str | None) -> Chapter:
    """What kinds of files there are."""
    sorts = ("files", "lines", "code", "words", "blank")
    rows = [(kind, *(count[sort] for sort in sorts)) for kind, count in facts["kinds"].items()]
    rows.append(("total", *(facts["total"][sort] for sort in sorts)))
    text = "Code, words for people (comments, docstrings, prose) and blank lines add up to the lines of each kind."
    return Chapter("Composition", (text,), table(f"kind | {' | '.join(sorts)}", rows, total=True), chart)


def functions(facts: Facts, chart: str | None) -> Chapter:
    """The longest and the most tangled functions."""
    unread = facts["unread"]
    text = [
        f"{counted(facts['count'], 'function')}, measured without their docstrings.",
        "Complexity counts the ways through a function: one, and one more for each place where it can branch.",
    ]
    if unread:
        text.append(f"Not read, because they are no Python that this interpreter knows: {', '.join(unread)}.")
    places = "{file}:{line}".format_map
    longest = [(one["name"], places(one), one["lines"], one["complexity"]) for one in facts["longest"]]
    tangled = [(one["name"], places(one), one["lines"], one["complexity"]) for one in facts["tangled"]]
    tables = table("longest functions | place | lines | complexity", longest)
    tables += table("most tangled functions | place | lines | complexity", tangled)
    return Chapter("Functions", tuple(text), tables, chart)


def hotspots(facts: Facts) -> Chapter:
    """Where work is most likely to hurt."""
    rows = [(one["file"], one["complexity"], one["changes"], one["score"]) for one in facts["files"]]
    text = f"Files that are both tangled and often changed, ranked by {facts['by']}."
    return Chapter("Hot spots", (text,), table("file | complexity | changes | score", rows))


def imports(facts: Facts) -> Chapter:
    """Who imports whom."""
    circles = facts["circles"]
    shape = "no circles: imports go downward only" if not circles else counted(len(circles), "circle")
    height = counted(len(facts["floors"]), "floor")
    size = f"{counted(facts['modules'], 'module')} on {height}, {counted(facts['edges'], 'import')} between them"
    text = [
        f"{size}, {shape}.",
        f"From elsewhere: {', '.join(facts['foreign']) or 'nothing but the standard library'}.",
    ]
    text += [f"In a circle: {_first_of(circle)}." for circle in circles[:SHOWN]]
    floors = [
        (one["floor"], one["modules"], _first_of(one["some"], one["modules"])) for one in reversed(facts["floors"])
    ]
    carrying = [(one["module"], one["importers"]) for one in facts["most_imported"]]
    tables = table("floor | modules | which", floors) + table("most imported | importers", carrying)
    return Chapter("Imports", tuple(text), tables)


def _first_of(names: Sequence[str], of: int | None = None) -> str:
    left = (of or len(names)) - len(names[:SHOWN])
    return ", ".join(names[:SHOWN]) + (f" and {left:,} more" if left else "")


def tests(facts: Facts, chart: str | None) -> Chapter:
    """How many tests there are, and where."""
    rows = [(name, row["files"], row["tests"], row["tables"]) for name, row in facts["folders"].items()]
    rows.append(("total", facts["files"], facts["tests"], facts["tables"]))
    text = f"{counted(facts['tests'], 'test function')}; one that runs a table counts once, whatever its rows."
    return Chapter("Tests", (text,), table("folder | files | tests | with a table", rows, total=True), chart)
