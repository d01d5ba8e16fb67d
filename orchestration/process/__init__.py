"""The only spawner: runs a program in a session of its own, reads all it says, and ends all it started.

`run_process` is the door. It keeps the facts of an end (`ProcessEnd`) and judges nothing. What each part survives is
written in its file: `spawn` (starting), `spelling` (in which bytes), `feeding` (input), `reading` (output), `running`
(the life of a process), `tree`, `table`, `brand` (finding descendants), `ending` (TERM, grace, KILL, proof), `children`
(all that live; orphans), `steadfast` (waits that no cancellation cuts short), `control` (its reader's hand on it),
`watching` (a child's end, by pidfd), `environment` (what a child may see), `leftovers` (what an earlier life of a run
left).

On macOS there are no sessions to look up, no pidfds and no subreapers: descendants are found by parent and group with
`ps`, and one that broke both ties before a look is missed.
"""

from orchestration.process.brand import mark_of
from orchestration.process.children import LiveChildren, become_subreaper
from orchestration.process.command import (
    DEFAULT_KILL_GRACE,
    DEFAULT_MAX_CAPTURE,
    DEFAULT_MAX_LOG,
    Command,
    EndedBy,
    ProcessEnd,
    Sink,
    Stream,
)
from orchestration.process.control import Control
from orchestration.process.environment import child_environment
from orchestration.process.leftovers import end_descendants, end_leftovers
from orchestration.process.running import run_process
from orchestration.process.spawn import no_file_free, raise_file_limit
from orchestration.process.spelling import in_bytes

__all__ = [
    "DEFAULT_KILL_GRACE",
    "DEFAULT_MAX_CAPTURE",
    "DEFAULT_MAX_LOG",
    "Command",
    "Control",
    "EndedBy",
    "LiveChildren",
    "ProcessEnd",
    "Sink",
    "Stream",
    "become_subreaper",
    "child_environment",
    "end_descendants",
    "end_leftovers",
    "in_bytes",
    "mark_of",
    "no_file_free",
    "raise_file_limit",
    "run_process",
]
