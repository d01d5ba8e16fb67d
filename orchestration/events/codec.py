"""Events ↔ JSON. Whatever an event holds comes back the same, and every line is valid JSON in valid UTF-8.

Edges survived: events written by a later version with more fields (unknown keys are ignored), half a character in an
agent's own JSON (it travels escaped), user data that looks like an event (it lives under `chunk` or `outputs`).
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any, Final

from orchestration.events.quick import quick_json
from orchestration.events.records import STORED, Event, RunCompleted, TaskChunk
from orchestration.kinds import ExecutionStatus, Failure, OnCrash, RunStatus
from orchestration.results import Outcome, Usage

_BY_TYPE: Final = {kind.type: kind for kind in STORED}
_FIELDS: Final = {kind: tuple(f.name for f in fields(kind)) for kind in STORED}
_ALWAYS_THERE: Final = frozenset({"run_id", "seq", "at", "task_id"})
_READERS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "at": datetime.fromisoformat,
    "due_at": datetime.fromisoformat,
    "until": datetime.fromisoformat,
    "usage": Usage.from_dict,
    "result": Outcome.from_dict,
    "items": tuple,
    "queued_at": datetime.fromisoformat,
    "tasks": tuple,
    "upstream": tuple,
    "by": lambda value: value if isinstance(value, str) else tuple(value),
    "failure": Failure,
    "then": OnCrash,
}


def to_dict(event: Event | TaskChunk) -> dict[str, Any]:
    """The event as plain JSON values: `type` first, an outcome's fields flat, `path` beside `task_id`."""
    if isinstance(event, TaskChunk):
        return _chunk_dict(event)
    data: dict[str, Any] = {"type": event.type}
    for name in _FIELDS[type(event)]:
        value = getattr(event, name)
        if name == "outcome":
            data.update(value.to_dict())
        elif isinstance(value, datetime):
            data[name] = value.isoformat()
        elif isinstance(value, tuple):
            data[name] = list(value)
        elif isinstance(value, Outcome | Usage):
            data[name] = value.to_dict()
        else:
            data[name] = value
        if name == "task_id":
            data["path"] = value
    return data


def _chunk_dict(chunk: TaskChunk) -> dict[str, Any]:
    data = {
        "type": chunk.type,
        "run_id": chunk.run_id,
        "task": chunk.task_id,
        "path": chunk.task_id,
        "attempt": chunk.attempt,
        "n": chunk.n,
        "at": chunk.at.isoformat(),
        "chunk": chunk.chunk,
    }
    if chunk.stream is not None:
        data["stream"] = chunk.stream
    return data


def from_dict(data: Mapping[str, Any]) -> Event:
    """The stored event from its JSON values.

    Raises:
        KeyError: `type` is none of ours, or a field that every event has is missing.
        ValueError: a field has a value that it cannot have.
    """
    kind = _BY_TYPE[data["type"]]
    values: dict[str, Any] = {}
    for name in _FIELDS[kind]:
        if name == "outcome":
            values[name] = Outcome.from_dict(data)
        elif name in data or name in _ALWAYS_THERE:
            values[name] = _read(kind, name, data[name])
    return kind(**values)


def _read(kind: type[Event], name: str, value: Any) -> Any:  # noqa: ANN401  # JSON in, a field's value out
    if value is None:
        return None
    if name == "status":
        return RunStatus(value) if kind is RunCompleted else ExecutionStatus(value)
    reader = _READERS.get(name)
    return reader(value) if reader else value


def to_json(event: Event | TaskChunk) -> str:
    """The event as one line of JSON, always valid as UTF-8."""
    text = quick_json(event)
    if text is None:
        text = _dumps(to_dict(event))
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:  # half a surrogate pair
            return json.dumps(to_dict(event), separators=(",", ":"))
    return text


def _dumps(data: Mapping[str, Any]) -> str:
    return json.dumps(data, separators=(",", ":"), ensure_ascii=False)


def from_json(text: str) -> Event:
    """The stored event from one line of JSON; raises like `from_dict`."""
    return from_dict(json.loads(text))
