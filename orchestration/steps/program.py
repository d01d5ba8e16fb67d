"""A compiled pipeline or flow, and what a run's fingerprint is made of."""

from collections.abc import Callable, Collection, Iterator
from typing import Any, Final, Literal

from orchestration.graph import Graph
from orchestration.records import dataclass
from orchestration.steps.unit import Unit

UNNAMED: Final = "pipeline"
"""What a pipeline is called to which nobody has given a name."""


@dataclass(frozen=True, slots=True)
class Program:
    """Steps that can be run: the outermost composite, and how failures are answered.

    `check` is given the names of the parameters, and refuses what could be known to be wrong before anything runs.
    `graph` is that of the outermost steps, where it is known already.
    """

    name: str
    kind: Literal["pipeline", "flow"]
    root: Unit
    check: Callable[[Unit, Collection[str]], None]
    fail_fast: bool = False
    graph: Graph | None = None

    def shape(self) -> dict[str, dict[str, Any]]:
        """For each step as it is written, what it waits for and how it is done; those inside of others too."""
        known: dict[tuple[tuple[str, ...], str], dict[str, Any]] = {}
        return {path: _facts(unit, known) for path, unit in _walk(self.root, "")}


def _walk(unit: Unit, path: str) -> Iterator[tuple[str, Unit]]:
    for name, inner in unit.composite.units.items():
        place = f"{path}/{name}" if path else name
        yield place, inner
        if inner.is_composite:
            yield from _walk(inner, place)


def _facts(unit: Unit, known: dict[tuple[tuple[str, ...], str], dict[str, Any]]) -> dict[str, Any]:
    """What is said of a unit; the same object for all of which the same is said."""
    needs, kind = unit.needs, unit.work.kind
    facts = known.get((needs, kind))
    if facts is None:
        facts = known[needs, kind] = {"needs": list(needs), "kind": kind, "external": False}
    return facts
