"""The chapters about upkeep: limits, history, links, marks for later, licences."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from agents.report.document import Chapter, table
from agents.wording import counted, span_of

Facts: TypeAlias = Mapping[str, Any]
SHOWN = 20
MARK = re.compile(r"(.*?):(\d+):(.*)", re.DOTALL)


def limits(facts: Facts) -> Chapter:
    """What the gate compared."""
    judged = facts["limits"]
    rows = [(one["fact"], f"{one['measured']:,}", f"{one['rule']} {one['limit']:,}", _kept(one)) for one in judged]
    text = "The limits stand in the gate's task file; a person is asked for a review only when all of them are kept."
    return Chapter("Limits", (text,), table("fact | measured | limit | kept", rows))


def _kept(row: Facts) -> str:
    return "yes" if row["kept"] else "NO"


def history(facts: Facts, chart: str | None) -> Chapter:
    """How the work went."""
    if not facts["available"]:
        return Chapter("History", (f"There is no history to summarise: {facts['why']}.",), chart=chart)
    people = counted(facts["authors"], "person", "people")
    text = [
        f"{counted(facts['commits'], 'commit')} by {people} {span_of(facts)}.",
        f"{counted(facts['added'], 'line')} added, {facts['removed']:,} removed.",
    ]
    if facts["shallow"]:
        text.append("This is a shallow clone: what is older than its first commit is not counted.")
    if facts["cut"]:
        text.append("Only the latest commits were read; the history is longer.")
    rows = [(one["file"], one["commits"]) for one in facts["most_changed"]]
    return Chapter("History", tuple(text), table("most changed | commits", rows), chart)


def links(facts: Facts) -> Chapter:
    """Which links lead nowhere."""
    broken = facts["broken"]
    text = (
        f"{counted(facts['followed'], 'relative link')} followed in {counted(facts['documents'], 'document')}, "
        f"{counted(len(broken), 'broken one')}; {counted(facts['elsewhere'], 'link')} to other hosts not visited."
    )
    rows = [(f"{one['file']}:{one['line']}", one["target"], one["why"]) for one in broken]
    return Chapter("Links", (text,), table("place | target | why it is broken", rows[:SHOWN]))


def marks(lines: Sequence[str]) -> Chapter:
    """What people left for later; each line is `path:line:text`."""
    parts = [found.groups() for one in lines[:SHOWN] if (found := MARK.match(one))]
    rows = [(f"{path}:{line}", text.strip()) for path, line, text in parts]
    text = f"{counted(len(lines), 'mark')} for later in comments"
    text += f", of which the first {SHOWN} are shown." if len(lines) > SHOWN else "."
    return Chapter("Marks for later", (text,), table("place | mark", rows))


def licences(facts: Facts) -> Chapter:
    """Under which licences the tree and its dependencies stand."""
    own = facts["tree"]
    needed = counted(len(facts["dependencies"]), "dependency", "dependencies")
    text = [
        f"The tree's licence file is {own['file']}, which reads as {own['text']}."
        if own["file"]
        else "The tree has no licence file: nobody else may use it.",
        f"Its metadata says {own['declared']}." if own["declared"] else "Its metadata names no licence.",
        f"{needed}, {counted(len(facts['denied']), 'licence')} that the list does not allow.",
    ]
    rows = [(one["name"], one["version"], one["licence"], _allowed(one)) for one in facts["dependencies"]]
    return Chapter("Licences", tuple(text), table("dependency | version | licence | allowed", rows))


def _allowed(row: Facts) -> str:
    if not row["version"]:
        return "not known"
    return "yes" if row["allowed"] else "NO"
