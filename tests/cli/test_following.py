"""Who follows a task or a run knows from its events when nothing more will come."""

from datetime import UTC, datetime

import pytest

from orchestration import events
from orchestration.kinds import OnCrash, RunStatus
from orchestration.orchestrator.following import Followed

NOW = datetime(2026, 1, 2, tzinfo=UTC)
BEGAN = events.RunStarted("r", 1, NOW, ("T",))
FIRST = events.TaskStarted("r", 2, NOW, "T", 1)
AGAIN = events.TaskStarted("r", 5, NOW, "T", 2)
FAILED = events.TaskError("r", 3, NOW, "T", 1, final=False)
LATER = events.RetryScheduled("r", 4, NOW, "T", 1, NOW)
DONE = events.TaskCompleted("r", 6, NOW, "T", 2)


@pytest.mark.parametrize(
    ("happened", "is_over", "begun", "ended"),
    [
        ([BEGAN], False, None, 0),
        ([BEGAN, FIRST], False, 1, 0),
        ([BEGAN, FIRST, FAILED], False, 1, 1),
        ([BEGAN, FIRST, FAILED, LATER], False, 1, 1),
        ([BEGAN, FIRST, FAILED, LATER, AGAIN], False, 2, 1),
        ([BEGAN, FIRST, FAILED, LATER, AGAIN, DONE], True, 2, 2),
        ([BEGAN, FIRST, events.TaskError("r", 3, NOW, "T", 1)], True, 1, 1),
        ([BEGAN, FIRST, events.TaskCancelled("r", 3, NOW, "T", 1)], True, 1, 1),
        ([BEGAN, FIRST, events.TaskNeedsInput("r", 3, NOW, "T", 1)], True, 1, 0),
        ([BEGAN, FIRST, events.AttemptInterrupted("r", 3, NOW, "T", 1, then=OnCrash.RERUN)], False, 1, 1),
        ([BEGAN, events.TaskAdopted("r", 2, NOW, "T")], True, None, 0),
        ([BEGAN, events.TaskBlocked("r", 2, NOW, "T")], True, None, 0),
        (
            [BEGAN, events.TaskBlocked("r", 2, NOW, "T"), events.TaskInputGiven("r", 3, NOW, "T", action="retry")],
            False,
            None,
            0,
        ),
        ([BEGAN, events.TaskBlocked("r", 2, NOW, "other")], False, None, 0),
        ([BEGAN, FIRST, events.RunCompleted("r", 9, NOW, RunStatus.CANCELLED)], True, 1, 0),
        ([BEGAN, events.RunPaused("r", 9, NOW)], True, None, 0),
        ([BEGAN, events.RunPaused("r", 9, NOW), events.RunResumed("r", 10, NOW)], False, None, 0),
    ],
)
def test_the_end_of_a_task_is_known_from_its_events(
    happened: list[events.Event], is_over: bool, begun: int | None, ended: int
) -> None:
    followed = Followed("T")
    followed.hear(happened)
    assert (followed.is_over, followed.begun, followed.ended) == (is_over, begun, ended)
    assert followed.seq == happened[-1].seq


def test_an_attempt_has_ended_when_the_next_one_began() -> None:
    followed = Followed("T")
    followed.hear([BEGAN, FIRST, AGAIN])
    assert followed.has_ended(1)
    assert not followed.has_ended(2)
