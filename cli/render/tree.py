"""The graph as a tree: tasks without dependencies on top, below each what waits for it.

A task with several dependencies has its subtree under the first; elsewhere it is marked. Walked without recursion, and
a branch deeper than a screen is wide goes on at the left edge: a chain of ten thousand tasks is drawn like any other.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from orchestration.graph import Graph
from orchestration.records import dataclass

MAX_DEPTH: Final = 24


@dataclass(frozen=True, slots=True)
class Strokes:
    """What branches are drawn with."""

    tee: str
    corner: str
    bar: str
    above: str
    below: str


LINES: Final = Strokes("├── ", "└── ", "│   ", " (above)", " (goes on below)")
ASCII: Final = Strokes("|-- ", "`-- ", "|   ", " (above)", " (goes on below)")


@dataclass(frozen=True, slots=True)
class _Visit:
    task: int
    before: str
    last: bool
    depth: int


def tree(graph: Graph, label: Callable[[str], str], strokes: Strokes = LINES) -> Iterator[str]:
    """Yield the lines; `label` gives the text for an id."""
    drawn: set[int] = set()
    roots = [i for i in range(len(graph.ids)) if not graph.needs[i]]
    for root in roots:  # grows by those that go on at the left edge
        stack = [_Visit(root, "", last=True, depth=0)]
        while stack:
            visit = stack.pop()
            below = graph.needed_by[visit.task]
            again = visit.task in drawn and visit.task != root
            deep = bool(below) and visit.depth >= MAX_DEPTH and not again
            mark = strokes.above if again and below else strokes.below if deep else ""
            yield _stem(visit, strokes) + label(graph.ids[visit.task]) + mark
            if deep:
                roots.append(visit.task)
            drawn.add(visit.task)
            if not again and not deep:
                stack.extend(_visits(visit, below, strokes))


def _stem(visit: _Visit, strokes: Strokes) -> str:
    return visit.before + (strokes.corner if visit.last else strokes.tee) if visit.depth else ""


def _visits(visit: _Visit, below: Sequence[int], strokes: Strokes) -> Iterator[_Visit]:
    """The children, last first, because they go onto a stack."""
    before = visit.before + ("    " if visit.last else strokes.bar) if visit.depth else ""
    for child in reversed(below):
        yield _Visit(child, before, child == below[-1], visit.depth + 1)
