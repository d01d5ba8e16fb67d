"""Draws what `docs/states.md` shows of the plan's table of moves: the diagram and the two tables.

    python scripts/draw_states.py            writes the page anew
    python scripts/draw_states.py --check    exits 1 if the page is not what the table says

Only what stands between `<!-- drawn: NAME -->` and `<!-- end of NAME -->` is replaced; the rest is written by hand.
"""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from orchestration.plan import FINAL, STATUS, TRANSITIONS, State

PAGE: Final = Path(__file__).resolve().parent.parent / "docs" / "states.md"
LABELS_IN_A_LINE: Final = 2
"""Words beside one arrow are set in lines of that many, or the diagram gets wider than a page."""


def arrows() -> dict[tuple[State, State], list[str]]:
    """The words that move a task, by the states before and after; those that leave it where it is are left out."""
    found: dict[tuple[State, State], list[str]] = {}
    for word, row in TRANSITIONS.items():
        for before, after in row.items():
            if before is not after:
                found.setdefault((before, after), []).append(word.replace(":", " "))
    return found


def diagram() -> str:
    """A mermaid state diagram."""
    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {State.WAITING}"]
    for (before, after), words in arrows().items():
        rows = [", ".join(words[i : i + LABELS_IN_A_LINE]) for i in range(0, len(words), LABELS_IN_A_LINE)]
        lines.append(f"    {before} --> {after}: {'<br>'.join(rows)}")
    return "\n".join([*lines, "```"])


def states() -> str:
    """A table of the states with what users see of them."""
    lines = ["| state | status in results | final |", "| --- | --- | --- |"]
    lines += [f"| {state} | `{STATUS[state]}` | {'yes' if state in FINAL else ''} |" for state in State]
    return "\n".join(lines)


def moves() -> str:
    """The table itself: each word with all its moves."""
    lines = ["| what happened | moves |", "| --- | --- |"]
    for word, row in TRANSITIONS.items():
        told = [f"{before} → {after}" if before is not after else f"{before} stays" for before, after in row.items()]
        lines.append(f"| `{word.replace(':', ' ')}` | {', '.join(told)} |")
    return "\n".join(lines)


DRAWN: Final[Mapping[str, Callable[[], str]]] = {"diagram": diagram, "states": states, "moves": moves}


def redrawn(page: str) -> str:
    """The page with its drawn parts made anew.

    Raises:
        ValueError: the page has no place for one of them.
    """
    for name, draw in DRAWN.items():
        begin, end = f"<!-- drawn: {name} -->\n", f"<!-- end of {name} -->"
        if page.count(begin) != 1 or page.count(end) != 1:
            raise ValueError(f"the page has no place, or several, for the {name}")
        before, _, rest = page.partition(begin)
        after = rest.partition(end)[2]
        page = f"{before}{begin}\n{draw()}\n\n{end}{after}"
    return page


def main(arguments: list[str]) -> int:
    """Write or check the page; returns the exit code."""
    page = PAGE.read_text(encoding="utf-8")
    drawn = redrawn(page)
    if page == drawn:
        return 0
    if arguments == ["--check"]:
        print(f"{PAGE.name} is not what the table says: run scripts/draw_states.py", file=sys.stderr)
        return 1
    PAGE.write_text(drawn, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
