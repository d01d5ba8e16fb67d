"""The named statements of `queries.sql`, read once, when the first of them is wanted."""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

_NAME: Final = re.compile(r"^-- ([a-z_]+) --$", re.MULTILINE)


@cache
def statements() -> Mapping[str, str]:
    """Every statement by its name."""
    return parse(Path(__file__).with_name("queries.sql").read_text(encoding="utf-8"))


def parse(text: str) -> dict[str, str]:
    """Split a file of statements, each under a line `-- its_name --`.

    Raises:
        ValueError: a name is given twice, or nothing stands under it.
    """
    _, *parts = _NAME.split(text)
    found: dict[str, str] = {}
    for name, body in zip(parts[::2], parts[1::2], strict=True):
        if name in found or not body.strip():
            raise ValueError(f"the statement {name} is empty or given twice")
        found[name] = body.strip()
    return found
