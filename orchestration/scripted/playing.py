"""Plays steps one after the other, and says with which exit code the process is to end."""

from __future__ import annotations

from orchestration.scripted.doing import DOING
from orchestration.scripted.ending import ENDING
from orchestration.scripted.leaving import LEAVING
from orchestration.scripted.saying import SAYING
from orchestration.scripted.stage import Stage, Stop

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

DEEDS: Mapping[str, Callable[..., None]] = {**SAYING, **DOING, **ENDING, **LEAVING}
"""What is done for each step, with the stage and the step's fields."""

LOADER = "reexec"
KEPT = "lifetime"
"""The one step that a loader and what it loads both play: it is there to bound both."""


def play(stage: Stage, steps: Sequence[tuple[str, Mapping[str, Any]]], *, loaded: bool = False) -> int:
    """Play the steps, and return the exit code.

    Args:
        stage: The attempt.
        steps: What to do, as `choosing.chosen` gives it.
        loaded: Whether this process was started by the step `reexec`; then the steps up to it have been played.
    """
    words = [word for word, _ in steps]
    if loaded and LOADER in words:
        at = words.index(LOADER)
        steps = [step for number, step in enumerate(steps) if number > at or step[0] == KEPT]
        words = [word for word, _ in steps]
    try:
        if LOADER not in words and "stdin" not in words:
            stage.read_prompt()
        for word, fields in steps:
            DEEDS[word](stage, **fields)
    except Stop as stop:
        return stage.code if stop.code is None else stop.code
    return stage.code
