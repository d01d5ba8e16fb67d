"""What the scheduler needs to know of a task beside its place in the plan."""

from dataclasses import dataclass

from orchestration.kinds import OnCrash
from orchestration.models import RetryPolicy


@dataclass(frozen=True, slots=True)
class Job:
    """A task's agent and policies; `approval` is what a person reads who is asked whether it may start."""

    agent: str | None = None
    retry: RetryPolicy | None = None
    on_crash: OnCrash = OnCrash.RERUN
    approval: str = ""


NO_JOB = Job()
