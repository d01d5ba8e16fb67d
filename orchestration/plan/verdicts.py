"""May a task start, seeing how its dependencies ended? One pure function of four counts, and the counts of all tasks.

`all_succeeded` gives up as soon as one dependency cannot succeed any more, `any_succeeded` and `any_failed` start as
soon as one ended that way; `all_done` and `always` wait for all, and so does `none_failed`, unless one of them cannot
succeed any more. A skipped dependency satisfies; a task all of whose dependencies were skipped is skipped too, except
where its policy is not about success.
"""

from array import array
from collections.abc import Iterable, Sequence
from enum import Enum

from orchestration.kinds import RunWhen
from orchestration.plan.states import State


class Verdict(Enum):
    """What the ends of its dependencies mean for a task."""

    WAIT = "wait"
    START = "start"
    SKIP = "skip"
    BLOCK = "block"


def verdict(  # noqa: PLR0911  # one return for each line of the table
    policy: RunWhen,
    still_open: int,
    succeeded: int,
    unsuccessful: int,
    skipped: int,
) -> Verdict:
    """Decide; a task without dependencies starts, except that `any_failed` has nothing to run for.

    Args:
        policy: the task's `run_when`.
        still_open: how many dependencies have not ended.
        succeeded: how many succeeded.
        unsuccessful: how many failed, were blocked or were cancelled.
        skipped: how many were skipped.
    """
    if policy is RunWhen.ALL_SUCCEEDED:
        if unsuccessful:
            return Verdict.BLOCK
        if still_open:
            return Verdict.WAIT
        return Verdict.SKIP if skipped and not succeeded else Verdict.START
    if policy is RunWhen.ANY_SUCCEEDED:
        if succeeded or not (still_open or unsuccessful or skipped):
            return Verdict.START
        if still_open:
            return Verdict.WAIT
        return Verdict.BLOCK if unsuccessful else Verdict.SKIP
    if policy is RunWhen.ANY_FAILED:
        if unsuccessful:
            return Verdict.START
        return Verdict.WAIT if still_open else Verdict.SKIP
    if policy is RunWhen.NONE_FAILED and unsuccessful:
        return Verdict.BLOCK
    return Verdict.WAIT if still_open else Verdict.START


_ALL_SUCCEEDED, _SUCCEEDED = RunWhen.ALL_SUCCEEDED, State.SUCCEEDED
_WAIT, _START = Verdict.WAIT, Verdict.START
"""Bound once: until Python 3.12, finding a member in its class takes longer than all that is done with it here."""


class Ends:
    """How many dependencies of each task ended how, and what that means for it; all by index.

    Attributes:
        verdicts: what the ends of its dependencies mean for each task now.
    """

    __slots__ = ("_open", "_policies", "_skipped", "_succeeded", "_unsuccessful", "verdicts")

    def __init__(self, policies: Sequence[RunWhen], needs: Sequence[int]) -> None:
        """Nothing has ended yet; `needs` says how many dependencies each task has."""
        self._policies = list(policies)
        self._open = array("i", needs)
        self._succeeded, self._unsuccessful, self._skipped = (array("i", bytes(4 * len(self._open))) for _ in range(3))
        self.verdicts = [
            (_WAIT if n else _START) if policy is _ALL_SUCCEEDED else verdict(policy, n, 0, 0, 0)
            for policy, n in zip(self._policies, self._open, strict=True)
        ]

    def grow(self, policies: Iterable[RunWhen], needs: Iterable[int]) -> None:
        """Count for more tasks, whose dependencies have not ended."""
        for policy, count in zip(policies, needs, strict=True):
            self._policies.append(policy)
            self._open.append(count)
            for counts in (self._succeeded, self._unsuccessful, self._skipped):
                counts.append(0)
            self.verdicts.append(verdict(policy, count, 0, 0, 0))

    def settle(self, dependants: Iterable[int], end: State, by: int) -> list[int]:
        """Count one end (`by` 1), or take it back (-1), in each dependant.

        Returns:
            The dependants for which it means something else now.
        """
        if end is _SUCCEEDED and by > 0:
            return self.succeed(dependants)
        ended = self._unsuccessful
        if end is _SUCCEEDED:
            ended = self._succeeded
        elif end is State.SKIPPED:
            ended = self._skipped
        changed: list[int] = []
        for i in dependants:
            ended[i] += by
            self._open[i] -= by
            self._look_at(i, changed)
        return changed

    def succeed(self, dependants: Iterable[int]) -> list[int]:
        """`settle` for one dependency that has succeeded, as nearly all do."""
        succeeded, still_open, policies = self._succeeded, self._open, self._policies
        changed: list[int] = []
        for i in dependants:
            succeeded[i] += 1
            left = still_open[i] = still_open[i] - 1
            if policies[i] is not _ALL_SUCCEEDED:
                self._look_at(i, changed)
            elif not (left or self._unsuccessful[i]):  # else it waits on, or is blocked as before
                self.verdicts[i] = _START
                changed.append(i)
        return changed

    def _look_at(self, i: int, changed: list[int]) -> None:
        """See what the ends of a task's dependencies mean for it now; one for which that is new is noted."""
        counts = self._open[i], self._succeeded[i], self._unsuccessful[i], self._skipped[i]
        means = verdict(self._policies[i], *counts)
        if means is not self.verdicts[i]:
            self.verdicts[i] = means
            changed.append(i)

    def are_open(self, i: int) -> bool:
        """Whether some dependency has not ended."""
        return self._open[i] > 0
