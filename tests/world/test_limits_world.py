"""Accounts with limits, budgets and results to be approved, as a user meets them: real `orch`, kills, the same command.

A refusal pauses an account and costs no attempt; what is paused stays so for the next process. A budget ends work with
a code of its own. What was made and refused by a person is made again with their note.
"""

import json
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cli.project import Project

pytestmark = pytest.mark.slow

NOTED = {"append": {"path": "starts", "content": "{task} {attempt}\n"}}
GOOD = {"final": {"verdict": "good", "text": "made"}}
Events = list[dict[str, Any]]


def plays(*steps: object, **fields: object) -> dict[str, Any]:
    return {"kind": "scripted", "script": [{"lifetime": 50}, NOTED, *steps], **fields}


def prepare(root: Path, tasks: Mapping[str, Mapping[str, Any]], **settings: object) -> Project:
    """A project of tasks by id."""
    project = Project(root)
    project.write("orchestration.yaml", yaml.safe_dump({"kill_grace": 0.3, **settings}))
    listed = [{"id": task_id, "description": "Go.", **fields} for task_id, fields in tasks.items()]
    project.write("tasks/all.yaml", yaml.safe_dump({"tasks": listed}))
    return project


def starts(root: Path) -> list[str]:
    path = root / "starts"
    return path.read_text().splitlines() if path.exists() else []


def events_of(project: Project) -> Events:
    found: Events = [json.loads(line) for line in project.orch("events").out.splitlines()]
    assert [event["seq"] for event in found] == list(range(1, len(found) + 1))
    return found


def status(project: Project) -> dict[str, str]:
    return {row["task_id"]: row["status"] for row in project.json("status", "--all")["tasks"]}


def failures(project: Project) -> dict[str, str]:
    return {row["task_id"]: row["failure"] for row in project.json("status", "--all")["tasks"] if row["failure"]}


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def paused(project: Project) -> bool:
    return any(event["type"] == "account_paused" for event in map(json.loads, project.orch("events").out.splitlines()))


# ---- accounts --------------------------------------------------------------------------------------------------------


def test_many_agents_on_one_account_all_finish_after_its_reset_and_none_fails(tmp_path: Path) -> None:
    quota = {"quota": {"path": "requests", "requests": 4, "window": 4}}
    agents = {f"agent-{n}": plays(quota, GOOD, account="team") for n in range(2)}
    tasks = {f"T-{n}": {"agent": f"agent-{n % 2}"} for n in range(8)}
    tasks["OTHER"] = {"agent": "other"}
    project = prepare(tmp_path, tasks, agents={**agents, "other": plays(GOOD)}, accounts={"team": {"backoff": 0.5}})
    done = project.orch("run-batch", "-j", "8", "--fail-fast")
    assert done.code == 0, done.err
    assert set(status(project).values()) == {"success"}
    events = events_of(project)
    refused = [event for event in events if event["type"] == "task_error"]
    assert refused
    assert {(event["failure"], event["final"]) for event in refused} == {("rate_limited", False)}
    assert {event["account"] for event in events if event["type"] == "account_paused"} == {"team"}


LIMITED = plays({"attempts": [[{"rate_limit": "4s"}], [GOOD]]}, account="team")

FAR = plays({"attempts": [[{"rate_limit": "12s"}], [GOOD]]}, account="team")


def test_a_pause_is_remembered_after_kill_9(tmp_path: Path) -> None:
    project = prepare(tmp_path, {"A": {"agent": "a"}, "B": {"agent": "b"}}, agents={"a": LIMITED, "b": LIMITED})
    with project.start("run-batch", "-j", "1", "--events") as orch:
        assert orch.stdout is not None
        while b'"account_paused"' not in orch.stdout.readline():
            pass
        orch.kill()
        orch.wait(30)
    assert starts(tmp_path) == ["A 1"]
    done = project.orch("run-batch", "-j", "1")
    assert done.code == 0, done.err
    assert starts(tmp_path)[1] in {"A 2", "B 1"}
    events = events_of(project)
    paused_at, until = next((event["at"], event["until"]) for event in events if event["type"] == "account_paused")
    assert (datetime.fromisoformat(until) - datetime.fromisoformat(paused_at)).total_seconds() > 2
    began = [event["at"] for event in events if event["type"] == "task_started"]
    assert began[1] >= until
    assert "attempt_interrupted" not in {event["type"] for event in events}


