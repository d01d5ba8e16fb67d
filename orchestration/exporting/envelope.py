"""JSON for programs: the one envelope of `--json` and of the server, and the lines of `--events`.

Both are valid whatever they carry: values of Python functions that JSON has no form for are shown by their text, NaN
and infinities as strings, and control characters of the second range are escaped, because a terminal may show them.
"""

import json
import math
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from orchestration import events
from orchestration.errors import OrchError

SCHEMA: Final = "orch/1"
MAX_DEPTH: Final = 100
"""Nesting of a value beyond which its text stands for it; far below where the JSON module gives up."""

MAX_BITS: Final = 10_000
"""Python refuses to write much longer numbers in decimal."""

_UNSAFE: Final = re.compile(r"[\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def envelope(kind: str, data: object) -> str:
    """The one document that a command prints with `--json`, or the server answers, without a newline at its end."""
    return dumps({"schema": SCHEMA, "kind": kind, "data": data})


def error_data(error: OrchError) -> dict[str, Any]:
    """What the envelope of kind `error` carries."""
    return {
        "code": error.code,
        "exit_code": error.exit_code,
        "message": error.message,
        "file": error.file,
        "line": error.line,
        "hint": error.hint,
        "problems": [problem.to_dict() for problem in error.problems],
        **error.facts,
    }


def event_line(event: events.Event | events.TaskChunk) -> str:
    """The event as one line, with its newline."""
    return dumps(events.to_dict(event)) + "\n"


def dumps(value: object) -> str:
    """Compact JSON that any encoding and any terminal survives; text beyond control characters stays readable."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError):
        text = json.dumps(plain(value), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    if text.isascii() and "\x7f" not in text:  # as most is; to look at each character takes longer than to write it
        return text
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def plain(value: object, depth: int = 0) -> object:
    """The value in the types that JSON has."""
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return value if value.bit_length() <= MAX_BITS else hex(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Mapping | list | tuple | set | frozenset):
        return _plain_container(value, depth) if depth < MAX_DEPTH else "..."
    try:
        return str(value)
    except Exception:  # noqa: BLE001  # an object of the user, which may do anything
        return f"<{type(value).__name__}>"


def _plain_container(value: Mapping[Any, Any] | Iterable[Any], depth: int) -> object:
    if isinstance(value, Mapping):
        return {str(plain(key)): plain(item, depth + 1) for key, item in value.items()}
    return [plain(item, depth + 1) for item in value]
