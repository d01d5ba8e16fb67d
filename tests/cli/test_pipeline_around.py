"""`orch pipeline` and what functions do beside their work: they print anywhere, and start what they do not end."""

import json
import os
import signal

import pytest

from tests.cli.project import PATIENCE, Project
from tests.world.processes import is_living, linux_only

NOISY = """
import os, subprocess, sys
from orchestration import AsyncPipeline, PythonTask

print("at import")
os.write(1, b"raw at import\\n")

def step():
    print("printed")
    os.write(1, b"raw\\n")
    subprocess.run(["echo", "of a child"], check=True)
    sys.__stdout__.write("by the first stream\\n")
    sys.__stdout__.flush()
    return {"x": 1}

work = AsyncPipeline([PythonTask(step)], name="work")
"""

STARTS = """
import os, subprocess, time
from orchestration import AsyncPipeline, PythonTask

def daemon():
    subprocess.run("setsid sleep 60 > /dev/null 2>&1 & echo $! > pid", shell=True, check=True)

def waits():
    child = subprocess.Popen(["sleep", "60"])
    with open("pid", "w") as file:
        file.write(f"{child.pid}\\n")
    child.wait()

leaves = AsyncPipeline([PythonTask(daemon)], name="leaves")
timed = AsyncPipeline([PythonTask(waits, timeout=2)], name="timed")
long = AsyncPipeline([PythonTask(waits)], name="long")
"""


@pytest.mark.slow
def test_the_document_is_all_there_is_on_standard_output(project: Project) -> None:
    project.write("p.py", NOISY)
    done = project.orch("pipeline", "p.py", "--json")
    assert done.code == 0, done.err
    assert (done.kind, done.data["outputs"]) == ("run_result", {"x": 1})
    for said in ("at import", "raw at import", "raw", "of a child", "by the first stream"):
        assert said in done.err.splitlines()


@pytest.mark.slow
def test_events_are_all_there_is_on_standard_output(project: Project) -> None:
    project.write("p.py", NOISY)
    done = project.orch("pipeline", "p.py", "--events")
    assert done.code == 0, done.err
    types = [json.loads(line)["type"] for line in done.out.splitlines()]
    assert (types[0], types[-1]) == ("run_started", "run_completed")


@pytest.mark.slow
def test_an_error_is_all_there_is_on_standard_output(project: Project) -> None:
    project.write("p.py", NOISY + "\nraise ValueError('no')\n")
    done = project.orch("pipeline", "p.py", "--json")
    assert (done.code, done.kind) == (2, "error")
    assert "raw at import" in done.err


@pytest.mark.slow
def test_people_see_what_is_printed_where_it_was_printed(project: Project) -> None:
    project.write("p.py", NOISY)
    done = project.orch("pipeline", "p.py")
    assert done.code == 0, done.err
    assert "raw at import" in done.out.splitlines()


@linux_only
@pytest.mark.slow
@pytest.mark.parametrize(("name", "code"), [("leaves", 0), ("timed", 1)])
def test_what_a_function_has_started_ends_with_the_command(project: Project, name: str, code: int) -> None:
    project.write("p.py", STARTS)
    done = project.orch("pipeline", f"p.py:{name}", "--json")
    assert done.code == code, done.err
    pid = project.pid()
    left = is_living(pid)
    if left:
        os.kill(pid, signal.SIGKILL)
    assert not left


@linux_only
@pytest.mark.slow
def test_what_a_function_waits_for_ends_with_a_command_that_is_stopped(project: Project) -> None:
    project.write("p.py", STARTS)
    with project.start("pipeline", "p.py:long") as running:
        pid = project.pid()
        running.send_signal(signal.SIGTERM)
        assert running.wait(PATIENCE) == 143
    left = is_living(pid)
    if left:
        os.kill(pid, signal.SIGKILL)
    assert not left


LEAVES = """
import os
from orchestration import Flow, FlowStep

def first():
    with open("firsts", "a") as file:
        file.write("x")

def leaves():
    pid = os.fork()
    if pid == 0:
        os._exit(3)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 3
    if not os.path.exists("left"):
        open("left", "w").close()
        os._exit(0)

flow = Flow("leaving", [FlowStep("first", first), FlowStep("leaves", leaves, depends_on=["first"])])
"""


@pytest.mark.parametrize("options", [[], ["--json"], ["--events"]])
def test_a_function_that_ends_orch_at_once_has_not_succeeded(project: Project, options: list[str]) -> None:
    project.write("leaving.py", LEAVES)
    done = project.orch("pipeline", "leaving.py", *options)
    assert done.code == 1
    assert "has ended orch by os._exit(0)" in done.last
    if options == ["--json"]:
        told = json.loads(done.out)
        assert (told["kind"], told["data"]["exit_code"]) == ("error", 1)
    again = project.orch("pipeline", "leaving.py")
    assert again.code == 0, again.err
    assert (project.root / "firsts").read_text() == "x"
