"""What the records of the engine are in JSON, as models: computed from the records themselves, field by field.

So the server's OpenAPI document cannot say anything else than the program does. Nothing is checked by them when an
answer is given, because that would cost as much as making it; a test holds real answers to them.
"""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from types import UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, create_model

from orchestration.events import STORED, AttemptEnd, Event, TaskChunk, TaskEvent
from orchestration.results import AttemptRecord, ExecutionResult, Outcome, RunResult, Usage

EXACT: Final = ConfigDict(extra="forbid")
_MODELS: dict[tuple[type, bool], type[BaseModel]] = {}


def _model(name: str, definitions: Mapping[str, Any], doc: str | None) -> type[BaseModel]:
    made: type[BaseModel] = create_model(name, __config__=EXACT, __doc__=doc, **definitions)
    return made


def _of_record(record: type[Any], *, sparse: bool = False, **more: Any) -> type[BaseModel]:  # noqa: ANN401
    """The model of a record's JSON; `sparse` for one whose fields are left out where they say nothing."""
    key = (record, sparse)
    if key not in _MODELS:
        definitions = {**_definitions(record, sparse=sparse), **more}
        _MODELS[key] = _model(record.__name__, definitions, record.__doc__)
    return _MODELS[key]


def _definitions(record: type[Any], *, sparse: bool, without: str = "") -> dict[str, Any]:
    hints = get_type_hints(record)
    default = _left_out() if sparse else ...
    return {one.name: (_of_type(hints[one.name]), default) for one in fields(record) if one.name != without}


def _left_out() -> Any:  # noqa: ANN401  # a field of pydantic
    """What may be missing, and is never null."""

    def without_default(schema: dict[str, Any]) -> None:
        schema.pop("default", None)

    return Field(default=None, json_schema_extra=without_default)


def _of_type(hint: Any) -> Any:  # noqa: ANN401, PLR0911  # any annotation; one line for each form that records use
    origin, inner = get_origin(hint), get_args(hint)
    if origin in {Union, UnionType}:
        return Union.__getitem__(tuple(_of_type(one) for one in inner))
    if hint is AttemptRecord:
        return ATTEMPT
    if hint is Outcome:
        return _of_record(Outcome, sparse=True)
    if is_dataclass(hint) and isinstance(hint, type):
        return _of_record(hint)
    if origin is tuple:
        return list[_of_type(inner[0])]  # type: ignore[misc]  # computed
    if origin is not None and issubclass(origin, Mapping):
        return dict[str, _of_type(inner[1])]  # type: ignore[misc]  # computed
    return hint


_OUTCOME: Final = _definitions(Outcome, sparse=True)
ATTEMPT: Final = _model(
    "Attempt",
    {**_definitions(AttemptRecord, sparse=False, without="outcome"), **_OUTCOME},
    AttemptRecord.__doc__,
)
EXECUTION_RESULT: Final = _of_record(ExecutionResult)
RUN_RESULT: Final = _of_record(
    RunResult,
    outputs=(dict[str, Any], ...),
    counts=(dict[str, int], ...),
    usage=(_of_record(Usage) | None, ...),
)


def _of_event(kind: type[Event]) -> type[BaseModel]:
    definitions: dict[str, Any] = {
        "type": (Literal[kind.type], ...),
        **_definitions(kind, sparse=False, without="outcome"),
    }
    if issubclass(kind, TaskEvent):
        definitions["path"] = (str, ...)
    if issubclass(kind, AttemptEnd):
        definitions |= _OUTCOME
    return _model(kind.__name__, definitions, kind.__doc__)


EVENTS: Final = tuple(_of_event(kind) for kind in STORED)
EVENT: Final = Annotated[Union.__getitem__(EVENTS), Field(discriminator="type")]  # computed
CHUNK: Final = _model(
    "TaskChunk",
    {
        "type": (Literal["task_chunk"], ...),
        "run_id": (str, ...),
        "task": (str, ...),
        "path": (str, ...),
        "attempt": (int, ...),
        "n": (int, ...),
        "at": (datetime, ...),
        "chunk": (Any, ...),
        "stream": (Literal["stdout", "stderr"], _left_out()),
    },
    TaskChunk.__doc__,
)
