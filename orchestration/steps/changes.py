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


def parameter_changes(before: Mapping[str, Any], given: Mapping[str, Any]) -> list[str]:
    """How the parameters differ; those that are not given again are what they were."""
    found = [f"the parameter {name} is new" for name in given if name not in before]
    found += [
        f"the parameter {name} was {before[name]!r:.60} and is now {value!r:.60}"
        for name, value in given.items()
        if name in before and before[name] != value
    ]
    return found
