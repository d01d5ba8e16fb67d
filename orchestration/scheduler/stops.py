"""Which running attempts are to be ended, why, and as what kind of failure; the first order for each counts."""

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from orchestration.kinds import Failure
from orchestration.results import Outcome, Usage

if TYPE_CHECKING:
    from asyncio import Task

BY_CALLER: Final = "the run was cancelled by its caller"


class Stops:
    """The orders to end attempts of one run, and the tasks in whose slots they run.

    `running` has the task in whose slot each attempt runs, and `causes` why attempts are to be ended.
    """

    __slots__ = ("_of_tasks", "causes", "failure", "running")

    def __init__(self) -> None:
        """Nothing runs, nothing is to be ended."""
        self.running: dict[str, Task[None]] = {}
        self.failure = Failure.CANCELLED
        self.causes: dict[str, str] = {}
        self._of_tasks: dict[str, Failure] = {}

    def order(self, task_id: str, cause: str, failure: Failure | None = None) -> None:
        """End the running attempt of a task; `failure` is what its end then is, instead of the run's own."""
        if task_id in self.causes:
            return
        self.causes[task_id] = cause
        if failure is not None:
            self._of_tasks[task_id] = failure
        running = self.running.get(task_id)
        if running is not None:
            running.cancel()

    def note_all(self, cause: str) -> None:
        """Whoever calls this ends all running attempts itself: each is cancelled once."""
        for task_id in self.running:
            self.causes.setdefault(task_id, cause)

    def cause(self, task_id: str) -> str | None:
        """Why the task's attempt is to be ended, None where it is not."""
        return self.causes.get(task_id)

    def leave(self, task_id: str) -> str | None:
        """It does so no more; returns why it was to be ended, None where it was not."""
        del self.running[task_id]
        if not self.causes:
            return None
        self._of_tasks.pop(task_id, None)
        return self.causes.pop(task_id, None)

    def cut_off(self, task_id: str, cause: str, left: Outcome, used: Usage | None) -> Outcome:
        """What an attempt that we ended came to; what it said before, and used, counts."""
        own = self._of_tasks.get(task_id)
        failure = own or self.failure
        facts = {"budget_of": "task" if own else "run"} if failure is Failure.BUDGET else {}
        return replace(
            left,
            failure=failure,
            error=cause,
            usage=left.usage or used,
            needs_input=False,
            metadata={**left.metadata, **facts},
        )
