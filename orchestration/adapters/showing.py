"""An event → what a person would like to read of it, in one short text."""

import json
from typing import Any, Final

from orchestration.adapters.paths import Path
from orchestration.adapters.values import clean, text_of

MAX_SHOWN: Final = 16 * 1024
"""Characters of a text that are shown; a board has one line for it, and the log has it all."""

MAX_OBJECT: Final = 160
"""Characters of a tool's input; it says what is being done, not all of what is being done."""


def shown(paths: tuple[Path, ...], event: Any) -> str | None:  # noqa: ANN401  # any JSON
    """The texts under the paths, with objects as short JSON; None where there are none."""
    words = [text for path in paths for value in path.find(event) if (text := _one(value))]
    return clean(" ".join(words)[:MAX_SHOWN]) if words else None


def _one(value: object) -> str:
    if not isinstance(value, dict | list):
        return text_of(value)
    if not value:
        return ""
    try:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    except (ValueError, RecursionError):
        return "…"
    return text if len(text) <= MAX_OBJECT else f"{text[:MAX_OBJECT]}…"
