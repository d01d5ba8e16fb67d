"""The report of a run in Markdown: complete, and safe whatever agents print."""

import re
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from orchestration.exporting.markdown import markdown
from orchestration.kinds import ExecutionStatus, Failure, RunStatus
from orchestration.results import AttemptRecord, CheckResult, ExecutionResult, Outcome, RunResult, Usage

USED = "10 tokens in, 5 out, $0.50"
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def one(error: str, reason: str = "no retry", log: str = "1 failed", name: str = "make test") -> RunResult:
    check = CheckResult("verify", name, passed=False, exit_code=1, log=log)
    outcome = Outcome(Failure.EXIT_CODE, error, usage=Usage(10, 0, 0, 5, cost_usd=0.5), log_path="runs/r/B/1")
    attempt = AttemptRecord(1, "shell", NOW, NOW, 2.0, ExecutionStatus.FAILED, None, outcome)
    failed = ExecutionResult(
        "B",
        "shell",
        ExecutionStatus.FAILED,
        Failure.EXIT_CODE,
        reason,
        duration_seconds=2.0,
        error=error,
        checks=(check,),
        attempts=(attempt,),
        log_path="runs/r/B/1",
    )
    kept = ExecutionResult("A", "shell", ExecutionStatus.SUCCESS, metadata={"adopted_from": "r0"})
    return RunResult("r", RunStatus.FAILED, (kept, failed), NOW, NOW, 2.5, 2.0, 2.0)


def test_the_report_has_every_task_and_all_that_went_wrong() -> None:
    assert markdown(one("exited with 3:\nno such file")).splitlines() == [
        "# Run r: failed",
        "",
        "- Tasks: 1 success, 1 failed",
        "- Started: 2026-01-02 03:04:05 UTC",
        "- Ended: 2026-01-02 03:04:05 UTC",
        "- Time: 2.5 s; work 2.0 s; critical path 2.0 s",
        "- Usage: 10 tokens in, 5 out, $0.50",
        "",
        "| Task | Outcome | Why | Agent | Attempts | Seconds | Checks | Usage | Log |",
        "| --- | --- | --- | --- | ---: | ---: | --- | --- | --- |",
        "| A | success | done in run r0 | shell | 0 | 0.0 |  |  |  |",
        r"| B | failed | exit\_code: exited with 3 | shell | 1 | 2.0 | 0 of 1 passed | " + USED + " | runs/r/B/1 |",
        "",
        "## B: failed",
        "",
        "```text",
        "exited with 3:",
        "no such file",
        "```",
        "",
        "- verify failed, exit code 1: make test",
        "",
        "```text",
        "1 failed",
        "```",
        "",
        "- attempt 1: exit_code after 2.0 s, log runs/r/B/1",
    ]


@given(st.text(), st.text(), st.text(), st.text())
def test_no_text_breaks_out_of_its_place(error: str, reason: str, log: str, name: str) -> None:
    lines = markdown(one(error, reason, log, name)).split("\n")
    fence = ""
    outside = []
    for line in lines:
        if fence:
            fence = "" if line == fence else fence
        elif opening := re.fullmatch(r"(`{3,})text", line):
            fence = opening[1]
        else:
            outside.append(line)
    assert not fence
    assert all(line.startswith(("#", "-", "|")) or not line for line in outside)
    assert sum(line.startswith("#") for line in outside) == 2
    for row in (line for line in outside if line.startswith("|")):
        assert len(re.findall(r"(?<!\\)\|", row.replace("\\\\", ""))) == 10
    assert not any(re.search(r"(?<!\\)[<`]", line.replace("\\\\", "")) for line in outside)


@given(st.text("`\n ax"))
def test_backticks_cannot_close_a_fence(error: str) -> None:
    text = markdown(one(error))
    shown = error.strip()
    if shown:
        (fence,) = re.findall(r"^(`{3,})text\n" + re.escape(shown) + r"\n\1$", text, re.MULTILINE)
        assert fence not in shown


def test_usage_without_a_price_is_unpriced_and_files_and_parts_are_told() -> None:
    def attempt(usage: Usage | None, **metadata: object) -> AttemptRecord:
        return AttemptRecord(1, "x", NOW, NOW, 1.0, outcome=Outcome(usage=usage, metadata=metadata))

    leg = ExecutionResult("A/leg-1", "x", ExecutionStatus.SUCCESS, attempts=(attempt(Usage(7, output_total=3)),))
    priced = ExecutionResult("B", "y", ExecutionStatus.SUCCESS, attempts=(attempt(Usage(10_000, cost_usd=1.5)),))
    whole = ExecutionResult(
        "A",
        "pair",
        ExecutionStatus.SUCCESS,
        attempts=(attempt(Usage(7, output_total=3), sum_of_parts=True),),
        metadata={"legs": [leg.to_dict()], "changed_files": ["a.py", "b|.py"]},
    )
    report = markdown(RunResult("r", RunStatus.SUCCESS, (whole, priced), NOW, NOW, 1.0))
    assert "- Usage: 10,007 tokens in, 3 out, $1.50 and unpriced" in report
    assert "- Changed files: 2" in report
    assert "| A/leg-1 | success |  | x | 1 | 0.0 |  |  | 7 tokens in, 3 out, unpriced |  |" in report
    assert "$0.00" not in report
