"""The warden: whatever a run has started ends when `orch` is killed, and nothing else does."""

import ast
import os
import signal
import subprocess
import textwrap
from pathlib import Path

import pytest

from orchestration.process import Command, LiveChildren, run_process
from orchestration.warden import Warden
from tests.cli.project import Project
from tests.crash.sudden import PATIENCE, has_lines, kill_when, marked, wait_until, wardens_of
from tests.world.processes import ROOT, is_living, linux_only

pytestmark = linux_only

SLEEP = "sleep 60"
READY = "echo $$ >> ready"
DOUBLE_FORK = f"(setsid sh -c '{READY}; {SLEEP}' & ) ; (setsid sh -c '{READY}; {SLEEP}' & ) ; {SLEEP}"
DEAF = f"""setsid sh -c 'trap "" TERM HUP INT; {READY}; {SLEEP}; {SLEEP}' & {READY}; {SLEEP}"""
STOPPED = f"setsid sh -c '{READY}; kill -STOP $$; {SLEEP}' & {READY}; {SLEEP}"
PIPES_CLOSED = f"setsid sh -c 'exec </dev/null >/dev/null 2>&1; {READY}; {SLEEP}' & {READY}; {SLEEP}"
SCRUBBED = f"env -i PATH=$PATH setsid sh -c '{READY}; {SLEEP}' & {READY}; {SLEEP}"


@pytest.mark.slow
@pytest.mark.parametrize("command", [DOUBLE_FORK, DEAF, STOPPED, PIPES_CLOSED, SCRUBBED])
def test_what_a_shell_task_has_started_ends_when_orch_is_killed(project: Project, command: str) -> None:
    project.shell("A", command, kill_grace=0.5)
    ready = project.root / "ready"
    kill_when(project, has_lines(ready, 2), "run-batch")

    pids = [int(line) for line in ready.read_text().split()]
    wait_until(lambda: not marked(project.root) and not any(map(is_living, pids)), "something lives on")


@pytest.mark.slow
def test_checks_and_setup_end_too(project: Project) -> None:
    project.shell("A", "true", verify=[f"setsid sh -c '{READY}; {SLEEP}'"], kill_grace=0.5)
    kill_when(project, has_lines(project.root / "ready"), "run-batch")
    wait_until(lambda: not marked(project.root), "a check lives on")


@pytest.mark.slow
def test_a_function_in_a_child_ends_too(project: Project) -> None:
    code = """
    import os, subprocess
    def work() -> None:
        with open("ready", "a") as file: file.write("x\\n")
        subprocess.run(["setsid", "sleep", "60"])
    """
    project.write("work.py", textwrap.dedent(code))
    project.settings('agents:\n  fn:\n    kind: python\n    function: "work:work"\n')
    project.shell("A", "do it", agent="fn", kill_grace=0.5)
    kill_when(project, has_lines(project.root / "ready"), "run-batch")
    wait_until(lambda: not marked(project.root), "a function lives on")


@pytest.mark.slow
def test_children_that_are_made_while_others_are_being_ended_are_ended_too(project: Project) -> None:
    breed = "trap 'for i in 1 2 3 4 5; do setsid sleep 60 & done; sleep 60' TERM"
    project.shell("A", f"{breed}; {READY}; while :; do sleep 0.1; done", kill_grace=0.5)
    kill_when(project, has_lines(project.root / "ready"), "run-batch")
    wait_until(lambda: not marked(project.root), "a late child lives on")


@pytest.mark.slow
def test_a_process_of_another_run_is_left_alone(project: Project) -> None:
    stranger = subprocess.Popen(["sleep", "30"], env={**os.environ, "ORCH_ATTEMPT_ID": "another-run/A/1"})
    try:
        project.shell("A", f"{READY}; {SLEEP}", kill_grace=0.5)
        kill_when(project, has_lines(project.root / "ready"), "run-batch")
        wait_until(lambda: not marked(project.root), "the task lives on")
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


@pytest.mark.slow
def test_there_is_one_warden_for_all_attempts_and_it_holds_nothing_of_ours(project: Project) -> None:
    for name in "ABC":
        project.shell(name, f"{READY}; until [ -e go ]; do sleep 0.05; done")
    with project.start("run-batch") as process:
        wait_until(has_lines(project.root / "ready", 3), "the tasks did not begin")
        (warden,) = wardens_of(process.pid)
        folder = Path(f"/proc/{warden}/fd")
        wait_until(lambda: len(list(folder.iterdir())) <= 3, "it holds more than it needs")
        held = {path.name: str(path.readlink()) for path in folder.iterdir()}
        assert (held["1"], held["2"]) == ("/dev/null", "/dev/null")
        assert held["0"].startswith("pipe:")
        assert os.getsid(warden) == warden
        project.write("go", "")
        assert process.wait(PATIENCE) == 0
        wait_until(lambda: not is_living(warden), "the warden lives on")


@pytest.mark.slow
def test_a_signal_for_the_whole_terminal_does_not_reach_it(project: Project) -> None:
    project.shell("A", f"trap '' INT; {READY}; {SLEEP}", kill_grace=0.5)
    with project.start("run-batch") as process:
        wait_until(has_lines(project.root / "ready"), "the task did not begin")
        (warden,) = wardens_of(process.pid)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.kill(warden, number)
        process.kill()
        process.wait(PATIENCE)
    wait_until(lambda: not marked(project.root) and not is_living(warden), "the task lives on")


async def test_a_command_without_a_marker_needs_no_warden() -> None:
    warden = Warden()
    await run_process(Command(("true",), env={"PATH": os.environ["PATH"]}), children=LiveChildren(warden))
    assert warden.pid is None


def test_one_that_was_killed_is_replaced_and_told_everything() -> None:
    warden = Warden()
    try:
        warden.watch("ORCH_ATTEMPT_ID=one/", 1.0)
        first = warden.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        os.waitpid(first, 0)
        warden.watch("ORCH_ATTEMPT_ID=two/", 1.0)
        second = warden.pid
        assert second is not None
        assert second != first
    finally:
        warden.dismiss()
    os.waitpid(second, 0)


def test_it_does_not_look_at_anything_after_a_farewell() -> None:
    marker = f"farewell-{os.getpid()}"
    child = subprocess.Popen(["sleep", "30"], env={**os.environ, "ORCH_ATTEMPT_ID": f"{marker}/A/1"})
    warden = Warden()
    try:
        warden.watch(f"ORCH_ATTEMPT_ID={marker}/", 0.0)
        pid = warden.pid
        warden.dismiss()
        if pid is not None:
            os.waitpid(pid, 0)
        assert child.poll() is None
    finally:
        child.kill()
        child.wait()


def test_its_process_imports_next_to_nothing() -> None:
    """What a bare Python has not loaded is `signal`, which is part of it; `time` is built in."""
    tree = ast.parse((ROOT / "orchestration" / "warden" / "__main__.py").read_text(encoding="utf-8"))
    froms = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    names = [name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names]
    assert sorted(names) == ["os", "signal", "time"]
    assert [node.module for node in froms] == ["contextlib"]
