"""`$ORCH_INPUTS`: what came of each dependency, for a program that reads JSON and for one that is shown lines."""

import json
import stat
from pathlib import Path

from orchestration.attempts.outputs import write_inputs
from tests.cli.project import Project


def test_it_is_json_with_a_line_for_each_value_and_for_the_attempt_alone(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "folder" / "in.json"
    upstream = {name: {"status": "success", "output": f"é\n{name}", "outputs": {"n": 1, "at": path}} for name in "AB"}
    write_inputs(str(path), upstream, {"x": [1, 2]})
    text = path.read_text(encoding="utf-8")
    said = {"status": "success", "outputs": {"n": 1, "at": str(path)}}
    tasks = {name: {**said, "output": f"é\n{name}"} for name in "AB"}
    assert json.loads(text) == {"tasks": tasks, "inputs": {"x": [1, 2]}}
    assert all(len(line) < len(str(path)) + 40 for line in text.splitlines())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    write_inputs(str(path), {}, {})
    assert json.loads(path.read_text(encoding="utf-8")) == {"tasks": {}, "inputs": {}}


def test_it_says_how_each_dependency_ended_however_that_was(project: Project) -> None:
    project.shell("plain", 'echo done; echo "v=1" >> "$ORCH_OUTPUT"')
    project.shell("again", 'test -e once || { touch once; exit 1; }; echo "v=2" >> "$ORCH_OUTPUT"', retry=2)
    project.shell("fails", "echo sorry; exit 3")
    project.shell("skipped", "true", when="false")
    project.shell("before", 'echo "v=3" >> "$ORCH_OUTPUT"')
    assert project.orch("run-batch", "before").code == 0  # in a run of its own, and adopted by the next
    project.shell("next", 'cat "$ORCH_INPUTS"', "plain", "again", "fails", "skipped", "before", run_when="all_done")
    assert project.orch("run-batch").code == 1
    told = project.orch("logs", "next").out
    assert json.loads(told)["tasks"] == {
        "plain": {"status": "success", "output": "done", "outputs": {"v": "1"}},
        "again": {"status": "success", "output": "", "outputs": {"v": "2"}},
        "fails": {"status": "failed", "output": "sorry", "outputs": {}},
        "skipped": {"status": "skipped", "output": "", "outputs": {}},
        "before": {"status": "success", "output": "", "outputs": {"v": "3"}},
    }
