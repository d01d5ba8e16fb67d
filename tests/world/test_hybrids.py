"""Hybrid agents as a user meets them: real `orch`, agents that ignore TERM and leave children, kills in between.

Whatever happens, each task and each part has one outcome, the events have no gap, what was used is the sum of the
parts, and no process of a run is left.
"""

import json
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cli.project import Project
from tests.world.processes import linux_only

pytestmark = [linux_only, pytest.mark.slow]

Events = list[dict[str, Any]]

PAID = {"usage": {"input": 10, "output": 1, "cost_usd": 0.5}}
NOTED = {"append": {"path": "starts", "content": "{task} {attempt}\n"}}
LEAVES = [{"leave": {"how": how, "deaf": True, "seconds": 60}} for how in ("session", "daemon", "nohup")]


def plays(*steps: object, **fields: object) -> dict[str, Any]:
    """A scripted agent that notes each start and reports usage."""
    return {"kind": "scripted", "script": [{"lifetime": 50}, NOTED, PAID, *steps], **fields}


def works(who: str, *steps: object) -> dict[str, Any]:
    """One that does its work and says who did it."""
    return plays(*steps, {"output": {"who": who}}, {"final": {"verdict": "good", "text": f"{who} did it"}})


DEAF = plays({"on_term": "ignore"}, *LEAVES, {"say": "hm"}, "hang")
SLOW = works("slow", {"on_term": "ignore"}, *LEAVES, {"wait_for": {"path": "go", "timeout": 45}})
AGENTS: Mapping[str, Any] = {
    "deaf": DEAF,
    "deafer": DEAF,
    "slow": SLOW,
    "quick": works("quick"),
    "second": works("second", {"save_prompt": "second-{task}.txt"}),
    "winner": works("winner", *LEAVES, {"wait": 0.3}),
    "broken": plays({"final": {"verdict": "failed", "error": "cannot"}}),
    "unknown": plays({"trick": "auth_error"}),
    "limited": plays({"rate_limit": "1h"}),
    "judge": plays({"save_prompt": "judged.txt"}, {"final": {"verdict": "good", "text": "Well.\nwinner=2"}}),
    "mumbler": plays({"final": {"verdict": "good", "text": "all are fine"}}),
    "absent": plays({"final": {"verdict": "good", "text": "winner=7"}}),
}


def hybrid(strategy: str, *agents: str, **fields: object) -> dict[str, Any]:
    named = {"agents": list(agents)} if agents else {}
    return {"kind": "hybrid", "strategy": strategy, **named, **fields}


def prepare(root: Path, hybrids: Mapping[str, Any], *more: Mapping[str, Any], **each: Mapping[str, Any]) -> Project:
    """A project with one task for each hybrid agent, in capitals, and others; `each` has more fields of a task."""
    project = Project(root)
    settings = {"kill_grace": 0.3, "agents": {**AGENTS, **hybrids}}
    tasks = [{"id": name.upper(), "agent": name, "description": "Go.", **each.get(name, {})} for name in hybrids]
    project.write("orchestration.yaml", yaml.safe_dump(settings))
    project.write("tasks/all.yaml", yaml.safe_dump({"tasks": [*tasks, *more]}))
    return project


def starts(root: Path) -> list[str]:
    path = root / "starts"
    return path.read_text().splitlines() if path.exists() else []


