"""`run-batch` and `execute-task` as real processes: what they print, what they exit with, what a second one does."""

import json
import shlex
import subprocess
from itertools import pairwise
from typing import Any

import pytest

from orchestration.kinds import Failure
from orchestration.results import ExecutionResult, RunResult
from tests.cli.project import PATIENCE, Project, command_line

pytestmark = pytest.mark.slow


def events_of(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_run_shows_plain_lines_and_ends_with_a_summary(project: Project) -> None:
    project.shell("A", "echo hello")
    project.shell("B", "exit 3", "A")
    project.shell("C", "true", "B")
    project.person("P")
    done = project.orch("run-batch")
    assert done.code == 1
    lines = done.err.splitlines()
    assert "started   A  shell" in lines
    assert any(line.startswith("done      A  in ") for line in lines)
    assert any(line.startswith("failed    B  exit_code: ") for line in lines)
    assert any(line.startswith("blocked   C  ") for line in lines)
    assert "needs you P  when it is done: orch complete P; if not: orch fail P --reason TEXT" in lines
    assert done.last.startswith("orch: 1 task failed (B); 1 task blocked (C); 1 task waiting for a person (P)")
    assert "orch why B" in done.last
    assert done.out.splitlines()[0].endswith("1 done, 1 needs input, 1 failed, 1 blocked")
    assert "hello" not in done.out + done.err


def test_a_failed_task_shows_the_end_of_what_it_complained_about(project: Project) -> None:
    project.shell("A", "echo working; echo 'no such \033[31mfile' >&2; exit 1")
    done = project.orch("run-batch")
    assert "    | no such file" in done.err
    assert "\033" not in done.err


def test_the_same_command_again_continues_and_then_does_nothing(project: Project) -> None:
    project.shell("A", "true")
    project.shell("B", "test -e ready", "A")
    assert project.orch("run-batch").code == 1
    again = project.orch("run-batch")
    assert again.code == 1
    assert again.last.startswith("orch: nothing could start; 1 task failed (B)")
    project.write("ready", "")
    assert "reopened 1 task: B; then: orch run-batch" in project.orch("retry", "--failed").out
    done = project.orch("run-batch")
    assert done.code == 0
    assert "started   A" not in done.err
    nothing = project.orch("run-batch")
    assert (nothing.code, nothing.out) == (0, "nothing to do: all 2 tasks are done\n")
    forced = project.orch("run-batch", "--force")
    assert forced.code == 0
    assert "started   A" in forced.err


def test_json_is_the_whole_result_also_when_tasks_failed(project: Project) -> None:
    project.shell("A", "echo name=value >> $ORCH_OUTPUT")
    project.shell("B", "exit 1")
    done = project.orch("run-batch", "--json")
    assert (done.code, done.kind) == (1, "run_result")
    run = RunResult.from_dict(done.data)
    assert [result.task_id for result in run.results] == ["A", "B"]
    assert run.outputs == {"name": "value"}
    assert done.data == run.to_dict()
    single = project.orch("--json", "execute-task", "B")
    assert (single.code, single.kind) == (1, "execution_result")
    assert ExecutionResult.from_dict(single.data).to_dict() == single.data
    assert "B is failed" in single.last


def test_events_are_lines_of_json_without_a_gap_and_nothing_else(project: Project) -> None:
    project.shell("A", "echo out; echo err >&2")
    project.shell("B", "true", "A")
    done = project.orch("run-batch", "--events")
    assert (done.code, done.err) == (0, "")
    found = events_of(done.out)
    stored = [event for event in found if event["type"] != "task_chunk"]
    assert [event["seq"] for event in stored] == list(range(1, len(stored) + 1))
    assert (stored[0]["type"], stored[-1]["type"]) == ("run_started", "run_completed")
    chunks = {(event["stream"], event["chunk"]) for event in found if event["type"] == "task_chunk"}
    assert chunks == {("stdout", "out\n"), ("stderr", "err\n")}
    assert events_of(project.orch("events").out) == stored


@pytest.mark.parametrize(
    ("arguments", "ran"),
    [
        (["A", "C"], {"A", "C"}),
        (["--label", "fast"], {"A", "B"}),
        (["--label", "fast", "--label", "slow"], {"A", "B", "C"}),
        (["--phase", "1"], {"A"}),
        (["--priority", "high"], {"B"}),
        (["--priority", "HIGH", "--label", "slow"], set()),
    ],
)
def test_a_selection_runs_only_what_fits(project: Project, arguments: list[str], ran: set[str]) -> None:
    project.shell("A", "true", labels=["fast"], phase="1")
    project.shell("B", "true", labels=["fast"], priority="high")
    project.shell("C", "true", labels=["slow"])
    done = project.orch("run-batch", *arguments, "--json")
    assert done.code == 0, done.err
    assert {result["task_id"] for result in done.data["results"]} == ran


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--label", "fsat"], "orch: no task has the label 'fsat' (did you mean fast?)"),
        (["--phase", "2"], "orch: no task has the phase '2' (known: 1)"),
        (["--label", "fast", "--label", "none"], "orch: no task has the label 'none' (known: fast)"),
    ],
)
def test_a_word_that_no_task_has_is_refused_and_no_run_is_made(
    project: Project, arguments: list[str], told: str
) -> None:
    project.shell("A", "true", labels=["fast"], phase="1")
    for command in (["run-batch"], ["run-batch", "--dry-run"]):
        done = project.orch(*command, *arguments)
        assert (done.code, done.last) == (2, told)
    assert project.json("runs") == []


