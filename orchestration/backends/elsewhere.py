"""An executor whose attempts a backend has done.

The backend is looked up when the first attempt needs it, so that one that is not there, or broken, fails the attempts
that need it and nobody else's. What came of an attempt says on which backend it ran, also if it was cut off.
"""

from collections.abc import Callable
from dataclasses import replace

from orchestration.errors import OrchError
from orchestration.executors.returned import as_outcome
from orchestration.kinds import Failure
from orchestration.protocols import Backend, Executor, Report, Work
from orchestration.results import Outcome

FACT = "backend"
"""Under this name the metadata of a result has the backend; what ran here has none."""


class Elsewhere:
    """Does attempts by a backend, as settings or the caller named it."""

    def __init__(self, name: str, find: Callable[[str], Backend], here: Executor) -> None:
        """`find` gives the backend of a name; `here` is who would do the attempts without it."""
        self._name = name
        self._find = find
        self._here = here

    async def execute(self, work: Work, report: Report) -> Outcome:
        """Do one attempt; see `protocols.Executor`."""
        try:
            backend = self._find(self._name)
        except OrchError as error:
            told = f"{error.message} ({error.hint})" if error.hint else error.message
            return Outcome(failure=Failure.AGENT_MISSING, error=told)
        keep = work.keep
        work = replace(work, backend=self._name, keep=lambda outcome: keep(self._told(outcome)))
        return self._told(as_outcome(await backend.execute(work, report, self._here), f"the backend {self._name}"))

    def _told(self, outcome: Outcome) -> Outcome:
        return replace(outcome, metadata={**outcome.metadata, FACT: self._name})
