"""`orch run-batch` as a real process on real shell tasks: time, order, odd children, timeouts."""

import json
import os
import random
import shlex
import subprocess
import sys
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.world.projects import make_project, shell

pytestmark = pytest.mark.slow

Events = list[dict[str, Any]]


def run_batch(root: Path, *options: str, environment: Mapping[str, str] | None = None) -> tuple[int, Events]:
    """Run the batch with `--events`; returns the exit code and the events."""
    command = [sys.executable, "-m", "cli", "-C", str(root), "run-batch", "--events", *options]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=100, env={**os.environ, **(environment or {})}, check=False
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


def data_of(root: Path, *options: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "cli", "-C", str(root), *options, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    data: dict[str, Any] = json.loads(done.stdout)["data"]
    return data


def ends(events: Events) -> dict[str, dict[str, Any]]:
    kinds = {"task_completed", "task_error", "task_cancelled"}
    return {event["task_id"]: event for event in events if event["type"] in kinds}


def wall(events: Events) -> float:
    begun = next(event["at"] for event in events if event["type"] == "run_started")
    ended = next(event["at"] for event in events if event["type"] == "run_completed")
    return (datetime.fromisoformat(ended) - datetime.fromisoformat(begun)).total_seconds()


def peak(events: Events) -> int:
    running = most = 0
    for event in events:
        running += (event["type"] == "task_started") - (event["type"] in {"task_completed", "task_error"})
        most = max(most, running)
    return most


def marked_processes(marker: str) -> list[str]:
    """The command lines of live processes that carry the marker in their environment."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit() and marker.encode() in (folder / "environ").read_bytes():
                found.append((folder / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue
    return found


@pytest.mark.parametrize("seed", range(10))
def test_uneven_tasks_roll_through_three_slots_in_the_same_order_under_any_hash_seed(tmp_path: Path, seed: int) -> None:
    tenths = {"A": 8, "B": 2, "C": 2, "D": 8, "E": 2, "F": 2}
    root = make_project(tmp_path, [shell(name, f"sleep 0.{n}") for name, n in tenths.items()])
    code, events = run_batch(root, "--max-concurrent", "3", environment={"PYTHONHASHSEED": str(seed)})
    assert code == 0
    took = {name: event["duration_seconds"] for name, event in ends(events).items()}
    batches = max(map(took.__getitem__, "ABC")) + max(map(took.__getitem__, "DEF"))
    assert wall(events) <= 0.85 * batches, "three at a time would take as long as the longest of each three"
    assert peak(events) == 3
    assert [event["task_id"] for event in events if event["type"] == "task_started"] == list("ABCDEF")
    run = data_of(root, "run-batch")
    assert [result["task_id"] for result in run["results"]] == list("ABCDEF")


def test_a_real_graph_of_sixty_tasks_takes_little_more_than_its_critical_path(tmp_path: Path) -> None:
    dice = random.Random(7)  # noqa: S311  # a repeatable graph
    tasks = []
    for i in range(60):
        needs = [f"T{j}" for j in dice.sample(range(max(0, i - 12), i), min(i, dice.randint(0, 3)))]
        tasks.append(shell(f"T{i}", f"sleep {dice.uniform(0.1, 0.4):.2f}", *needs))
    root = make_project(tmp_path, tasks)
    code, events = run_batch(root, "--max-concurrent", "60")
    assert code == 0
    longest: dict[str, float] = {}
    for task in tasks:
        before = max((longest[need] for need in task["depends_on"]), default=0.0)
        longest[task["id"]] = before + ends(events)[task["id"]]["duration_seconds"]
    assert wall(events) / max(longest.values()) <= 1.15


def test_odd_children_all_end_with_a_right_result_and_nothing_is_left(tmp_path: Path) -> None:
    python = f"{shlex.quote(sys.executable)} -c"
    tasks = [
        shell("LONG-LINE", f"{python} \"print('x' * 5_000_000)\""),
        shell("MANY-LINES", "seq 100000"),
        shell("CLOSES-STDOUT", "echo early; exec >&-; sleep 0.3; echo late >&2"),
        shell("IGNORES-TERM", "trap '' TERM; sleep 300 & wait; sleep 300", timeout=0.5, kill_grace=0.3),
        shell("BACKGROUND", "sleep 300 & echo started"),
        shell("DETACHED", "setsid sleep 300 & echo started"),
        {"id": "DEAF", "agent": "deaf", "description": "x" * 3_000_000},
    ]
    agents = {"deaf": {"kind": "script", "command": ["sh", "-c", 'echo \'{"status": "success"}\'']}}
    root = make_project(tmp_path, tasks, {"agents": agents})
    began = time.monotonic()
    code, events = run_batch(root, "--max-concurrent", "4")
    assert time.monotonic() - began < 60
    assert code == 1
    ended = ends(events)
    assert ended["IGNORES-TERM"]["failure"] == "timeout"
    assert {name for name, event in ended.items() if event["type"] == "task_completed"} == {
        "LONG-LINE",
        "MANY-LINES",
        "CLOSES-STDOUT",
        "BACKGROUND",
        "DETACHED",
        "DEAF",
    }
    run_id = events[0]["run_id"]
    log = root / ".orchestration" / "runs" / run_id
    assert (log / "LONG-LINE" / "1" / "stdout.log").stat().st_size == 5_000_001
    assert (log / "MANY-LINES" / "1" / "stdout.log").read_text().count("\n") == 100_000
    assert ended["BACKGROUND"]["duration_seconds"] < 10
    assert marked_processes(run_id) == []


def test_a_timeout_kills_three_generations_within_its_grace(tmp_path: Path) -> None:
    tree = "sh -c 'sh -c \"sleep 300\" & sleep 300' & sleep 300"
    root = make_project(tmp_path, [shell("TREE", tree, timeout=0.5, kill_grace=2)])
    code, events = run_batch(root)
    assert code == 1
    end = ends(events)["TREE"]
    assert end["failure"] == "timeout"
    assert end["duration_seconds"] < 0.5 + 2 + 2
    assert marked_processes(events[0]["run_id"]) == []


def test_silence_is_an_idle_timeout_and_chatter_is_not(tmp_path: Path) -> None:
    chatter = "for i in 1 2 3 4 5 6 7 8; do echo $i; sleep 0.3; done"
    tasks = [shell("SILENT", "sleep 300", idle_timeout=2), shell("CHATTY", chatter, idle_timeout=2)]
    code, events = run_batch(make_project(tmp_path, tasks))
    assert code == 1
    assert ends(events)["SILENT"]["failure"] == "idle_timeout"
    assert ends(events)["CHATTY"]["type"] == "task_completed"


def test_exit_code_0_is_not_success_while_a_check_fails_or_a_deliverable_is_missing(tmp_path: Path) -> None:
    tasks = [
        shell("LIES", "true", verify=["test -e nothing", "true"]),
        shell("FORGETS", "true", deliverables=["report.md"]),
        shell("KEEPS", "echo hi > note.md", deliverables=["note.md"], verify="test -s note.md"),
        shell("PROMISES", "true", outputs=["total"]),
    ]
    root = make_project(tmp_path, tasks)
    code, _ = run_batch(root)
    assert code == 1
    results = {result["task_id"]: result for result in data_of(root, "run-batch")["results"]}
    assert [results[name]["failure"] for name in ("LIES", "FORGETS", "KEEPS", "PROMISES")] == [
        "check_failed",
        "check_failed",
        None,
        "check_failed",
    ]


def test_secrets_of_the_shell_do_not_reach_a_task_that_did_not_ask(tmp_path: Path) -> None:
    tasks = [shell("A", "env", pass_env=["ASKED"])]
    root = make_project(tmp_path, tasks)
    _, events = run_batch(root, environment={"MY_API_SECRET": "hush", "ASKED": "for"})
    output = ends(events)["A"]["output"]
    assert "hush" not in output
    assert "ASKED=for" in output
    assert f"ORCH_ATTEMPT_ID={events[0]['run_id']}/A/1" in output