def test_a_reset_too_far_away_ends_the_run_and_a_later_command_continues(tmp_path: Path) -> None:
    project = prepare(
        tmp_path,
        {"A": {"agent": "a"}, "B": {"agent": "other"}, "C": {"agent": "other", "depends_on": ["A"]}},
        agents={"a": FAR, "other": plays(GOOD)},
        accounts={"team": {"max_wait": 1}},
    )
    done = project.orch("run-batch", "--fail-fast")
    assert done.code == 75, done.err
    ended = time.monotonic()
    sooner = project.orch("run-batch", "--quiet")
    assert sooner.code == 75, sooner.err
    assert "team" in project.orch("why", "A").out
    assert status(project)["B"] == "success"
    assert starts(tmp_path).count("A 1") == 1
    assert "A 2" not in starts(tmp_path)
    time.sleep(max(0.0, ended + 12 - time.monotonic()))  # the account's own time: there is no event for it
    assert project.orch("run-batch").code == 0
    assert starts(tmp_path)[-2:] == ["A 2", "C 1"]
    events_of(project)


def test_ctrl_c_while_an_account_is_paused_ends_the_run_at_once(tmp_path: Path) -> None:
    project = prepare(
        tmp_path, {"A": {"agent": "a"}}, agents={"a": plays({"attempts": [[{"rate_limit": "1h"}], [GOOD]]})}
    )
    with project.start("run-batch") as orch:
        wait_until(lambda: paused(project))
        asked = time.monotonic()
        orch.send_signal(signal.SIGINT)
        assert orch.wait(20) == 130
        assert time.monotonic() - asked < 5
    assert starts(tmp_path) == ["A 1"]
    assert not [e for e in events_of(project) if e["type"] == "task_error" and e["final"]]


def test_a_fallback_goes_on_while_the_account_is_exhausted(tmp_path: Path) -> None:
    agents = {
        "main": plays({"rate_limit": "1h"}, account="team", fallback="spare"),
        "spare": plays({"output": {"who": "spare"}}, GOOD),
    }
    project = prepare(tmp_path, {"A": {"agent": "main"}, "B": {"agent": "main"}}, agents=agents)
    done = project.orch("run-batch", "-j", "1")
    assert done.code == 0, done.err
    assert starts(tmp_path).count("B 1") + starts(tmp_path).count("B 2") == 1  # the account is not asked again
    assert {row["agent"] for row in project.json("status", "--all")["tasks"]} == {"spare"}


# ---- budgets ---------------------------------------------------------------------------------------------------------

COSTS = {"usage": {"input": 1000, "output": 10, "cost_usd": 1.0}}


def test_a_task_that_has_spent_its_budget_is_ended_and_stays_failed_until_it_is_retried(tmp_path: Path) -> None:
    spends = plays(COSTS, COSTS, {"say": "and more"}, {"wait": 60}, GOOD)
    project = prepare(
        tmp_path,
        {
            "DEAR": {"agent": "spends", "budget": {"cost_usd": 1.5}, "retry": {"max": 3, "backoff": 0}},
            "LONG": {"agent": "spends", "budget": {"tokens": 1500}},
            "SLOW": {"agent": "sleeps", "budget": {"wall": 0.5}},
            "CHEAP": {"agent": "cheap", "budget": {"cost_usd": 1.5}},
        },
        agents={"spends": spends, "cheap": plays(COSTS, GOOD), "sleeps": plays({"wait": 60}, GOOD)},
    )
    begun = time.monotonic()
    assert project.orch("run-batch", "-j", "4").code == 3
    assert time.monotonic() - begun < 45
    assert failures(project) == {"DEAR": "budget", "LONG": "budget", "SLOW": "budget"}
    assert starts(tmp_path).count("DEAR 1") == 1
    count = len(starts(tmp_path))
    assert count == 4  # no retry
    assert project.orch("run-batch").code in {1, 3}
    assert len(starts(tmp_path)) == count
    assert "$2.00" in project.orch("report").out
    assert project.orch("retry", "DEAR").code == 0
    assert project.orch("run-batch").code in {1, 3}
    assert len(starts(tmp_path)) == count + 1
    events_of(project)


def test_a_run_that_has_spent_its_budget_stops_and_the_same_command_goes_on(tmp_path: Path) -> None:
    tasks = {f"T-{n}": {"agent": "spends"} for n in range(4)}
    project = prepare(tmp_path, tasks, agents={"spends": plays(COSTS, GOOD)})
    first = project.orch("run-batch", "-j", "1", "--budget", "1.5")
    assert first.code == 3, first.err
    assert 1 <= list(status(project).values()).count("success") <= 2
    events_of(project)
    for _ in range(3):
        last = project.orch("run-batch", "-j", "1", "--budget", "1.5")
    assert last.code == 0, last.err
    assert set(status(project).values()) == {"success"}


