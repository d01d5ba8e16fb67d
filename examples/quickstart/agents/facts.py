"""Where results are kept: one JSON file for each survey, replaced whole or not at all."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

OUT = Path("out")
FACTS = OUT / "facts"


def save(name: str, facts: Mapping[str, Any]) -> Path:
    """Write `out/facts/NAME.json`; a reader sees the old file or the new one, never half of it."""
    path = FACTS / f"{name}.json"
    write(path, json.dumps(facts, indent=1) + "\n")
    return path


def load(name: str) -> dict[str, Any]:
    """Read `out/facts/NAME.json`.

    Raises:
        FileNotFoundError: That survey has not been made.
    """
    facts: dict[str, Any] = json.loads((FACTS / f"{name}.json").read_text(encoding="ascii"))
    return facts


def load_all() -> dict[str, dict[str, Any]]:
    """Read every fact file there is, by name."""
    return {path.stem: load(path.stem) for path in sorted(FACTS.glob("*.json"))}


def write(path: Path, text: str) -> None:
    """Write a text file under another name, then rename it; what cannot be encoded becomes a question mark."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_bytes(text.encode("utf-8", "replace"))
    draft.replace(path)


def pass_on(**values: object) -> None:
    """Hand values to the tasks that depend on this one, if a run asked for them."""
    if target := os.environ.get("ORCH_OUTPUT"):
        with Path(target).open("a", encoding="utf-8") as file:
            file.write(json.dumps(values) + "\n")
