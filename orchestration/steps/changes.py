"""What is different about a run that is to be continued, as sentences."""

from collections.abc import Mapping
from typing import Any

Shape = Mapping[str, Mapping[str, Any]]


def changes(before: Shape, after: Shape) -> list[str]:
    """How the steps differ from those that the run was started with."""
    found = [f"the step {path} is gone" for path in before if path not in after]
    found += [f"the step {path} is new" for path in after if path not in before]
    for path in before:
        if path not in after:
            continue
        old, new = before[path], after[path]
        if list(old["needs"]) != list(new["needs"]):
            found.append(f"{path} came after {_names(old)} and now comes after {_names(new)}")
        if old["kind"] != new["kind"]:
            found.append(f"{path} was of kind {old['kind']} and is now of kind {new['kind']}")
    return found


def _names(facts: Mapping[str, Any]) -> str:
    return ", ".join(facts["needs"]) or "nothing"