def test_a_budget_of_a_run_ends_what_runs(tmp_path: Path) -> None:
    agents = {"spends": plays(COSTS, {"wait_for": {"path": "go", "timeout": 20}}, GOOD)}
    project = prepare(tmp_path, {"A": {"agent": "spends"}, "B": {"agent": "spends"}}, agents=agents)
    done = project.orch("run-batch", "-j", "2", "--budget", "cost_usd=1.5", "--json")
    assert done.code == 3, done.err
    assert done.data["reason"] == "budget"
    (tmp_path / "go").touch()
    assert project.orch("run-batch").code == 0
    assert set(status(project).values()) == {"success"}


# ---- results to be approved ------------------------------------------------------------------------------------------

MADE = plays({"save_prompt": "prompt-{task}-{attempt}.txt"}, {"output": {"version": "one"}}, GOOD)
JUDGED = {"agent": "makes", "approve": "after", "verify": ["true"], "retry": {"max": 2, "backoff": 0}}


def test_a_result_is_refused_with_a_note_made_again_and_approved(tmp_path: Path) -> None:
    project = prepare(
        tmp_path,
        {"A": JUDGED, "B": {"agent": "shell", "description": "cat $ORCH_INPUTS", "depends_on": ["A"]}},
        agents={"makes": MADE},
    )
    assert project.orch("run-batch").code == 4
    assert status(project) == {"A": "needs_input", "B": "pending"}
    assert project.orch("reject", "A", "--note", "say please").code == 0
    assert project.orch("run-batch").code == 4
    assert "say please" in (tmp_path / "prompt-A-2.txt").read_text()
    assert project.orch("approve", "A", "--by", "me").code == 0
    assert project.orch("run-batch").code == 0
    assert '"version": "one"' in project.orch("logs", "B").out
    events_of(project)


def test_a_result_that_is_refused_at_the_last_attempt_has_failed(tmp_path: Path) -> None:
    project = prepare(tmp_path, {"A": {**JUDGED, "retry": 1}}, agents={"makes": MADE})
    assert project.orch("run-batch").code == 4
    assert project.orch("reject", "A", "--note", "never").code == 0
    assert status(project) == {"A": "failed"}
    assert "never" in project.orch("why", "A").out
    assert project.orch("approve", "A").code != 0


def test_a_result_is_refused_and_approved_while_the_run_goes_on(tmp_path: Path) -> None:
    agents = {"makes": MADE, "waits": plays({"wait_for": {"path": "go", "timeout": 40}}, GOOD)}
    project = prepare(tmp_path, {"A": JUDGED, "LONG": {"agent": "waits"}}, agents=agents)
    with project.start("run-batch", "-j", "2", output=subprocess.DEVNULL) as orch:
        wait_until(lambda: status(project).get("A") == "needs_input")
        assert project.orch("reject", "A", "--note", "say please").code == 0
        wait_until(lambda: (tmp_path / "prompt-A-2.txt").exists() and status(project)["A"] == "needs_input")
        assert "say please" in (tmp_path / "prompt-A-2.txt").read_text()
        assert project.orch("approve", "A").code == 0
        assert status(project)["A"] == "success"
        (tmp_path / "go").touch()
        assert orch.wait(30) == 0
    events_of(project)


def test_a_result_that_waits_is_judged_and_not_replaced_and_survives_kill_9(tmp_path: Path) -> None:
    agents = {"makes": MADE, "waits": plays({"wait_for": {"path": "go", "timeout": 40}}, GOOD)}
    project = prepare(tmp_path, {"A": JUDGED, "B": JUDGED, "LONG": {"agent": "waits"}}, agents=agents)
    with project.start("run-batch", "-j", "3", output=subprocess.DEVNULL) as orch:
        wait_until(lambda: [*status(project).values()].count("needs_input") == 2)
        orch.kill()
        orch.wait(30)
    assert status(project)["A"] == "needs_input"
    refused = project.orch("complete", "A", "--output", "done by hand", "--set", "version=two")
    assert refused.code == 2
    assert "orch approve A" in refused.last
    assert project.orch("approve", "A").code == project.orch("approve", "B").code == 0
    (tmp_path / "go").touch()
    assert project.orch("run-batch").code == 0
    assert starts(tmp_path).count("A 1") == starts(tmp_path).count("B 1") == 1
    rows = {row["task_id"]: row for row in project.json("status", "--all")["tasks"]}
    assert rows["A"]["outputs"] == rows["B"]["outputs"] == {"version": "one"}
    events_of(project)
