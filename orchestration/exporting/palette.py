"""What the drawings of a graph have in common: the colour of each status, and titles that fit into a label."""

import re
from collections.abc import Mapping
from typing import Final

from orchestration.kinds import ExecutionStatus

FILLS: Final[Mapping[ExecutionStatus, str]] = {
    ExecutionStatus.SUCCESS: "#b7e4c7",
    ExecutionStatus.IN_PROGRESS: "#a2d2ff",
    ExecutionStatus.NEEDS_INPUT: "#e0c3fc",
    ExecutionStatus.FAILED: "#ffadad",
    ExecutionStatus.CANCELLED: "#ffe5b4",
    ExecutionStatus.BLOCKED: "#ffe5b4",
    ExecutionStatus.SKIPPED: "#e5e5e5",
}
"""Light fills under black text; a pending task has none."""

LABEL_CHARACTERS: Final = 80

_NOT_SHOWN: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]+")


def one_line(text: str) -> str:
    """The text without control characters, what separated its lines as a space."""
    return " ".join(_NOT_SHOWN.sub(" ", text).split())
