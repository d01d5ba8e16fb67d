"""How far a task or a run is that somebody follows: from its events alone, so that each look costs only what is new."""

from collections.abc import Iterable
from typing import Final

from orchestration import events
from orchestration.records import dataclass

SECONDS_BETWEEN_LOOKS: Final = 0.1
"""So often the state is looked at for somebody who follows what another process does."""


@dataclass(slots=True)
class Followed:
    """What is known of a run, and of one of its tasks where one is followed.

    Attributes:
        task_id: the task, None where the whole run is followed.
        seq: the last event that was heard of.
        begun: the last attempt of the task that began.
        ended: the last attempt that ended.
        rests: whether the task does nothing more by itself.
        over: whether the run has ended or paused.
        cut_off: whether its process is gone, and it has done neither.
    """

    task_id: str | None = None
    seq: int = 0
    begun: int | None = None
    ended: int = 0
    rests: bool = False
    over: bool = False
    cut_off: bool = False

    @property
    def is_over(self) -> bool:
        """Whether nothing more is to be expected."""
        return self.over or self.rests

    def hear(self, happened: Iterable[events.Event]) -> None:
        """Take note of what happened after `seq`."""
        for event in happened:
            self.seq = event.seq
            if isinstance(event, events.TaskEvent):
                if event.task_id == self.task_id:
                    self._hear_task(event)
            else:
                self.over = isinstance(event, events.RunCompleted | events.RunPaused)

    def hear_that_it_is_at_rest(self) -> None:
        """Take note that no process drives the run, whose events up to then were heard."""
        self.cut_off = self.cut_off or not self.is_over
        self.over = True

    def _hear_task(self, event: events.TaskEvent) -> None:
        if isinstance(event, events.TaskStarted):
            self.begun, self.rests = event.attempt, False
        elif isinstance(event, events.TaskError | events.AttemptInterrupted):
            self.ended = event.attempt or 0
            self.rests = isinstance(event, events.TaskError) and event.final
        elif isinstance(event, events.TaskCompleted | events.TaskCancelled):
            self.ended, self.rests = event.attempt or self.ended, True
        elif isinstance(event, events.TaskInputGiven):
            self.rests = event.action != "retry" and self.rests
        elif not isinstance(event, events.RetryScheduled | events.ConditionDecided):
            self.rests = True  # it was adopted, skipped or blocked, or it waits for a person

    def has_ended(self, attempt: int) -> bool:
        """Whether an attempt prints nothing more."""
        return self.is_over or self.ended >= attempt or (self.begun or 0) > attempt
