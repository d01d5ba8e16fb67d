"""The ends of an attempt's logs, as text."""

from pathlib import Path
from typing import Any

from orchestration.orchestrator.growing import Growing, size_of


def ends_of(folder: Path, most: int) -> dict[str, Any]:
    """The last bytes of both logs as text, cut at a character, and how many bytes each has in all."""
    found: dict[str, Any] = {}
    for name in ("stdout", "stderr"):
        file = folder / f"{name}.log"
        size = size_of(file)
        start = max(0, size - most)
        data = Growing(file, start).read(size - start)
        if start:
            data = data[:4].lstrip(bytes(range(0x80, 0xC0))) + data[4:]
        found[name] = data.decode("utf-8", "replace")
        found[f"{name}_bytes"] = size
    return found
