"""What the executor of another package returned → an outcome, whatever it was."""

from dataclasses import replace

from orchestration.kinds import Failure
from orchestration.results import Outcome


def as_outcome(returned: object, who: str) -> Outcome:
    """The outcome that `who` (such as `the backend far`) returned, or one that says what was wrong with it.

    That an attempt was interrupted is for `orch` to say, which then does it again, and would so for ever.
    """
    if not isinstance(returned, Outcome):
        return Outcome(failure=Failure.INVALID_OUTPUT, error=f"{who} returned a {type(returned).__name__}, no Outcome")
    if returned.failure is Failure.INTERRUPTED:
        told = f"{who} says `interrupted`, which only orch can know: {returned.error or 'no reason given'}"
        return replace(returned, failure=Failure.INVALID_OUTPUT, error=told)
    return returned
