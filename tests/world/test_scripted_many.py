"""A hundred scripted agents, twenty at once, a megabyte each: memory stays bounded, and nothing is lost."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cli.project import command_line
from tests.world.processes import ROOT, linux_only

pytestmark = [linux_only, pytest.mark.slow]

AGENTS, AT_ONCE, LINES = 100, 20, 1_000
MAX_MEMORY = 128  # MiB: about 50 are needed for streams of nothing, 20 more for these, 150 if all were kept


def test_a_hundred_streams_of_a_megabyte_are_kept_whole_in_bounded_memory(tmp_path: Path) -> None:
    (tmp_path / "tasks").mkdir()
    flood = {"kind": "scripted", "script": [{"lifetime": 60}, {"flood": 1}, {"output": {"n": "{task}"}}, "final"]}
    tasks = [{"id": f"T{number}", "agent": "flood"} for number in range(AGENTS)]
    (tmp_path / "orchestration.yaml").write_text(yaml.safe_dump({"agents": {"flood": flood}}))
    (tmp_path / "tasks" / "all.yaml").write_text(yaml.safe_dump({"tasks": tasks}))

    data, peak = run_measured(tmp_path)

    assert {result["status"] for result in data["results"]} == {"success"}
    assert [result["outputs"] for result in data["results"]] == [{"n": task["id"]} for task in tasks]
    for result in data["results"]:
        log = Path(result["log_path"], "stdout.log")
        events = [json.loads(line) for line in log.read_bytes().splitlines()]
        assert [event["n"] for event in events if event["type"] == "text"] == list(range(LINES))
        assert (events[0]["type"], events[-1]["type"]) == ("session", "result")
    assert peak < MAX_MEMORY


_MEASURING = """
import json, os, subprocess, sys
child = subprocess.Popen(sys.argv[2:], stdin=subprocess.DEVNULL)
_, status, usage = os.wait4(child.pid, 0)
child.returncode = os.waitstatus_to_exitcode(status)
with open(sys.argv[1], "w") as file:
    json.dump([child.returncode, usage.ru_maxrss], file)
"""
"""A small process between: on Linux what a child used at most begins with what its parent uses."""


def run_measured(root: Path) -> tuple[dict[str, Any], float]:
    """Run the backlog; returns its data, and the peak memory of its largest process in MiB."""
    measured = root / "measured.json"
    run = command_line("run-batch", "--max-concurrent", str(AT_ONCE), "--json")
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", _MEASURING, str(measured), *run],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=110,
        check=True,
    )
    code, peak = json.loads(measured.read_text())
    assert code == 0, done.stderr[-2000:]
    data: dict[str, Any] = json.loads(done.stdout)["data"]
    return data, peak / (1024 if sys.platform == "linux" else 1024 * 1024)