def test_exit_codes_of_runs(project: Project) -> None:
    project.shell("gone", "no-such-program-at-all")
    project.write("orchestration.yaml", "agents:\n  missing: {kind: script, command: [no-such-agent-at-all]}\n")
    project.shell("A", "true", agent="missing")
    project.shell("slow", "sleep 30")
    project.person("P")
    assert project.orch("run-batch", "A").code == 127
    assert project.orch("run-batch", "P").code == 4
    done = project.orch("run-batch", "slow", "--timeout", "300ms")
    assert done.code == 124
    assert done.last.startswith("orch: the run ended early: timeout")
    assert project.orch("run-batch", "gone").code in {1, 127}


def test_fail_fast_ends_what_runs_and_keep_going_does_not(project: Project) -> None:
    project.shell("A", "sleep 0.3; exit 1")
    project.shell("B", "sleep 30")
    project.shell("C", "true", "B")
    done = project.orch("run-batch", "--fail-fast", "--json")
    assert done.code == 1
    by_id = {result["task_id"]: result["status"] for result in done.data["results"]}
    assert by_id["A"] == "failed"
    assert by_id["B"] == "cancelled"


def test_the_number_at_once_is_kept(project: Project) -> None:
    for i in range(4):
        project.shell(f"T{i}", "sleep 0.05")
    found = events_of(project.orch("run-batch", "-j", "1", "--events").out)
    kinds = [event["type"] for event in found if event["type"] in {"task_started", "task_completed"}]
    assert all(one != other for one, other in pairwise(kinds))


def test_quiet_says_only_what_is_wrong(project: Project) -> None:
    project.shell("A", "true")
    done = project.orch("run-batch", "--quiet")
    assert (done.code, done.out, done.err) == (0, "", "")
    project.shell("B", "exit 1")
    done = project.orch("run-batch", "--quiet")
    assert (done.code, done.out) == (1, "")
    assert len(done.err.splitlines()) == 1


def test_one_task_wants_its_dependencies_done_or_runs_them_too(project: Project) -> None:
    project.shell("A", "true")
    project.shell("B", "true", "A")
    refused = project.orch("execute-task", "B")
    assert refused.code == 2
    assert "A (pending)" in refused.last
    assert "--with-dependencies" in refused.last
    done = project.orch("execute-task", "B", "--with-dependencies")
    assert done.code == 0
    assert done.out.startswith("done        B  in ")
    assert project.orch("execute-task", "B").out.startswith("nothing to do: B is done since run ")
    assert "started   B" in project.orch("execute-task", "B", "--force").err


def test_a_dry_run_says_what_and_why_and_changes_nothing(project: Project) -> None:
    project.shell("A", "true", estimate_hours=2)
    project.shell("B", "true", "A", estimate_hours=3)
    project.shell("C", "true", estimate_hours=1)
    done = project.orch("run-batch", "--dry-run", "-j", "2")
    assert done.code == 0
    assert done.out == project.orch("plan", "-j", "2").out
    assert "critical path: A -> B (5h)" in done.out
    assert "expected: 5h from start to end, for 6h of work" in done.out
    assert project.state() == {}
    project.orch("run-batch", "A")
    plan = project.orch("plan").out
    assert "will not run:" in plan
    assert "done in run " in plan


def test_a_task_left_to_a_person_is_ended_from_the_command_line(project: Project) -> None:
    project.person("P", verify=["test -e answer"])
    project.shell("A", 'cat "$ORCH_INPUTS" > seen', "P")
    assert project.orch("run-batch").code == 4
    early = project.orch("complete", "P", "--json")
    assert (early.code, early.kind) == (1, "error")
    assert "P" in early.last
    project.write("answer", "")
    assert project.orch("complete", "P", "--output", "fine", "--set", "size=12").code == 0
    assert project.orch("run-batch").code == 0
    assert '"size": "12"' in (project.root / "seen").read_text(encoding="utf-8").replace('":"', '": "')


def test_a_task_that_a_person_gives_up_fails_with_the_reason(project: Project) -> None:
    project.person("P")
    project.shell("A", "true", "P")
    project.orch("run-batch")
    assert project.orch("fail", "P", "--reason", "out of paint").code == 0
    assert "out of paint" in project.orch("why", "P").out
    assert project.orch("run-batch").code == 1


