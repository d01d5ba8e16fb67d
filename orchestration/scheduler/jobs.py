"""What the scheduler needs to know of a task beside its place in the plan."""

from dataclasses import field

from orchestration.kinds import Failure, OnCrash
from orchestration.models import Budget, RetryPolicy
from orchestration.records import dataclass


@dataclass(frozen=True, slots=True)
class Job:
    """A task's agent and policies.

    `account` is what its agent's refusals pause; `fallback` is who does it while that is exhausted, and
    `fallback_account` what that one's refusals pause. `approval` is what a person reads who is asked whether it may
    start, `approve_after` whether one is asked before its result counts. `gives_way` are kinds of failure after which
    the task is not tried again, because somebody else stands by. `parent` is the task that it is a part of. One that
    `skips_when_failed` counts as skipped when it has failed for good.
    """

    agent: str | None = None
    retry: RetryPolicy | None = None
    on_crash: OnCrash = OnCrash.RERUN
    approval: str = ""
    approve_after: bool = False
    account: str | None = None
    fallback: str | None = None
    fallback_account: str | None = None
    gives_way: frozenset[Failure] = frozenset()
    budget: Budget | None = None
    parent: str | None = None
    skips_when_failed: bool = False
    ends_plainly: bool = field(init=False, repr=False, compare=False)
    """Whether nothing follows from a good end: nobody is asked, no account notes it, no budget is lessened."""

    def __post_init__(self) -> None:
        """See above."""
        watching = (self.account, self.fallback_account, self.budget, self.parent)
        is_plain = not self.approve_after and all(one is None for one in watching)
        object.__setattr__(self, "ends_plainly", is_plain)

    def account_of(self, agent: str | None) -> str | None:
        """The account of whoever does an attempt; None is the task's own agent."""
        return self.account if agent is None else self.fallback_account


NO_JOB = Job()
