"""What a run is made of: for each task the ones that it needs, how it is done, and whether it is only looked at.

A run is continued with the shape that it began with; a digest of it stands in its first event.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, TypeAlias

Shape: TypeAlias = Mapping[str, Mapping[str, Any]]
"""Task → `needs`, `kind`, `external`."""


def fingerprint_of(shape: Shape) -> str:
    """A digest of names, edges and kinds."""
    columns = [[facts[key] for facts in shape.values()] for key in ("needs", "kind", "external")]
    return hashlib.sha256(json.dumps([[*shape], *columns]).encode()).hexdigest()


def changes(before: Shape, after: Shape, called: str = "") -> list[str]:
    """How they differ, as sentences; none where they do not.

    Args:
        before: as it was.
        after: as it is.
        called: what stands before a name of which nothing else is said, such as `the step `.
    """
    found = [f"{called}{name} is gone" for name in before if name not in after]
    found += [f"{called}{name} is new" for name in after if name not in before]
    for name in before:
        if name not in after:
            continue
        old, new = before[name], after[name]
        if list(old["needs"]) != list(new["needs"]):
            found.append(f"{name} depended on {_listed(old)} and now depends on {_listed(new)}")
        if old["kind"] != new["kind"]:
            found.append(f"{name} was of kind {old['kind']} and is now of kind {new['kind']}")
        if old["external"] != new["external"]:
            found.append(f"{name} {'left' if new['external'] else 'came into'} the selection")
    return found


def _listed(facts: Mapping[str, Any]) -> str:
    return ", ".join(facts["needs"]) or "nothing"
