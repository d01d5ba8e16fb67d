"""The JSON of the two events that nearly all events are, written in one go.

An attempt that succeeds is a `task_started` and a `task_completed`, and for a step of a pipeline their JSON took longer
than all that the plan does about them. What is written here is what `codec.to_dict` and `json.dumps` give for the same
event, to the letter; a test holds it to that. Anything unusual in an event (a number that is no number, a name that is
no text) is left to them.
"""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from json.encoder import encode_basestring
from math import isfinite
from typing import Any, Final

from orchestration.events.records import Event, TaskChunk, TaskCompleted, TaskStarted

_QUOTED: Final[Callable[[str], str]] = encode_basestring


def quick_json(event: Event | TaskChunk) -> str | None:
    """The event's JSON, None where that has to be made the long way."""
    write = _WRITERS.get(type(event))
    if write is None:
        return None
    try:
        return write(event)
    except (TypeError, AttributeError):  # a field holds what it should not, and the long way tells
        return None


def _head(event: TaskStarted | TaskCompleted) -> str:
    task_id = _QUOTED(event.task_id)
    return (
        f'{{"type":"{event.type}","run_id":{_QUOTED(event.run_id)},"seq":{_whole(event.seq)},'
        f'"at":"{event.at.isoformat()}","task_id":{task_id},"path":{task_id},"attempt":{_whole(event.attempt)},'
        f'"agent":{_text(event.agent)}'
    )


def _started(event: TaskStarted) -> str:
    return f'{_head(event)},"slot":{_whole(event.slot)},"queued_at":{_time(event.queued_at)}}}'


def _completed(event: TaskCompleted) -> str:
    said = event.outcome.to_dict()
    outcome = f",{json.dumps(said, separators=(',', ':'), ensure_ascii=False)[1:]}" if said else "}"
    return f'{_head(event)},"duration_seconds":{_number(event.duration_seconds)}{outcome}'


def _whole(value: int | None) -> str:
    if value is None:
        return "null"
    if type(value) is not int:
        raise TypeError
    return str(value)


def _number(value: float) -> str:
    if type(value) is not float or not isfinite(value):
        raise TypeError
    return repr(value)


def _text(value: str | None) -> str:
    return "null" if value is None else _QUOTED(value)


def _time(value: datetime | None) -> str:
    return "null" if value is None else f'"{value.isoformat()}"'


_WRITERS: Final[Mapping[type, Callable[[Any], str]]] = {TaskStarted: _started, TaskCompleted: _completed}
