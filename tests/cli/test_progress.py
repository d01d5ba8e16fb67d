"""What is known of a run at a moment, from its events alone."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.render.progress import TAIL_CHARACTERS, Progress
from orchestration import events
from orchestration.kinds import ExecutionStatus, Failure, OnCrash
from orchestration.results import Outcome, Usage

NOW = datetime(2026, 1, 2, tzinfo=UTC)
SEQ = count(1)


def began(*tasks: str, slots: int = 2) -> events.RunStarted:
    return events.RunStarted("r", next(SEQ), NOW, tasks, max_concurrent=slots)


def started(task: str, attempt: int = 1) -> events.TaskStarted:
    return events.TaskStarted("r", next(SEQ), NOW, task, attempt, agent="shell")


def completed(task: str, seconds: float = 1.0) -> events.TaskCompleted:
    return events.TaskCompleted("r", next(SEQ), NOW, task, 1, "shell", seconds)


def failed(task: str, *, final: bool = True, error: str = "exited with 3") -> events.TaskError:
    outcome = Outcome(Failure.EXIT_CODE, error)
    return events.TaskError("r", next(SEQ), NOW, task, 1, "shell", 1.0, outcome, final)


def said(task: str, text: object, stream: str | None = "stdout") -> events.TaskChunk:
    return events.TaskChunk("r", task, 1, next(SEQ), NOW, text, stream)


def heard(happened: Iterable[events.Event | events.TaskChunk], weights: dict[str, float] | None = None) -> Progress:
    progress = Progress(weights)
    for event in happened:
        progress.hear(event, 0.0)
    return progress


def test_running_and_ended_tasks_are_told_apart() -> None:
    progress = heard([began("A", "B", "C"), started("A"), started("B"), completed("A")])
    assert list(progress.running) == ["B"]
    assert progress.number(ExecutionStatus.SUCCESS) == 1
    assert progress.total == 3
    assert progress.started == 2


def test_a_task_that_will_be_tried_again_is_not_counted_as_failed() -> None:
    due = NOW + timedelta(seconds=7)
    progress = heard([began("A"), started("A"), failed("A", final=False)])
    progress.hear(events.RetryScheduled("r", next(SEQ), NOW, "A", 1, due), 100.0)
    assert progress.due == {"A": 107.0}
    assert not progress.ended
    progress.hear(started("A", 2), 108.0)
    assert not progress.due
    assert progress.running["A"].since == 108.0


@pytest.mark.parametrize(
    ("event", "status"),
    [
        (failed("A"), ExecutionStatus.FAILED),
        (events.TaskCancelled("r", 1, NOW, "A", 1), ExecutionStatus.CANCELLED),
        (events.TaskSkipped("r", 1, NOW, "A"), ExecutionStatus.SKIPPED),
        (events.TaskBlocked("r", 1, NOW, "A", by=("B",)), ExecutionStatus.BLOCKED),
        (events.TaskAdopted("r", 1, NOW, "A", status=ExecutionStatus.FAILED), ExecutionStatus.FAILED),
        (events.AttemptInterrupted("r", 1, NOW, "A", 1, then=OnCrash.FAIL), ExecutionStatus.FAILED),
    ],
)
def test_every_end_is_counted_as_what_it_is(event: events.Event, status: ExecutionStatus) -> None:
    progress = heard([began("A", "B"), started("A"), event])
    assert progress.ended == {"A": status}
    assert not progress.running


def test_what_waits_for_a_person_is_neither_running_nor_ended() -> None:
    progress = heard([began("A"), started("A"), events.TaskNeedsInput("r", 1, NOW, "A", 1)])
    assert list(progress.asked) == ["A"]
    assert not progress.running
    progress.hear(completed("A"), 0.0)
    assert not progress.asked
    assert progress.seconds_left(0.0) is None  # what a person did says nothing of the machine's pace


def test_tasks_outside_of_the_selection_are_not_counted() -> None:
    progress = heard([began("A"), events.TaskAdopted("r", 1, NOW, "elsewhere")])
    assert (progress.total, progress.ended) == (1, {})


def test_a_reopened_task_is_open_again() -> None:
    progress = heard([began("A"), started("A"), failed("A")])
    progress.hear(events.TaskInputGiven("r", 1, NOW, "A", action="retry"), 0.0)
    assert not progress.ended


def test_a_resumed_run_knows_what_was_done_before() -> None:
    progress = Progress()
    progress.learn([began("A", "B", "C"), started("A"), completed("A"), started("B")])
    assert progress.total == 3
    assert progress.number(ExecutionStatus.SUCCESS) == 1
    assert not progress.running
    assert progress.started == 0


def test_only_the_end_of_an_output_is_kept_and_the_last_line_is_shown() -> None:
    progress = heard([began("A"), started("A")])
    for _ in range(100):
        progress.hear(said("A", "x" * 100_000), 0.0)
    progress.hear(said("A", "\nlast\x1b[31m words\n"), 0.0)
    assert sum(map(len, progress.running["A"].tails.values())) <= TAIL_CHARACTERS
    assert progress.running["A"].last_line == "last words"


def test_items_of_a_function_and_chunks_of_ended_tasks_do_no_harm() -> None:
    progress = heard([began("A"), started("A"), said("A", {"step": 1}, None), said("gone", "late")])
    assert progress.running["A"].last_line == "{'step': 1}"


def test_a_final_failure_shows_what_the_task_complained_about() -> None:
    progress = heard([began("A"), started("A"), said("A", "fine\n"), said("A", "no such file\n", "stderr")])
    line = progress.hear(failed("A"), 0.0)
    assert line is not None
    assert line.evidence == ("no such file",)


def test_what_is_left_is_computed_from_the_pace_so_far() -> None:
    progress = heard([began("A", "B", "C", "D", slots=2), started("A"), completed("A", 10.0)])
    assert progress.seconds_left(0.0) == pytest.approx(15.0)
    progress.hear(started("B"), 0.0)
    progress.hear(started("C"), 0.0)
    assert progress.seconds_left(4.0) == pytest.approx((6 + 6 + 10) / 2)
    progress.hear(completed("B", 10.0), 4.0)
    progress.hear(completed("C", 10.0), 4.0)
    progress.hear(started("D"), 4.0)
    assert progress.seconds_left(4.0) == pytest.approx(10.0)  # one task does not get faster by two slots


def test_estimates_weigh_the_tasks() -> None:
    progress = heard([began("A", "B", slots=1), started("A"), completed("A", 10.0)], {"A": 1.0, "B": 3.0})
    assert progress.seconds_left(0.0) == pytest.approx(30.0)


def expanded(task: str) -> events.TaskExpanded:
    items = ({"id": f"{task}/leg-1", "agent": "one"}, {"id": f"{task}/leg-2", "agent": "two"})
    return events.TaskExpanded("r", next(SEQ), NOW, task, 1, "race", items)


def test_parts_are_below_their_task_and_count_for_nothing() -> None:
    progress = heard([began("A", "B"), started("A"), expanded("A"), started("B"), started("A/leg-2")])
    progress.hear(started("A/leg-1"), 1.0)
    assert [one.task_id for one in progress.shown()] == ["A", "A/leg-2", "A/leg-1", "B"]
    assert progress.total == 2
    progress.hear(completed("A/leg-1"), 2.0)
    assert not progress.ended
    progress.hear(completed("A", 10.0), 2.0)
    assert progress.ended == {"A": ExecutionStatus.SUCCESS}
    assert "A" not in progress.expanded


def test_what_agents_say_is_shown_live() -> None:
    progress = heard(
        [began("A"), started("A"), said("A", "Let me see.\n", None), said("A", "I \x1b[31mread it\n", None)]
    )
    assert progress.running["A"].last_line == "I read it"
    assert progress.running["A"].evidence.endswith("read it\n")


def test_usage_is_summed_over_attempts_and_what_has_no_price_is_never_zero() -> None:
    progress = heard([began("A", "B"), started("A"), started("B")])
    assert not progress.spent
    progress.hear(events.UsageRecorded("r", 1, NOW, "A", 1, Usage(1000, output_total=10)), 0.0)
    progress.hear(events.UsageRecorded("r", 1, NOW, "A", 1, Usage(20_000, output_total=300)), 0.0)
    assert progress.spent.short == "20.3k tokens, unpriced"
    priced = Outcome(usage=Usage(700, cost_usd=0.25))
    progress.hear(events.TaskCompleted("r", 1, NOW, "B", 1, "x", 1.0, priced), 0.0)
    assert progress.spent.short == "21.0k tokens, $0.25 and unpriced"
    progress.hear(events.TaskCancelled("r", 1, NOW, "A", 1), 0.0)  # its end says nothing of it
    assert progress.spent.short == "21.0k tokens, $0.25 and unpriced"
    whole = Outcome(usage=Usage(9999), metadata={"sum_of_parts": True})
    progress.hear(events.TaskCompleted("r", 1, NOW, "A", 1, "x", 1.0, whole), 0.0)
    assert progress.spent.tokens_in == 20_700


def test_a_paused_account_is_known_also_after_the_run_is_resumed() -> None:
    paused = events.AccountPaused("r", next(SEQ), NOW, "team", NOW + timedelta(seconds=252))
    progress = heard([began("A"), paused])
    assert progress.paused == {"team": 252.0}
    resumed = Progress()
    resumed.learn([began("A"), paused])
    assert not resumed.paused
    resumed.hear(events.RunResumed("r", next(SEQ), NOW + timedelta(seconds=52)), 1000.0)
    assert resumed.paused == {"team": 1200.0}


TASKS = st.sampled_from(["A", "B", "C"])


@given(
    st.lists(
        st.one_of(
            TASKS.map(started),
            TASKS.map(completed),
            TASKS.map(failed),
            TASKS.map(lambda task: failed(task, final=False)),
            TASKS.map(lambda task: said(task, "text")),
            TASKS.map(lambda task: events.TaskNeedsInput("r", 1, NOW, task)),
            TASKS.map(lambda task: events.RetryScheduled("r", 1, NOW, task, 1, NOW)),
            TASKS.map(lambda task: events.TaskInputGiven("r", 1, NOW, task, action="retry")),
            TASKS.map(expanded),
            TASKS.map(lambda task: started(f"{task}/leg-1")),
            TASKS.map(lambda task: completed(f"{task}/leg-1")),
        )
    )
)
def test_a_task_is_in_one_place_at_a_time_whatever_happens(
    happened: list[events.Event | events.TaskChunk],
) -> None:
    progress = heard([began("A", "B", "C"), *happened])
    for task in "ABC":
        assert (
            sum(task in place for place in (progress.running, progress.expanded, progress.asked, progress.ended)) <= 1
        )
    assert progress.total == 3
    left = progress.seconds_left(1.0)
    assert left is None or left >= 0
    silent = Progress()
    for event in [began("A", "B", "C"), *happened]:
        silent.note(event, 0.0)
    assert (silent.running, silent.ended, silent.total) == (progress.running, progress.ended, progress.total)
