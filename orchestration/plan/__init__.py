"""The pure state of a run: `check(event)`, `apply(event)`, and what follows from it. No clock, no I/O, not async."""

from orchestration.plan.book import Phase
from orchestration.plan.limits import Limits
from orchestration.plan.nodes import (
    Ask,
    Block,
    Cancel,
    Consequence,
    Decide,
    Fallback,
    Join,
    Node,
    Skip,
    Startable,
    Stop,
)
from orchestration.plan.plan import Plan
from orchestration.plan.states import FINAL, STATUS, TRANSITIONS, State
from orchestration.plan.verdicts import Verdict, verdict

__all__ = [
    "FINAL",
    "STATUS",
    "TRANSITIONS",
    "Ask",
    "Block",
    "Cancel",
    "Consequence",
    "Decide",
    "Fallback",
    "Join",
    "Limits",
    "Node",
    "Phase",
    "Plan",
    "Skip",
    "Startable",
    "State",
    "Stop",
    "Verdict",
    "verdict",
]
