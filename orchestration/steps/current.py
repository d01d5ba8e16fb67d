"""Which step is running here: known to the function of a step, and to all that it calls, by a context variable."""

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class CurrentStep:
    """A step that runs: its run, its path in it, the number of its attempt, and the run's parameters."""

    run_id: str
    path: str
    attempt: int
    parameters: Mapping[str, Any] = field(repr=False)


_CURRENT: Final[ContextVar[CurrentStep | None]] = ContextVar("orchestration_step", default=None)


def current_step() -> CurrentStep | None:
    """The step that the caller is a part of; None outside of steps."""
    return _CURRENT.get()


enter = _CURRENT.set
"""Say which step runs in this context; called inside the context of the step."""
