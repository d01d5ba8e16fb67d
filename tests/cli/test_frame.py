"""A picture of the run fits the terminal, whatever its size and whatever the tasks print."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.render.clean import cells, clean_line
from cli.render.frame import frame
from cli.render.progress import Progress
from orchestration import events
from orchestration.kinds import Failure
from orchestration.results import Outcome, Usage

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def busy(tasks: int, output: str = "working") -> Progress:
    """A run of many tasks of which one succeeded, one failed, one waits to be tried again, and the rest runs."""
    ids = tuple(f"TASK-{i:03}" for i in range(tasks))
    progress = Progress()
    progress.hear(events.RunStarted("r", 1, NOW, ids, max_concurrent=4), 0.0)
    for task in ids:
        progress.hear(events.TaskStarted("r", 2, NOW, task, 1, "an agent"), 0.0)
        progress.hear(events.TaskChunk("r", task, 1, 1, NOW, output, "stdout"), 0.0)
    error = Outcome(Failure.EXIT_CODE, "no")
    progress.hear(events.TaskCompleted("r", 3, NOW, ids[0], 1, "an agent", 2.0), 2.0)
    progress.hear(events.TaskError("r", 4, NOW, ids[1], 1, "an agent", 2.0, error), 2.0)
    progress.hear(events.TaskError("r", 5, NOW, ids[2], 1, "an agent", 2.0, error, final=False), 2.0)
    progress.hear(events.RetryScheduled("r", 6, NOW, ids[2], 1, NOW + timedelta(seconds=9)), 2.0)
    return progress


def texts(progress: Progress, now: float, columns: int, rows: int) -> list[str]:
    return ["".join(span.text for span in line) for line in frame(progress, now, columns, rows)]


def test_running_tasks_retries_and_counts_are_shown() -> None:
    lines = texts(busy(5), 4.0, 100, 24)
    assert lines == [
        "> TASK-003  an agent     4.0s  working",
        "> TASK-004  an agent     4.0s  working",
        "~ TASK-002  again in 7.0s",
        "1/5 done, 1 failed, 1 to retry (in 7.0s), 2 running, about 0.5s left",
    ]


def test_parts_paused_accounts_and_what_was_used_are_shown() -> None:
    progress = Progress()
    until = NOW + timedelta(seconds=252)
    for event in (
        events.RunStarted("r", 1, NOW, ("A",)),
        events.TaskStarted("r", 2, NOW, "A", 1, "pair"),
        events.TaskExpanded("r", 3, NOW, "A", 1, "race", ({"id": "A/leg-1"}, {"id": "A/leg-2"})),
        events.TaskStarted("r", 4, NOW, "A/leg-1", 1, "one"),
        events.TaskStarted("r", 5, NOW, "A/leg-2", 1, "two"),
        events.UsageRecorded("r", 6, NOW, "A/leg-2", 1, Usage(1200, output_total=34)),
        events.AccountPaused("r", 7, NOW, "te\x1b[31mam", until),
    ):
        progress.hear(event, 0.0)
    assert texts(progress, 0.0, 100, 24) == [
        "> A        pair     0.0s  ",
        ">   leg-1  one      0.0s  ",
        ">   leg-2  two      0.0s  ",
        "~ account team paused, 4m 12s left",
        "0/1 done, 2 running, 1,234 tokens, unpriced",
    ]
    assert not any("paused" in line for line in texts(progress, 253.0, 100, 24))


def test_more_tasks_than_rows_are_counted() -> None:
    lines = texts(busy(40), 4.0, 80, 12)
    assert len(lines) == 9
    assert lines[-2] == "  and 31 more"
    assert lines[-1].startswith("1/40 done")


def test_a_narrow_terminal_leaves_the_agent_out() -> None:
    lines = texts(busy(4), 4.0, 40, 24)
    assert lines[0] == "> TASK-003     4.0s  working"


@given(
    st.integers(3, 70),
    st.text(max_size=200),
    st.integers(0, 200),
    st.integers(0, 60),
    st.floats(0, 1e6),
)
def test_every_line_fits_and_the_picture_is_not_higher_than_the_terminal(
    tasks: int, output: str, columns: int, rows: int, now: float
) -> None:
    lines = texts(busy(tasks, output), now, columns, rows)
    assert all(cells(line) <= max(1, columns - 1) for line in lines)
    assert clean_line("".join(lines)) == " ".join("".join(lines).split())
    assert len(lines) <= max(1, rows)


@pytest.mark.parametrize("columns", [20, 40, 80])
def test_wide_characters_are_measured_in_cells(columns: int) -> None:
    line = texts(busy(4, "中文" * 100), 4.0, columns, 24)[0]
    assert columns - 2 <= cells(line) <= columns - 1
