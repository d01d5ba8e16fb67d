"""Backends that have the same commands run by another program: under `nice`, in a sandbox, in a container, elsewhere.

Everything around the command goes on unchanged, because it still is a command of ours: its supervisor, its marker, its
limits, its logs, the masking of its output, and the end of whatever it started on this machine.
"""

from abc import ABC, abstractmethod
from dataclasses import replace
from functools import partial

from orchestration.protocols import Executor, Report, Start, Work
from orchestration.results import Outcome


class Wrapping(ABC):
    """Derive from it, and say in `command` what is started instead of each command.

    What has to be made before an attempt, or taken away after it (a container that outlives its client, a copy of the
    folder), belongs around `execute`, in `try` and `finally`.
    """

    async def execute(self, work: Work, report: Report, here: Executor) -> Outcome:
        """Have it done here, by rewritten commands; see `protocols.Backend`."""
        return await here.execute(replace(work, rewrite=partial(self.command, work)), report)

    @abstractmethod
    def command(self, work: Work, start: Start) -> Start:
        """What is started for an attempt instead of `start`; an `OrchError` fails the attempt with its message."""
