"""Looking a project over: is its state whole, is anything left of runs that died, is there room.

It needs neither settings nor tasks, so it works where those are broken; and it works on a damaged state file and on one
of a newer version, neither of which it touches. Looking changes nothing. When told to mend, it mends only what is safe:
processes that carry the marker of a run that nobody owns are ended while the run's owner lock is held, so nobody can
begin to own it meanwhile; claims of such runs are given back; files that only a living attempt needs are removed.
Whatever goes on is left alone.

`database` looks at the state file, `leftovers` and `orphans` at what dead runs left, `machine` at the disk and the
tools.
"""

from orchestration.doctor.examining import Report, examine
from orchestration.doctor.findings import Finding, Level
from orchestration.doctor.orphans import end_orphans

__all__ = ["Finding", "Level", "Report", "end_orphans", "examine"]
