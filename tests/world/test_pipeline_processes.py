"""Commands and agents as steps: all that they start ends with them, in a process that is no subreaper."""

import asyncio
import ctypes
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from orchestration import AgentRegistry, AgentStep, AsyncPipeline, Map, PythonTask, ShellTask
from orchestration.kinds import Failure
from orchestration.models import PythonAgent, ScriptAgent
from tests.world.processes import ROOT, linux_only
from tests.world.steps import PATIENCE, nothing_left, pipeline_of

DAEMON = """
import os, signal, sys, time
if os.fork():
    while not os.path.exists(sys.argv[1]): time.sleep(0.01)
    if len(sys.argv) > 2: time.sleep(60)
    os._exit(0)
os.setsid()
if os.fork(): os._exit(0)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.environ.clear()
os.execve(sys.executable, [sys.executable, "-I", "-S", "-c", '''
import os, signal, sys, time
for number in (0, 1, 2): os.close(number)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
with open(sys.argv[1] + ".new", "w") as file: file.write(str(os.getpid()))
os.rename(sys.argv[1] + ".new", sys.argv[1])
time.sleep(60)
''', sys.argv[1]], {})
"""
"""Forks twice, leaves its session, empties its environment, is deaf and holds no pipe; ends by itself in a minute."""


def line_of(pid_file: Path, *more: str) -> str:
    return shlex.join([sys.executable, "-I", "-S", "-c", DAEMON, str(pid_file), *more])


