"""Events of runs of steps as they are told to whoever watches: JSON, whatever their values are in memory."""

from typing import Any, Final

from orchestration.events import Event, TaskChunk, to_dict
from orchestration.shown import shown

_VALUES: Final = ("chunk", "outputs", "metadata", "result")
"""The fields that hold what a user's code made."""


def told(event: Event | TaskChunk) -> dict[str, Any]:
    """The event as JSON values; an object that has no JSON is named by its type."""
    data = to_dict(event)
    for name in _VALUES:
        if name in data:
            data[name] = shown(data[name])
    return data
