"""`kind: interactive`: a person does the task; the attempt ends at once with what they are to read, and waits."""

from orchestration.protocols import Report, Work
from orchestration.results import Outcome


class InteractiveExecutor:
    """Hands the exact prompt over; `orch complete` and `orch fail` end the task."""

    async def execute(self, work: Work, report: Report) -> Outcome:  # noqa: ARG002  # there is nothing to report
        """Do one attempt; see `protocols.Executor`."""
        return Outcome(needs_input=True, prompt=work.prompt)
