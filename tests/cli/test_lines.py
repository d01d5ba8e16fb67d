"""What people read of each event, and of the end of a run."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.render.lines import evidence_of, line_of
from cli.render.summary import problem_of_run, problem_of_task, run_summary, task_summary
from orchestration import events
from orchestration.kinds import ExecutionStatus, Failure, RunStatus
from orchestration.results import CheckResult, ExecutionResult, Outcome, RunResult, Usage

NOW = datetime(2026, 1, 2, tzinfo=UTC)
DUE = NOW + timedelta(seconds=2)
FAILED = Outcome(Failure.EXIT_CODE, "exited with 3\nfirst\nsecond")
UNCHECKED = Outcome(Failure.CHECK_FAILED, checks=(CheckResult("verify", "make test", passed=False, log="1 failed\n"),))


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (events.RunStarted("r", 1, NOW), None),
        (events.TaskStarted("r", 1, NOW, "T", 1, agent="shell"), "started   T  shell"),
        (events.TaskStarted("r", 1, NOW, "T", 2, agent="shell"), "started   T  shell, attempt 2"),
        (events.TaskCompleted("r", 1, NOW, "T", 1, "shell", 75.0), "done      T  in 1m 15s"),
        (
            events.TaskError("r", 1, NOW, "T", 1, "shell", 0.4, FAILED),
            "failed    T  exit_code: exited with 3 (after 0.4s, attempt 1)\n    | first\n    | second",
        ),
        (
            events.TaskError("r", 1, NOW, "T", 1, "shell", 0.4, UNCHECKED),
            "failed    T  check_failed: make test (after 0.4s, attempt 1)\n    | 1 failed",
        ),
        (
            events.TaskError("r", 1, NOW, "T", 1, "shell", 0.4, FAILED, final=False),
            "failed    T  exit_code: exited with 3 (after 0.4s, attempt 1); it will be tried again",
        ),
        (events.RetryScheduled("r", 1, NOW, "T", 1, DUE), "retry     T  in 2.0s"),
        (events.RetryScheduled("r", 1, NOW, "T", 1), "retry     T  at once"),
        (
            events.TaskNeedsInput("r", 1, NOW, "T", 1),
            "needs you T  when it is done: orch complete T; if not: orch fail T --reason TEXT",
        ),
        (events.TaskSkipped("r", 1, NOW, "T", reason="not needed"), "skipped   T  not needed"),
        (events.TaskBlocked("r", 1, NOW, "T", reason="A failed", by=("A",)), "blocked   T  A failed"),
        (events.TaskBlocked("r", 1, NOW, "T", by=("A", "B")), "blocked   T  by A, B"),
        (events.TaskCancelled("r", 1, NOW, "T", 1, reason="cancelled", cause="signal 2"), "cancelled T  signal 2"),
        (events.AttemptInterrupted("r", 1, NOW, "T", 1), "lost      T  orch ended while attempt 1 ran"),
        (events.TaskAdopted("r", 1, NOW, "T", from_run="r0"), None),
        (
            events.TaskAdopted("r", 1, NOW, "T", from_run="r0", status=ExecutionStatus.FAILED, reason="exit_code"),
            "stays     T  failed (exit_code) since run r0; orch retry T",
        ),
        (events.TaskInputGiven("r", 1, NOW, "T", action="complete", by="ada"), "answered  T  complete by ada"),
        (events.TaskChunk("r", "T", 1, 1, NOW, "output"), None),
        (
            events.TaskNeedsInput("r", 1, NOW, "T", 1, reason="its result waits for approval"),
            "needs you T  orch approve T, or orch reject T",
        ),
        (
            events.AccountPaused("r", 1, NOW, "te\x1b[31mam", NOW + timedelta(seconds=252), reason="T was\nrefused"),
            "paused    account team  for 4m 12s: T was refused",
        ),
        (events.AccountPaused("r", 1, NOW, "team", reason="why"), "paused    account team  why"),
        (
            events.LimitsChanged("r", 1, NOW, "account team", 2, "it works"),
            "limit     account team  at most 2 at once: it works",
        ),
        (events.LimitsChanged("r", 1, NOW, "account team", None, "x"), "limit     account team  no limit any more: x"),
        (
            events.TaskExpanded("r", 1, NOW, "T", 1, "race", ({"id": "T/leg-1", "agent": "one"}, {"id": "T/check"})),
            "expands   T  race: leg-1 one, check a command",
        ),
        (events.TaskStarted("r", 1, NOW, "T/leg-1", 1, agent="one"), "started     T/leg-1  one"),
        (events.UsageRecorded("r", 1, NOW, "T", 1, Usage(5)), None),
    ],
)
def test_an_event_has_the_line_that_people_need(event: events.Event | events.TaskChunk, text: str | None) -> None:
    line = line_of(event)
    assert (line.show() if line else None) == text


def test_without_an_error_text_the_end_of_the_output_is_shown() -> None:
    tail = "\n".join(f"line {i}" for i in range(20)) + "\n"
    assert evidence_of(Outcome(Failure.EXIT_CODE), tail)[-2:] == ("line 18", "line 19")


@given(st.text(), st.text())
def test_no_text_of_an_agent_reaches_the_terminal_uncleaned(error: str, tail: str) -> None:
    line = line_of(events.TaskError("r", 1, NOW, "T", 1, "shell", 0.4, Outcome(Failure.EXIT_CODE, error)), tail)
    assert line is not None
    assert not any(ord(c) < 32 or 0x7F <= ord(c) <= 0x9F for c in line.show().replace("\n", "").replace("\t", ""))


# ---- the end of a run -----------------------------------------------------------------------------------------------


def result(
    task: str, status: ExecutionStatus, failure: Failure | None = None, reason: str | None = None
) -> ExecutionResult:
    return ExecutionResult(task, "shell", status, failure, reason, log_path="runs/r/T/1" if failure else None)


MIXED = RunResult(
    "r",
    RunStatus.FAILED,
    (
        result("A", ExecutionStatus.SUCCESS),
        result("B", ExecutionStatus.FAILED, Failure.EXIT_CODE, "exited with 3"),
        result("C", ExecutionStatus.BLOCKED, reason="B failed"),
        result("D", ExecutionStatus.NEEDS_INPUT),
    ),
    wall_seconds=12.0,
)


def test_the_summary_names_what_is_not_done_and_why() -> None:
    assert run_summary(MIXED, 3).splitlines() == [
        "run r: failed after 12s; 1 done, 1 needs input, 1 failed, 1 blocked",
        "  failed      B  exit_code: exited with 3  [runs/r/T/1]",
        "  blocked     C  B failed",
        "  needs input D  when it is done: orch complete D; if not: orch fail D --reason TEXT",
    ]


def test_the_last_line_says_what_went_wrong_and_what_to_do() -> None:
    assert problem_of_run(MIXED, 3) == (
        "1 task failed (B); 1 task blocked (C); 1 task waiting for a person (D); "
        "see: orch why B; then: orch retry --failed"
    )


def test_a_run_in_which_nothing_could_start_says_so() -> None:
    run = RunResult("r", RunStatus.FAILED, (result("B", ExecutionStatus.FAILED, Failure.EXIT_CODE),))
    assert problem_of_run(run, 0).startswith("nothing could start; 1 task failed (B)")


def test_when_all_is_done_already_it_says_so() -> None:
    done = RunResult(
        "r", RunStatus.SUCCESS, (result("A", ExecutionStatus.SUCCESS), result("B", ExecutionStatus.SUCCESS))
    )
    assert run_summary(done, 0) == "nothing to do: all 2 tasks are done"
    assert run_summary(done, 1).startswith("run r: success")
    assert run_summary(RunResult("r", RunStatus.SUCCESS), 0) == "nothing to do: no task is selected"
    skipped = RunResult("r", RunStatus.SUCCESS, (result("A", ExecutionStatus.SKIPPED),))
    assert run_summary(skipped, 0) == "nothing to do: A is skipped"
    both = replace(skipped, results=(*skipped.results, *done.results))
    assert run_summary(both, 0) == "nothing to do: all 3 tasks are done or skipped (1 skipped)"


def test_a_run_with_many_problems_shows_the_first_and_counts_the_rest() -> None:
    results = tuple(result(f"T-{i}", ExecutionStatus.FAILED, Failure.EXIT_CODE) for i in range(500))
    lines = run_summary(RunResult("r", RunStatus.FAILED, results), 500).splitlines()
    assert len(lines) == 22
    assert lines[-1] == "  and 480 more: orch status"


def test_a_single_task_is_summed_up_in_one_line() -> None:
    assert task_summary(result("A", ExecutionStatus.SUCCESS)) == "done        A  in 0.0s"
    kept = ExecutionResult("A", "shell", ExecutionStatus.SUCCESS, metadata={"adopted_from": "r0"})
    assert task_summary(kept) == "nothing to do: A is done since run r0"
    assert problem_of_task(MIXED.results[1]) == "B is failed (exit_code: exited with 3); see: orch why B"
    assert "orch complete D" in problem_of_task(MIXED.results[3])
