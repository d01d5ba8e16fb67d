"""What runs in a process that belongs to somebody else: nothing of it is changed, and what a step prints is its own."""

import asyncio
import contextlib
import contextvars
import io
import logging
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from orchestration import AsyncPythonTask, Map, Parallel, PythonTask, ShellTask, current_step
from orchestration.steps.current import CurrentStep
from tests.world.steps import nothing, pipeline_of

MINE: contextvars.ContextVar[str] = contextvars.ContextVar("MINE", default="none")


def fingerprint() -> tuple[Any, ...]:
    """What a run could change."""
    loggers = sorted(name for name in logging.root.manager.loggerDict if name.startswith("orch"))
    return (
        dict(os.environ),
        [*sys.path],
        id(sys.stdout),
        id(sys.stderr),
        id(sys.stdin),
        "write" in vars(sys.stdout) if hasattr(sys.stdout, "__dict__") else None,
        logging.root.level,
        [*logging.root.handlers],
        loggers,
        signal.getsignal(signal.SIGINT),
        signal.getsignal(signal.SIGTERM),
        threading.excepthook,
        sys.excepthook,
        Path.cwd(),
    )


async def test_nothing_of_the_host_is_changed_by_a_run() -> None:
    before = fingerprint()
    seen: list[Any] = []

    async def look() -> None:
        seen.append((dict(os.environ), [*sys.path], id(sys.stdout), Path.cwd()))

    pipeline = pipeline_of(
        look, PythonTask(lambda: print("x"), "prints"), ShellTask("shell", "export A=1; cd /; echo hi"), nothing
    )
    assert (await pipeline.execute({"secret": "s"})).succeeded
    assert fingerprint() == before
    assert seen == [(before[0], before[1], before[2], before[-1])]


async def say(x: int) -> None:
    for part in range(3):
        print(x, part)
        await asyncio.sleep(0.001)


def say_in_thread(x: int) -> None:
    for part in range(3):
        sys.stdout.write(f"{x} {part}\n")
        time.sleep(0.001)


async def test_what_is_printed_is_kept_for_each_step_alone(capsys: pytest.CaptureFixture[str]) -> None:
    async def beside() -> None:
        for n in range(20):
            print("host", n)
            await asyncio.sleep(0.001)

    both = Parallel("p", {"async": AsyncPythonTask(say), "threads": PythonTask(say_in_thread)})
    host = asyncio.create_task(beside())
    run = await pipeline_of(Map("m", both, "xs", "x")).execute({"xs": range(8)})
    await host
    for n in range(8):
        expected = "".join(f"{n} {part}\n" for part in range(3))
        assert run[f"m[{n}]/p/async/say"].output == expected
        assert run[f"m[{n}]/p/threads/say_in_thread"].output == expected
        assert run[f"m[{n}]/p/async/say"].metadata["printed"] == expected
    assert capsys.readouterr().out == "".join(f"host {n}\n" for n in range(20))


async def test_runs_in_several_loops_at_once_keep_their_prints_apart() -> None:
    outputs: dict[int, str] = {}

    def run(x: int) -> None:
        outputs[x] = pipeline_of(AsyncPythonTask(say)).run({"x": x})["say"].output

    threads = [threading.Thread(target=run, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        await asyncio.to_thread(thread.join)
    assert outputs == {n: "".join(f"{n} {part}\n" for part in range(3)) for n in range(4)}


async def test_prints_of_what_a_step_calls_are_its_own_too(capsys: pytest.CaptureFixture[str]) -> None:
    async def calls() -> str:
        async def inner() -> None:
            print("task")

        await asyncio.create_task(inner())
        await asyncio.to_thread(print, "thread")
        print("own", end="")
        print("error", file=sys.stderr)
        return "value"

    run = await pipeline_of(AsyncPythonTask(calls, returns=["v"])).execute()
    assert run["calls"].metadata["printed"] == "task\nthread\nown"
    assert run.outputs["v"] == "value"
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "error\n")


@pytest.mark.slow
async def test_prints_of_a_step_that_fails_or_is_cancelled_are_kept() -> None:
    async def fails() -> None:
        print("before")
        raise ValueError

    async def hangs() -> None:
        print("begun")
        await asyncio.sleep(30)

    run = await pipeline_of(fails).execute()
    assert run["fails"].metadata["printed"] == "before\n"
    run = await pipeline_of(AsyncPythonTask(hangs, timeout=0.02)).execute()
    assert run["hangs"].metadata["printed"] == "begun\n"
    run = await pipeline_of(hangs).execute(deadline=0.5)
    assert run["hangs"].metadata["printed"] == "begun\n"


async def test_a_host_that_replaces_stdout_meanwhile_has_it_as_it_left_it() -> None:
    printed, replaced = asyncio.Event(), asyncio.Event()

    async def prints() -> None:
        print("captured")
        printed.set()
        await replaced.wait()
        print("captured too")

    stdout, other = sys.stdout, io.StringIO()
    running = asyncio.create_task(pipeline_of(prints).execute())
    await printed.wait()
    with contextlib.redirect_stdout(other):
        print("to another place")
        replaced.set()
        run = await running
    assert sys.stdout is stdout
    assert "write" not in vars(other)
    assert other.getvalue().startswith("to another place\n")
    assert run["prints"].output.startswith("captured\n")


async def test_context_variables_come_in_and_do_not_go_out() -> None:
    seen: dict[str, str] = {}

    async def sets(n: int) -> None:
        seen[f"before {n}"] = MINE.get()
        MINE.set(f"step {n}")
        await asyncio.sleep(0)
        seen[f"after {n}"] = MINE.get()

    def reads() -> None:
        seen["thread"] = MINE.get()

    MINE.set("host")
    steps = Map("m", AsyncPythonTask(sets), "ns", "n")
    assert (await pipeline_of(steps, PythonTask(reads)).execute({"ns": [0, 1]})).succeeded
    assert MINE.get() == "host"
    assert seen == {"before 0": "host", "after 0": "step 0", "before 1": "host", "after 1": "step 1", "thread": "host"}


async def test_a_step_knows_which_one_it_is_and_so_does_all_that_it_calls() -> None:
    async def who() -> list[Any]:
        async def inner() -> Any:  # noqa: ANN401  # a step
            return current_step()

        own, inside = current_step(), await asyncio.create_task(inner())
        thread = await asyncio.to_thread(current_step)
        return [own, inside, thread]

    run = await pipeline_of(Map("m", AsyncPythonTask(who, returns=["w"]), "xs", "x")).execute({"xs": [1]}, run_id="r")
    for step in run.outputs["w"][0]:
        assert isinstance(step, CurrentStep)
        assert (step.run_id, step.path, step.attempt, step.parameters) == ("r", "m[0]/who", 1, {"xs": [1]})
    assert current_step() is None


async def test_a_pipeline_can_be_run_by_a_step_of_another_one() -> None:
    def add(x: int) -> int:
        print("inner")
        return x + 1

    async def runs(x: int) -> int:
        print("outer")
        inner = await pipeline_of(PythonTask(add, returns=["y"])).execute({"x": x})
        print(inner["add"].metadata["printed"], end="")
        return int(inner.outputs["y"])

    run = await pipeline_of(AsyncPythonTask(runs, returns=["z"])).execute({"x": 1})
    assert run.outputs == {"z": 2}
    assert run["runs"].metadata["printed"] == "outer\ninner\n"
