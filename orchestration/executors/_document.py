"""What a child is told about its attempt: the document of `docs/script-agents.md`, as JSON that every reader accepts.

Edges survived: values that YAML knows and JSON does not (dates, sets, bytes, NaN), keys that are no text, objects that
a Python caller put into a task.
"""

import json
import math
from collections.abc import Mapping
from typing import Any, Final

from orchestration.protocols import Work

SCHEMA: Final = "orch/1"


def document_of(work: Work) -> dict[str, Any]:
    """The document; plain values throughout."""
    return {
        "schema": SCHEMA,
        "task": task_of(work),
        "agent": work.agent_name,
        "run_id": work.run_id,
        "attempt": work.attempt,
        "prompt": work.prompt,
        "inputs": plain(work.inputs),
        "upstream": plain(work.upstream),
        "parameters": plain(work.parameters),
        "directory": str(work.directory.absolute()),
        "output_file": work.environment.get("ORCH_OUTPUT"),
    }


def task_of(work: Work) -> dict[str, Any]:
    """The fields of the task that were written, unknown ones too; the id always, the title with its fallback."""
    written: dict[str, Any] = plain(work.task.model_dump(exclude_unset=True))
    return {**written, "id": work.task.id, "title": work.task.name}


def document_bytes(document: Mapping[str, Any]) -> bytes:
    """The document on one line, in ASCII: a reader in another encoding reads it too."""
    return json.dumps(document, allow_nan=False).encode("ascii") + b"\n"


def plain(value: Any) -> Any:  # noqa: ANN401  # whatever stands in YAML or was given by a caller
    """A copy that JSON can say; what it has no word for becomes text."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
