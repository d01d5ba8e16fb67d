"""Loops and processes that functions of steps tamper with: each run still ends, with a record for each step."""

import asyncio
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from orchestration import AsyncFlowExecutor, AsyncPipeline, AsyncPythonTask, Flow, FlowExecutor, FlowStep
from orchestration.errors import UsageError
from orchestration.kinds import RunStatus
from orchestration.results import RunResult

pytestmark = pytest.mark.slow

LIMIT = 20.0
"""Seconds after which something hangs."""

FORKING = """
import os, sys
from orchestration import AsyncFlowExecutor, Flow, FlowExecutor, FlowStep

def forks():
    child = os.fork()
    if not child:
        {leave}
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

async def forks_in_the_loop():
    return forks()

def after():
    os.write(1, b"after ")

steps = [FlowStep("a", {function}), FlowStep("b", after, depends_on="a")]
run = FlowExecutor().run(Flow("f", steps, on_error="continue"))
os.write(1, str(run["a"].outputs.get("result", run["a"].error)).encode())
"""

IN_THE_LOOP = """
import asyncio, os
from orchestration import Flow, FlowExecutor, FlowStep

def ends():
    if child := os.fork():
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    print("child", end=" ")

async def returns():
    await asyncio.sleep(0)
    return ends()

async def waits():
    code = ends()
    await asyncio.sleep(0)
    return code

async def waits_for_what_is_there():
    await asyncio.sleep(0)
    future = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(future.set_result, ends())
    await future
    return future.result()

async def waits_again():
    await asyncio.sleep(0)
    return await waits()

async def yields():
    await asyncio.sleep(0)
    yield {"code": ends()}

def yields_in_a_thread():
    yield {"code": ends()}

def condition():
    code = ends()
    return bool(code is not None and os.write(1, f"{code}".encode()))

steps = [FlowStep("a", {function}, {condition})]
run = FlowExecutor().run(Flow("f", steps))
came = run["a"].outputs.get("result")
os.write(1, str(run["a"].status.value if came is None else came).encode())
"""

PRINTING = """
import multiprocessing
from orchestration import Flow, FlowExecutor, FlowStep

def says():
    print("child", end=" ", flush=True)

def step():
    print("before")
    child = multiprocessing.get_context("fork").Process(target=says)
    child.start()
    child.join(10)
    print("after")

print(FlowExecutor().run(Flow("f", [FlowStep("a", step)]))["a"].metadata, end="", flush=True)
"""

IN_CHILDREN = """
import asyncio, multiprocessing, threading
from orchestration import AsyncFlowExecutor, Flow, FlowExecutor, FlowStep

plain, waiting = FlowExecutor(1, max_threads=1), AsyncFlowExecutor(1, max_threads=1)
flow = Flow("in a child", [FlowStep("a", lambda: None)])

def by_plain():
    assert plain.run(flow).status == "success"

def by_waiting():
    assert asyncio.run(waiting.execute(flow)).status == "success"

def in_a_child(function):
    child = multiprocessing.get_context("fork").Process(target=function)
    child.start()
    child.join(10)
    child.kill()
    return child.exitcode

async def in_a_child_of_the_loop():
    return in_a_child({by})

steps = [FlowStep("a", lambda: in_a_child({by})), FlowStep("b", in_a_child_of_the_loop, depends_on="a")]
{run}
print([run[name].outputs["result"] for name in "ab"], end="", flush=True)
"""

CLOSING = """
import asyncio
from orchestration import AsyncFlowExecutor, Flow, FlowStep

executor, seconds = AsyncFlowExecutor(2), [60]

async def waits():
    await asyncio.sleep(seconds[0])

flow = Flow("f", [FlowStep(name, waits, cache=True, version="1") for name in ("a", "b")])
loop = asyncio.new_event_loop()
left = loop.create_task(executor.execute(flow))
loop.call_later(0.05, loop.stop)
loop.run_forever()
loop.close()
assert not left.done()

async def again():
    seconds[0] = 0
    return await asyncio.wait_for(executor.execute(flow), 10)

print(asyncio.run(again()).status.value, end="", flush=True)
"""


