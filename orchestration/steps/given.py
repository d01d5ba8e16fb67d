"""What a run was given, as its first event tells it, and as the run gets it back when it goes on.

A value that comes back from JSON as it was is simply written. Every other one (an object, a model, a tuple) is written
in a wrapping that says so, for whoever looks; when the run goes on it has to be given again, since a function would
otherwise be handed something else than before.
"""

from collections.abc import Mapping
from typing import Any, Final

from orchestration.errors import UsageError
from orchestration.shown import shown

AGAIN: Final = "$given_again"
"""The only key of a value that has to be given again; under it stands how the value is shown."""


def written(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters as JSON."""
    return {name: _written(value) for name, value in parameters.items()}


def _written(value: Any) -> Any:  # noqa: ANN401  # any value
    seen = shown(value)
    return seen if _is_same(value, seen) else {AGAIN: seen}


def _is_same(value: Any, seen: Any) -> bool:  # noqa: ANN401  # any value
    """Whether a value is what its JSON says, types included."""
    kind = type(value)
    if kind is not type(seen):
        return False
    if kind is dict:
        return value.keys() == seen.keys() and all(_is_same(value[key], seen[key]) for key in value)
    if kind is list:
        return len(value) == len(seen) and all(map(_is_same, value, seen))
    return kind in {str, int, float, bool, type(None)}


def parameter_changes(before: Mapping[str, Any], given: Mapping[str, Any]) -> list[str]:
    """How the parameters differ, both as they are written; those that are not given again are what they were."""
    found = [f"the parameter {name} is new" for name in given if name not in before]
    found += [
        f"the parameter {name} was {before[name]!r:.60} and is now {value!r:.60}"
        for name, value in given.items()
        if name in before and before[name] != value and not _is_nan(before[name], value)
    ]
    return found


def _is_nan(*values: Any) -> bool:  # noqa: ANN401  # any values
    return all(isinstance(value, float) and value != value for value in values)  # noqa: PLR0124  # that is what NaN is


def read_again(before: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a run that goes on.

    Raises:
        UsageError: one of them has to be given again, and is not.
    """
    lost = [name for name, value in before.items() if name not in given and isinstance(value, dict) and AGAIN in value]
    if lost:
        names = ", ".join(lost)
        told = f"to go on, the run has to be given {names} again: no store can keep such a value as it was"
        raise UsageError(told, hint=f"parameters={{{lost[0]!r}: …}}")
    return {**before, **given}
