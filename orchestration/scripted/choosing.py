"""Which steps are played for an attempt at a task: a plain function of the script, the attempt and the seed."""

from __future__ import annotations

from orchestration.scripted.steps import CHOOSING, OTHERWISE, STEPS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any


def chosen(
    steps: Sequence[tuple[str, dict[str, Any]]], task: str, attempt: int, seed: str
) -> list[tuple[str, dict[str, Any]]]:
    """The steps that are played for an attempt (1, 2, …) at a task, in order: the same ones each time."""
    found: list[tuple[str, dict[str, Any]]] = []
    for number, (word, fields) in enumerate(steps):
        if word not in CHOOSING:
            found.append((word, fields))
        elif word == "trick":
            found += chosen(fields["name"], task, attempt, seed)
        elif word == "attempts":
            found += chosen(fields["lists"][min(attempt, len(fields["lists"])) - 1], task, attempt, seed)
        elif word == "tasks":
            cases = fields["cases"]
            found += chosen(cases.get(task, cases.get(OTHERWISE, ())), task, attempt, seed)
        elif word == "one_of":
            lists = fields["lists"]
            found += chosen(lists[_drawn(f"{seed}/{task}/{attempt}/{number}", len(lists))], task, attempt, seed)
        elif attempt <= fields["times"]:  # fail_first
            failed = {name: field.default for name, field in STEPS["final"].fields.items()}
            found += [("final", {**failed, "verdict": "failed", "error": fields["error"]}), ("exit", {"code": 1})]
            break
    return found


def _drawn(of: str, count: int) -> int:
    from zlib import crc32  # noqa: PLC0415  # only a choice pays for it

    return crc32(of.encode(errors="replace")) % count
