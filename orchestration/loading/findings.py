"""What was found wrong while loading, before it is known on which line it stands.

A finding names its file and the path of the field inside it (`("tasks", 3, "retry", "on", 0)`). Its line is looked up
only when it is about to be shown: right files are read once, fast, and only wrong ones a second time, with all lines.
"""

from dataclasses import replace
from typing import TypeAlias

from orchestration.records import dataclass

FieldPath: TypeAlias = tuple[str | int, ...]
"""Keys and list positions that lead from the top of a document to a value."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing wrong; `grave` ones make the project unusable, the others are warnings."""

    message: str
    file: str | None = None
    hint: str | None = None
    line: int | None = None
    path: FieldPath | None = None
    grave: bool = True

    def within(self, file: str, path: FieldPath) -> "Finding":
        """The same, for a value that stands at `path` of `file` rather than at the top of a document."""
        return replace(self, file=file, path=(*path, *(self.path or ())))


class Refused(Exception):
    """A file cannot be used at all: it cannot be read, is no text, or is no YAML; caught inside this room."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.message)
        self.finding = finding


def field_name(path: FieldPath) -> str:
    """A path as people write it: `retry.on[0]`."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step:.80}" if text else f"{step:.80}"
    return text