def printed(text: str, folder: Path) -> str:
    """What a program prints that has to end well."""
    program = folder / "program.py"
    program.write_text(text)
    done = subprocess.run(
        [sys.executable, str(program)],
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    return done.stdout


def states(run: RunResult) -> dict[str, str]:
    return {record.task_id: record.status.value for record in run.results}


async def cancels_all() -> None:
    for task in asyncio.all_tasks():
        task.cancel()
    await asyncio.sleep(0)


async def stops_the_loop() -> str:
    asyncio.get_running_loop().stop()
    await asyncio.sleep(0.01)
    return "went on"


async def naps() -> None:
    await asyncio.sleep(0.05)


async def test_a_step_that_cancels_every_task_ends_its_run_with_a_record_for_each_step() -> None:
    flow = Flow("f", [FlowStep("a", cancels_all), FlowStep("b", naps, depends_on="a")])
    run = await asyncio.to_thread(FlowExecutor().run, flow)
    assert run.status is RunStatus.CANCELLED
    assert states(run) == {"a": "cancelled", "b": "cancelled"}
    pipeline = AsyncPipeline([AsyncPythonTask(cancels_all, "a"), AsyncPythonTask(naps, "b")])
    run = await asyncio.to_thread(pipeline.run)
    assert run.status is RunStatus.CANCELLED
    assert states(run) == {"a": "cancelled", "b": "cancelled"}


def test_runs_that_share_a_loop_outlive_the_one_that_stops_it() -> None:
    executor, runs = FlowExecutor(), list[RunResult]()
    flow = Flow("f", [FlowStep(f"s{n}", naps, depends_on=[f"s{n - 1}"] if n else []) for n in range(6)])
    other = threading.Thread(target=lambda: runs.append(executor.run(flow)), daemon=True)
    other.start()
    for _ in range(3):
        run = executor.run(Flow("f", [FlowStep("a", stops_the_loop)]))
        assert run.outputs["a"] == "went on"
    other.join(LIMIT)
    assert [run.status for run in runs] == [RunStatus.SUCCESS]


def test_runs_that_share_a_loop_do_not_end_it_by_what_one_cancels() -> None:
    executor = FlowExecutor()
    started, go_on = threading.Event(), threading.Event()

    def holds_the_loop() -> None:
        started.set()
        go_on.wait(LIMIT)

    holding = threading.Thread(target=executor.run, args=(Flow("f", [FlowStep("a", holds_the_loop)]),), daemon=True)
    holding.start()
    assert started.wait(LIMIT)
    assert executor.run(Flow("f", [FlowStep("a", cancels_all)])).status is RunStatus.CANCELLED
    assert executor.run(Flow("f", [FlowStep("a", naps)])).status is RunStatus.SUCCESS  # in the same loop
    go_on.set()
    holding.join(LIMIT)


def test_a_loop_that_was_closed_in_the_middle_of_a_run_does_not_bar_the_executor(tmp_path: Path) -> None:
    assert printed(CLOSING, tmp_path) == "success"


@pytest.mark.parametrize(
    ("by", "run"),
    [
        ("by_plain", "run = plain.run(Flow('f', steps))"),
        ("by_waiting", "run = asyncio.run(waiting.execute(Flow('f', steps)))"),
        ("by_plain", "run = asyncio.run(waiting.execute(Flow('f', steps)))"),
    ],
)
def test_an_executor_that_is_at_work_can_be_used_in_a_child_process(by: str, run: str, tmp_path: Path) -> None:
    assert printed(IN_CHILDREN.format(by=by, run=run), tmp_path) == "[0, 0]"


def test_what_a_child_process_of_a_step_prints_goes_where_it_always_went(tmp_path: Path) -> None:
    assert printed(PRINTING, tmp_path) == "child {'printed': 'before\\nafter\\n'}"


@pytest.mark.parametrize("begin", [lambda: AsyncFlowExecutor().execute(Flow("f", [])), AsyncPipeline([]).execute])
def test_without_a_loop_of_asyncio_it_says_what_is_missing(begin: Any) -> None:  # noqa: ANN401  # makes a coroutine
    with pytest.raises(UsageError, match="no loop of asyncio") as caught:
        begin().send(None)  # as the loop of another library would
    assert "asyncio.run" in (caught.value.hint or "")


@pytest.mark.parametrize("function", ["forks", "forks_in_the_loop"])
@pytest.mark.parametrize(
    ("leave", "code"),
    [
        ("return", 0),
        ("sys.exit(3)", 3),
        ("sys.exit()", 0),
        ("sys.exit('why')", 1),
        ("raise ValueError('x')", 1),
        ("raise KeyboardInterrupt", 1),
    ],
)
def test_a_child_that_a_function_forks_does_not_go_on_with_the_run(
    function: str, leave: str, code: int, tmp_path: Path
) -> None:
    assert printed(FORKING.format(function=function, leave=leave), tmp_path) == f"after {code}"


@pytest.mark.parametrize(
    ("function", "told"),
    [
        ("returns", "child 0"),
        ("waits", "child 1"),
        ("waits_again", "child 1"),
        ("waits_for_what_is_there", "child 1"),
        ("yields", "child success"),
        ("yields_in_a_thread", "child success"),
    ],
)
def test_a_child_that_is_forked_in_the_loop_ends_with_the_function_or_where_that_waits(
    function: str, told: str, tmp_path: Path
) -> None:
    text = IN_THE_LOOP.replace("{function}", function).replace("{condition}", "")
    assert printed(text, tmp_path) == told


def test_a_child_that_a_condition_forks_ends_with_it(tmp_path: Path) -> None:
    text = IN_THE_LOOP.replace("{function}", "lambda: None").replace("{condition}", "when=condition")
    assert printed(text, tmp_path) == "child 0success"