def played(root: Path) -> dict[str, int]:
    """How many agents were started for each task."""
    return dict(Counter(line.partition("/")[0] for line in starts(root)))


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def running(run_id: str) -> list[str]:
    """Processes that carry the marker of the run."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit() and f"ORCH_ATTEMPT_ID={run_id}/".encode() in (folder / "environ").read_bytes():
                found.append((folder / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue
    return found


def events_of(project: Project) -> Events:
    """All stored events, which have no gap and no second outcome of anything."""
    found: Events = [json.loads(line) for line in project.orch("events").out.splitlines()]
    assert [event["seq"] for event in found] == list(range(1, len(found) + 1))
    ends = Counter(
        (event["task_id"], event["attempt"])
        for event in found
        if event["type"] in {"task_completed", "task_error", "task_cancelled", "attempt_interrupted"}
        and event.get("attempt") is not None
    )
    assert not [end for end, count in ends.items() if count > 1]
    return found


def last(events: Events, task_id: str) -> dict[str, Any]:
    kinds = ("task_completed", "task_error", "task_cancelled", "task_blocked")
    return next(event for event in reversed(events) if event.get("task_id") == task_id and event["type"] in kinds)


def status(project: Project) -> dict[str, str]:
    return {row["task_id"]: row["status"] for row in project.json("status", "--all")["tasks"]}


def kinds_of(events: Events, kind: str) -> list[str]:
    return [event["task_id"] for event in events if event["type"] == kind]


# ---- each strategy ---------------------------------------------------------------------------------------------------


STEPS = [{"agent": "quick", "name": "draft"}, {"agent": "second", "name": "review", "prompt": "Look hard."}]


def test_a_fallback_goes_on_only_after_declared_failures_and_records_each_hop(tmp_path: Path) -> None:
    project = prepare(
        tmp_path,
        {
            "fall": hybrid("fallback", "unknown", "limited", "quick", "second"),
            "stays": hybrid("fallback", "broken", "quick"),
            "hops": hybrid("fallback", "broken", "quick", on=["exit_code"]),
        },
        {"id": "BELOW", "agent": "shell", "description": "cat $ORCH_INPUTS", "depends_on": ["FALL", "HOPS"]},
        {"id": "NOT", "agent": "shell", "description": "true", "depends_on": ["STAYS"]},
    )
    assert project.orch("run-batch", "-j", "6").code == 1
    events = events_of(project)
    done = dict.fromkeys(("FALL", "HOPS", "BELOW"), "success")
    assert status(project) == {**done, "STAYS": "failed", "NOT": "blocked"}
    assert played(tmp_path) == {"FALL": 3, "STAYS": 1, "HOPS": 2}
    assert kinds_of(events, "task_expanded").count("FALL") == 3
    assert [last(events, f"FALL/leg-{n}").get("failure") for n in (1, 2, 3)] == ["auth", "rate_limited", None]
    assert last(events, "HOPS")["usage"]["cost_usd"] == pytest.approx(1.0)
    given = json.loads(last(events, "BELOW")["output"])["tasks"]
    assert {name: facts["outputs"]["who"] for name, facts in given.items()} == {"FALL": "quick", "HOPS": "quick"}
    project.orch("run-batch", "--quiet")
    assert sum(played(tmp_path).values()) == 6  # nothing is spent a second time


def test_a_chain_passes_results_on_and_goes_round_until_it_is_good_or_the_maximum(tmp_path: Path) -> None:
    counts = "echo x >> rounds; test $(wc -l < rounds) -ge 3"
    project = prepare(
        tmp_path,
        {
            "rounds": hybrid("chain", "quick", "second", check=counts, max_rounds=5),
            "ends": hybrid("chain", "quick", check="false", max_rounds=2),
            "until": hybrid("chain", steps=STEPS, until="legs.review.outputs.who == 'second'", max_rounds=2),
            "never": hybrid("chain", steps=STEPS, until="legs.review.outputs.who == 'me'", max_rounds=2),
        },
    )
    assert project.orch("run-batch", "-j", "6").code == 1
    events = events_of(project)
    assert status(project) == {"ROUNDS": "success", "ENDS": "failed", "UNTIL": "success", "NEVER": "failed"}
    assert played(tmp_path) == {"ROUNDS": 6, "ENDS": 2, "UNTIL": 2, "NEVER": 4}
    assert last(events, "ROUNDS")["outputs"] == {"who": "second"}
    assert last(events, "ROUNDS")["usage"]["requests"] == 6
    assert "until" in last(events, "NEVER")["error"]
    assert "check" not in last(events, "NEVER")["error"]
    review = (tmp_path / "second-UNTIL" / "leg-2.txt").read_text()
    assert "quick did it" in review
    assert "Look hard." in review


def test_a_vote_is_decided_by_an_agent_or_a_command_and_by_nobody_where_one_is_left(tmp_path: Path) -> None:
    project = prepare(
        tmp_path,
        {
            "vote": hybrid("vote", "quick", "second", judge="judge"),
            "mumbled": hybrid("vote", "quick", "second", judge="mumbler"),
            "nobody": hybrid("vote", "quick", "second", judge="absent"),
            "one_left": hybrid("vote", "quick", "broken", judge="mumbler"),
            "picked": hybrid("vote", "quick", "second", judge_command="cat $ORCH_INPUTS > seen.json; echo winner=1"),
        },
    )
    assert project.orch("run-batch", "-j", "6").code == 1
    events = events_of(project)
    done = dict.fromkeys(("VOTE", "ONE_LEFT", "PICKED"), "success")
    assert status(project) == {**done, "MUMBLED": "failed", "NOBODY": "failed"}
    assert played(tmp_path) == {"VOTE": 3, "MUMBLED": 3, "NOBODY": 3, "ONE_LEFT": 2, "PICKED": 2}
    assert last(events, "VOTE")["outputs"] == {"who": "second"}
    assert last(events, "PICKED")["outputs"] == {"who": "quick"}
    assert {last(events, name)["failure"] for name in ("MUMBLED", "NOBODY")} == {"invalid_output"}
    assert "named 7" in last(events, "NOBODY")["error"]
    judged = (tmp_path / "judged.txt").read_text()
    assert "quick did it" in judged
    assert "second did it" in judged
    assert set(json.loads((tmp_path / "seen.json").read_text())["tasks"]) == {"PICKED/leg-1", "PICKED/leg-2"}


def test_the_losers_of_a_race_are_dead_before_its_result_is_recorded(tmp_path: Path) -> None:
    project = prepare(tmp_path, {"race": hybrid("race", "deaf", "winner", "deafer")})
    with project.start("run-batch", "--events") as orch:
        assert orch.stdout is not None
        found: Events = []
        for line in orch.stdout:
            found.append(json.loads(line))
            if found[-1]["type"] == "task_completed" and found[-1]["task_id"] == "RACE":
                assert not running(found[-1]["run_id"])
        assert orch.wait(30) == 0
    ended = last(found, "RACE")
    assert ended["outputs"] == {"who": "winner"}
    assert ended["usage"]["cost_usd"] == pytest.approx(1.5)
    assert ended["metadata"]["winner"] == "RACE/leg-2"
    lost = [last(found, f"RACE/leg-{n}") for n in (1, 3)]
    assert [(event["type"], event["cause"]) for event in lost] == [
        ("task_cancelled", "lost the race to RACE/leg-2")
    ] * 2
    assert max(event["seq"] for event in lost) < ended["seq"]
    assert max(lost, key=lambda event: event["seq"])["usage"]["cost_usd"] == pytest.approx(0.5)
    events_of(project)


@pytest.mark.parametrize("order", [("broken", "missing"), ("missing", "broken")])
def test_a_race_has_failed_as_the_one_did_that_could_run(tmp_path: Path, order: tuple[str, str]) -> None:
    project = prepare(tmp_path, {"race": hybrid("race", *order)}, race={"retry": {"max": 2, "backoff": 0}})
    missing = {"kind": "script", "command": ["./nowhere"]}
    settings = yaml.safe_load((tmp_path / "orchestration.yaml").read_text())
    project.write(
        "orchestration.yaml", yaml.safe_dump({**settings, "agents": {**settings["agents"], "missing": missing}})
    )
    assert project.orch("run-batch").code == 1
    tried = [event for event in events_of(project) if event["type"] == "task_error" and event["task_id"] == "RACE"]
    assert [(event["failure"], event["final"]) for event in tried] == [("exit_code", False), ("exit_code", True)]
    assert f"leg-{order.index('broken') + 1} (broken): cannot" in tried[0]["error"].splitlines()[0]


def test_a_hybrid_task_is_approved_tried_again_and_limited_as_a_whole(tmp_path: Path) -> None:
    project = prepare(
        tmp_path,
        {
            "again": hybrid("fallback", "broken", "broken", on=["exit_code"]),
            "late": hybrid("race", "deaf", "deafer"),
            "before": hybrid("chain", "quick", "second"),
            "after": hybrid("vote", "quick", "second", judge="judge"),
        },
        again={"retry": {"max": 2, "backoff": 0}},
        late={"timeout": 0.8},
        before={"approve": "before"},
        after={"approve": "after", "retry": {"max": 2, "backoff": 0}},
    )
    assert project.orch("run-batch").code == 1
    events = events_of(project)
    assert status(project) == {
        "AGAIN": "failed",
        "LATE": "failed",
        "BEFORE": "needs_input",
        "AFTER": "needs_input",
    }
    assert last(events, "LATE")["failure"] == "timeout"
    tried = [event for event in events if event["type"] == "task_error" and event["task_id"] == "AGAIN"]
    assert [event["final"] for event in tried] == [False, True]
    assert sum(line.startswith("AGAIN/") for line in starts(tmp_path)) == 4
    assert not running(events[0]["run_id"])
    assert project.orch("approve", "BEFORE").code == 0
    assert project.orch("reject", "AFTER", "--note", "too dull").code == 0
    assert project.orch("run-batch").code == 1
    assert status(project)["BEFORE"] == "success"
    assert "too dull" in (tmp_path / "second-AFTER" / "leg-5.txt").read_text()
    assert project.orch("approve", "AFTER").code == 0
    assert status(project)["AFTER"] == "success"
    events_of(project)


def test_one_task_is_done_by_a_hybrid_agent_that_only_its_mode_names(tmp_path: Path) -> None:
    project = prepare(tmp_path, {"fall": hybrid("fallback", "unknown", "quick")})
    project.write("tasks/one.yaml", yaml.safe_dump({"id": "ONE", "description": "Go."}))
    done = project.orch("execute-task", "ONE", "--mode", "hybrid", "--json")
    assert done.code == 0, done.err
    assert starts(tmp_path) == ["ONE/leg-1 1", "ONE/leg-2 1"]


# ---- stopped in the middle -------------------------------------------------------------------------------------------

BELOW = {"id": "BELOW", "agent": "shell", "description": "true", "depends_on": ["RACE", "CHAIN"]}
MIDDLE = {
    "race": hybrid("race", "slow", "deaf"),
    "chain": hybrid("chain", "quick", "slow", check="echo x >> rounds; test $(wc -l < rounds) -ge 2", max_rounds=3),
}
IN_THE_MIDDLE = {"RACE/leg-1 1", "RACE/leg-2 1", "CHAIN/leg-1 1", "CHAIN/leg-2 1"}


def end_in_the_middle(project: Project, number: signal.Signals) -> int:
    """Start the run, wait until two of its agents are at work in each task, and send the signal."""
    with project.start("run-batch", "-j", "6") as orch:
        wait_until(lambda: set(starts(project.root)) == IN_THE_MIDDLE)
        wait_until(lambda: project.orch("status", "--json").code == 0)
        orch.send_signal(number)
        return orch.wait(30)


def go_on(project: Project) -> Events:
    """The same command again, to its end."""
    (project.root / "go").touch()
    done = project.orch("run-batch", "-j", "6")
    assert done.code == 0, done.err
    events = events_of(project)
    assert set(status(project).values()) == {"success"}
    assert not running(events[0]["run_id"])
    return events


def test_ctrl_c_in_the_middle_ends_all_and_the_same_command_continues(tmp_path: Path) -> None:
    project = prepare(tmp_path, MIDDLE, BELOW)
    assert end_in_the_middle(project, signal.SIGINT) == 130
    events = events_of(project)
    assert not running(events[0]["run_id"])
    assert {last(events, name)["type"] for name in ("RACE", "CHAIN")} == {"task_cancelled"}
    go_on(project)


def test_kill_9_in_the_middle_interrupts_parts_and_the_same_command_continues(tmp_path: Path) -> None:
    project = prepare(tmp_path, MIDDLE, BELOW)
    assert end_in_the_middle(project, signal.SIGKILL) == -signal.SIGKILL
    assert project.orch("report").code == 0
    events = go_on(project)
    assert sorted(kinds_of(events, "attempt_interrupted")) == ["CHAIN/leg-2", "RACE/leg-1", "RACE/leg-2"]
    assert starts(tmp_path).count("CHAIN/leg-1 1") == 1  # what was done is not done again
    assert last(events, "RACE")["outputs"] == {"who": "slow"}
    assert last(events, "CHAIN")["attempt"] == 1


@pytest.mark.parametrize("task", ["RACE", "CHAIN"])
def test_a_hybrid_task_is_cancelled_from_another_terminal(tmp_path: Path, task: str) -> None:
    project = prepare(tmp_path, MIDDLE, BELOW)
    with project.start("run-batch", "-j", "6", output=subprocess.DEVNULL) as orch:
        wait_until(lambda: set(starts(tmp_path)) == IN_THE_MIDDLE)
        cancelled = project.orch("cancel", task, "--reason", "not now")
        assert cancelled.code == 0, cancelled.err
        (tmp_path / "go").touch()
        assert orch.wait(30) == 1
    events = events_of(project)
    other = ({"RACE", "CHAIN"} - {task}).pop()
    assert status(project) == {task: "cancelled", other: "success", "BELOW": "blocked"}
    assert last(events, task)["cause"] == "not now"
    assert not running(events[0]["run_id"])
    ended: Sequence[str] = [event["task_id"] for event in events if event["type"] == "task_cancelled"]
    assert [name for name in ended if name.partition("/")[0] == task][-1] == task  # its parts have ended before it
    assert project.orch("retry", task).code == 0
    go_on(project)
