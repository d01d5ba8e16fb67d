"""Who has a task: the second command says so, and `status` and `why` do from any terminal, while it is so."""

import pytest

from tests.cli.project import Project
from tests.crash.sudden import PATIENCE, has_lines, wait_until

pytestmark = pytest.mark.slow

BEGUN = "echo x >> begun; until [ -e go ]; do sleep 0.02; done"


def test_whoever_asks_is_told_the_run_the_process_and_since_when(project: Project) -> None:
    project.shell("A", BEGUN)
    project.shell("B", "echo x >> B.log")
    with project.start("run-batch", "A", "--quiet") as first:
        wait_until(has_lines(project.root / "begun"), "the task did not begin")
        (run,) = project.json("runs")
        who = f"process {first.pid}, since 20"

        (owner,) = project.json("status")["owners"]
        assert (owner["run_id"], owner["pid"], owner["tasks"]) == (run["run_id"], first.pid, ["A"])
        assert owner["since"] >= run["created_at"][:10]
        status = project.orch("status").out
        assert f"running: {run['run_id']} ({who}" in status
        assert f"run {run['run_id']}" in next(line for line in status.splitlines() if line.startswith("A "))
        assert f"Run {run['run_id']} has it and goes on now ({who}" in project.orch("why", "A").out
        assert "goes on now" not in project.orch("why", "B").out
        assert f"owned by process {first.pid}" in project.orch("resume").last

        with project.start("run-batch", "--events") as second:
            wait_until(has_lines(project.root / "B.log"), "what nobody has was not done")
            project.write("go", "")
            assert first.wait(PATIENCE) == 0
            _, said = second.communicate(timeout=PATIENCE)
            assert second.returncode == 0
        assert f"run {run['run_id']} ({who}" in said.decode()
        assert "is doing A; waiting for what comes of it" in said.decode()
    assert (project.root / "begun").read_text() == "x\n"
    assert project.json("status")["owners"] == []


def test_of_a_dead_owner_nobody_says_that_he_is_at_it(project: Project) -> None:
    project.shell("A", f"[ ! -e go ] || exit 0; {BEGUN}", kill_grace=0.2)
    with project.start("run-batch") as first:
        wait_until(has_lines(project.root / "begun"), "the task did not begin")
        first.kill()
        first.wait(PATIENCE)
    assert project.json("status")["owners"] == []
    assert "is not going on; `orch run-batch` continues it" in project.orch("why", "A").out
    told = project.orch("doctor", "--json").data["findings"]
    claims = next(finding for finding in told if finding["check"] == "claims")
    assert claims["level"] == "problem"
    assert f"(taken by process {first.pid}, since 20" in claims["message"]
    assert "which has ended" in claims["message"]
    project.write("go", "")
    assert project.orch("run-batch").code == 0
    assert project.orch("doctor").code == 0