def test_a_run_can_be_cancelled_from_another_terminal(project: Project) -> None:
    project.shell("A", "sleep 30")
    with project.start("run-batch", "--events") as running:
        assert running.stdout is not None
        for line in running.stdout:
            if b"task_started" in line:
                break
        done = project.orch("cancel", "A", "--reason", "changed my mind")
        assert done.out == "cancelled 1 task: A\n", done.err
        rest = running.stdout.read().decode()
        assert running.wait(30) == 1
    assert events_of(rest)[-1]["type"] == "run_completed"
    assert "changed my mind" in project.orch("why", "A").out


def test_a_reader_that_leaves_the_events_does_not_harm_the_run(project: Project) -> None:
    for i in range(5):
        project.shell(f"T{i}", "sleep 0.1; touch done-$ORCH_TASK_ID")
    with project.start("run-batch", "-j", "1", "--events") as running:
        assert running.stdout is not None
        running.stdout.readline()
        running.stdout.close()
        assert running.wait(30) == 0
    assert len(list(project.root.glob("done-*"))) == 5


def test_a_reader_that_stalls_does_not_hold_up_the_run(project: Project) -> None:
    project.shell("A", "head -c 20000000 /dev/zero | tr '\\0' x; touch finished")
    project.shell("B", "sleep 30", timeout="1s")
    with project.start("run-batch") as running:  # its output goes into a pipe that nobody reads until it has ended
        assert running.wait(30) == 1
    assert (project.root / "finished").exists()
    assert project.orch("status", "--json").data["counts"] == {"success": 1, "failed": 1}


def test_tasks_that_wait_for_an_account_pause_the_run_also_those_that_were_never_tried(project: Project) -> None:
    project.settings("""
        accounts: {team: {max_wait: 5}}
        agents: {limited: {kind: scripted, account: team, script: [{rate_limit: 3600}]}}
    """)
    project.shell("A", "text", agent="limited")
    project.shell("B", "text", agent="limited")
    done = project.orch("run-batch", "-j", "1")
    assert done.code == 75, done.err
    assert "paused    account team  for " in done.err
    assert "1 task waiting for an account that has reached its limit (A)" in done.last
    assert done.last.endswith("to go on when it works again: orch run-batch")


def test_a_spent_budget_stops_the_run_and_is_told_with_what_was_used(project: Project) -> None:
    script = "[{usage: {input: 5000, output: 1}}, {final: {verdict: good, text: fine}}]"
    project.settings(f"agents: {{player: {{kind: scripted, script: {script}}}}}")
    project.shell("A", "text", agent="player")
    project.shell("B", "text", "A", agent="player")
    done = project.orch("run-batch", "--budget", "tokens=4000")
    assert done.code == 3, done.err
    assert "budget" in done.last
    assert "used 5,000 tokens in, 1 out, unpriced" in done.out
    assert "$0.00" not in done.out + done.err


def test_a_whole_run_can_be_done_in_another_mode(project: Project) -> None:
    project.shell("A", "echo hello")
    done = project.orch("run-batch", "--mode", "interactive")
    assert done.code == 4
    assert "then: orch complete A" in done.last


def test_what_another_run_did_is_done_once_also_for_a_run_in_which_it_had_failed(project: Project) -> None:
    project.shell("A", "echo x >> log; test -e good")
    project.shell("B", "true", "A")
    project.person("P")
    assert project.orch("run-batch").code == 1
    project.write("good", "")
    assert project.orch("execute-task", "A").code == 0
    assert project.orch("run-batch").code == 4
    assert project.orch("complete", "P").code == 0
    assert project.orch("run-batch").code == 0
    assert project.orch("run-batch", "A", "P").code == 0
    assert (project.root / "log").read_text() == "x\nx\n"
    assert {task["status"] for task in project.json("list")["tasks"]} == {"success"}


@pytest.mark.parametrize("limit", [14, 18])
def test_where_too_few_files_can_be_open_all_fail_at_once_and_say_so(project: Project, limit: int) -> None:
    for name in "ABC":
        project.shell(name, "true")
    script = f"ulimit -n {limit}; exec " + shlex.join(command_line("run-batch", "--max-concurrent", "2", "--json"))
    done = subprocess.run(["sh", "-c", script], cwd=project.root, capture_output=True, check=False, timeout=PATIENCE)
    assert done.returncode == 1
    run = RunResult.from_dict(json.loads(done.stdout)["data"])
    assert run.wall_seconds < 10
    for result in run.results:
        assert result.failure is Failure.INTERNAL
        assert f"Too many open files, for this program may have only {limit} at once" in (result.error or "")
        assert "ulimit -n" in (result.error or "")
