"""What a look finds: one sentence for each thing, how grave it is, and what to do about it."""

from enum import StrEnum
from typing import Any

from orchestration.records import dataclass


class Level(StrEnum):
    """How grave a finding is. Only a problem is one; a note is worth knowing, and the next run sees to it."""

    OK = "ok"
    NOTE = "note"
    SKIPPED = "skipped"
    MENDED = "mended"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        check: what was looked at, in a word or two.
        level: how grave it is.
        message: what is so.
        hint: what to do, if anything is to be done.
    """

    check: str
    level: Level
    message: str
    hint: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """The finding as JSON."""
        return {"check": self.check, "level": self.level.value, "message": self.message, "hint": self.hint}