def is_there(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return False
    return stat.rpartition(b")")[2].split()[0] != b"Z"


def is_subreaper() -> bool:
    value = ctypes.c_int()
    ctypes.CDLL(None).prctl(37, ctypes.byref(value), 0, 0, 0)
    return bool(value.value)


@linux_only
@pytest.mark.slow
async def test_a_daemon_of_a_command_is_gone_when_its_step_ends(tmp_path: Path) -> None:
    was = is_subreaper()
    run = await pipeline_of(ShellTask("s", line_of(tmp_path / "pid"), kill_grace=0.1)).execute()
    assert run.succeeded
    assert not is_there(int((tmp_path / "pid").read_text()))
    assert run["s"].metadata["leftover_processes_ended"] >= 1
    assert is_subreaper() == was


@linux_only
@pytest.mark.slow
@pytest.mark.parametrize("kind", ["shell", "script"])
async def test_a_daemon_is_gone_when_the_run_is_cancelled(tmp_path: Path, kind: str) -> None:
    pid_file, line = tmp_path / "pid", line_of(tmp_path / "pid", "stay")
    registry = AgentRegistry({"script": ScriptAgent(command=tuple(shlex.split(line)))})
    step: Any = ShellTask("s", line, kill_grace=0.1)
    if kind == "script":
        step = AgentStep("s", "script", "go", kill_grace=0.1)
    with nothing_left():
        async with AsyncPipeline([step], registry=registry).execute_streaming() as stream:
            while not pid_file.exists():  # noqa: ASYNC110  # the pid comes from another process
                await asyncio.sleep(0.01)
        assert not is_there(int(pid_file.read_text()))
    assert (await stream.result())["s"].status.value == "cancelled"


HOST = """
import sys
from orchestration import ShellTask
ShellTask("s", sys.argv[1]).as_async_pipeline().run()
"""


@linux_only
@pytest.mark.slow
def test_a_command_does_not_outlive_a_host_that_is_killed(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", HOST, line_of(pid_file, "stay")]
    with subprocess.Popen(command, env=environment) as host:
        wait_until(pid_file.exists)
        host.send_signal(signal.SIGKILL)
    pid = int(pid_file.read_text())
    wait_until(lambda: not is_there(pid))


def wait_until(holds: Any) -> None:  # noqa: ANN401  # a condition
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


# -- what they are given, and give -----------------------------------------------------------------------------------


async def test_a_command_gets_values_by_variables_and_by_file_and_never_as_text_of_its_line() -> None:
    evil = "$(touch /tmp/never); `x` {{ parameters.y }} 'quoted\""
    line = 'printf "%s|%s|%s" "$ORCH_PRM_evil" "$ORCH_PRM_n" "$ORCH_PRM_data"'
    pipeline = pipeline_of(ShellTask("s", line, returns=["got"]))
    run = await pipeline.execute({"evil": evil, "n": 3, "data": {"a": [1, "x"]}, "y": "secret"})
    assert run.outputs["got"] == f'{evil}|3|{{"a": [1, "x"]}}'


async def test_values_that_no_variable_can_hold_are_in_the_file() -> None:
    read = "import json,os; known = json.load(open(os.environ['ORCH_INPUTS'])); print(len(json.dumps(known)) > 10**6)"
    line = shlex.join([sys.executable, "-I", "-c", read])
    run = await pipeline_of(ShellTask("s", line, returns=["long"])).execute(
        {"big": "x" * 10**6, "zero": "a\0b", "half": "\ud800"}
    )
    assert run.outputs["long"] == "True", run["s"].error
    (told,) = run["s"].metadata["warnings"]
    assert "big, zero, half" in told
    assert "ORCH_INPUTS" in told


async def test_a_command_starts_however_long_the_values_are_that_are_known() -> None:
    known = {"faces": "\N{GRINNING FACE}" * 60_000, **{f"v{n}": "x" * 60_000 for n in range(40)}}
    run = await pipeline_of(ShellTask("s", 'printf "%s" "$ORCH_PRM_v1" | wc -c', returns=["size"])).execute(known)
    assert run.outputs["size"].strip() == "60000", run["s"].error
    (told,) = run["s"].metadata["warnings"]
    assert "faces, v8, v9" in told


async def test_a_command_passes_values_on_by_name_and_a_missing_one_is_a_failure() -> None:
    line = "echo a=1 >> $ORCH_OUTPUT; echo b=two >> $ORCH_OUTPUT; echo told"
    run = await pipeline_of(ShellTask("s", line, returns=["a", "b"])).execute()
    assert run.outputs == {"a": "1", "b": "two"}
    assert run["s"].output == "told"
    run = await pipeline_of(ShellTask("s", line, returns=["a", "c"])).execute()
    assert run["s"].failure is Failure.INVALID_OUTPUT
    assert "no c" in (run["s"].error or "")


async def test_an_agent_of_the_registry_is_a_step() -> None:
    registry = AgentRegistry({"fn": PythonAgent(function=lambda prompt: {"answer": "say hello" in prompt})})
    ask = AgentStep("ask", "fn", "say {{ parameters.word }}", returns=["answer"])
    shout = PythonTask(lambda answer: f"{answer}!", "shout", returns=["loud"])
    run = await AsyncPipeline([ask, shout], registry=registry).execute({"word": "hello"})
    assert run.outputs == {"answer": True, "loud": "True!"}


async def test_an_agent_in_a_thread_that_does_not_return_is_abandoned_and_listed() -> None:
    release = threading.Event()
    registry = AgentRegistry({"hangs": PythonAgent(function=lambda: release.wait(PATIENCE))})
    run = await AsyncPipeline([AgentStep("a", "hangs", timeout=0.05)], registry=registry).execute()
    assert run["a"].failure is Failure.TIMEOUT
    assert run["a"].attempts[-1].outcome.abandoned
    run = await AsyncPipeline([AgentStep("a", "hangs")], registry=registry).execute(deadline=0.05)
    assert run["a"].attempts[-1].outcome.abandoned
    release.set()


async def test_commands_of_map_items_have_folders_of_their_own(tmp_path: Path) -> None:
    step = Map("m", ShellTask("s", 'echo "item $ORCH_PRM_x"', returns=["told"]), "xs", "x")
    run = await pipeline_of(step).execute({"xs": [1, 2, 3]}, run_id="r", store=tmp_path)
    assert run.outputs == {"told": ["item 1", "item 2", "item 3"]}
    logs = sorted(path.relative_to(tmp_path) for path in tmp_path.glob("runs/r/**/stdout.log"))
    assert [str(path) for path in logs] == [f"runs/r/m[{n}]/s/1/stdout.log" for n in range(3)]
    assert not [*tmp_path.glob("runs/**/supervisor.json")]


RUNS_LONG = """
import sys
from orchestration import AsyncPipeline, ShellTask
line = f"echo $$ > {sys.argv[1]}.new; mv {sys.argv[1]}.new {sys.argv[1]}; sleep 60"
AsyncPipeline([ShellTask("s", line)], name="p").run(run_id="nightly", store=sys.argv[2])
"""


@linux_only
def test_runs_of_the_same_id_in_two_stores_leave_each_other_alone(tmp_path: Path) -> None:
    """People choose ids; what one store's run has left is ended, and what another one's does goes on."""
    hosts, pids = [], []
    try:
        for name in ("one", "two"):
            pid_file = tmp_path / f"{name}.pid"
            command = [sys.executable, "-c", RUNS_LONG, str(pid_file), str(tmp_path / name)]
            hosts.append(subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(ROOT)}))
            wait_until(pid_file.exists)
            pids.append(int(pid_file.read_text()))
        hosts[0].kill()
        hosts[0].wait()
        wait_until(lambda: not is_there(pids[0]))  # its supervisor ends what was its own
        again = AsyncPipeline([ShellTask("s", "true")], name="p").run(run_id="nightly", store=tmp_path / "one")
        assert again.succeeded
        assert is_there(pids[1])
        assert hosts[1].poll() is None
    finally:
        for host in hosts:
            host.kill()
            host.wait()
    wait_until(lambda: not is_there(pids[1]))
