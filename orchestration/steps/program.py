"""A compiled pipeline or flow, and what a run's fingerprint is made of."""

import hashlib
import json
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from orchestration.steps.unit import Unit


@dataclass(frozen=True, slots=True)
class Program:
    """Steps that can be run: the outermost composite, and how failures are answered.

    `check` is given the names of the parameters, and refuses what could be known to be wrong before anything runs.
    """

    name: str
    kind: Literal["pipeline", "flow"]
    root: Unit
    check: Callable[[Unit, Collection[str]], None]
    fail_fast: bool = False

    def shape(self) -> dict[str, dict[str, Any]]:
        """For each step as it is written, what it waits for and how it is done; those inside of others too."""
        return {path: _facts(unit) for path, unit in _walk(self.root, "")}


def _walk(unit: Unit, path: str) -> Iterator[tuple[str, Unit]]:
    for name, inner in unit.composite.units.items():
        place = f"{path}/{name}" if path else name
        yield place, inner
        if inner.is_composite:
            yield from _walk(inner, place)


def _facts(unit: Unit) -> dict[str, Any]:
    return {"needs": list(unit.needs), "kind": unit.work.kind, "external": False}


def fingerprint_of(shape: Mapping[str, Mapping[str, Any]]) -> str:
    """A digest of names, edges and kinds."""
    return hashlib.sha256(json.dumps(shape, sort_keys=True).encode()).hexdigest()
