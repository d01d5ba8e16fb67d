"""Functions in a child while they run: items, prints, and what happens when they are not to go on."""

import asyncio
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from orchestration.executors.function import FunctionExecutor
from orchestration.kinds import Failure
from orchestration.results import Outcome
from tests.world.attempts import Ear, function, until_ready, work_for
from tests.world.processes import is_living

pytestmark = pytest.mark.slow  # every test here starts an interpreter, and some start asyncio in it

CHILD = FunctionExecutor(in_process=False)


async def run(folder: Path, code: str, ear: Ear | None = None, name: str = "steps:f", **fields: Any) -> Outcome:  # noqa: ANN401  # fields of an attempt
    (folder / "project").mkdir(exist_ok=True)
    (folder / "project" / "steps.py").write_text(dedent(code))
    return await CHILD.execute(work_for(folder, function(name), **fields), ear or Ear())


@pytest.mark.parametrize(
    ("code", "items", "output", "outputs"),
    [
        ("def f():\n  yield 'a'\n  yield 'b'", ["a", "b"], "ab", {}),
        ("async def f():\n  yield 'a'\n  yield 'b'", ["a", "b"], "ab", {}),
        ("def f():\n  yield {'n': 1}\n  return {'out': 2}", [{"n": 1}], "", {"out": 2}),
        (
            "async def f():\n  yield 'a'\n  yield {'type': 'done', 'n': 1}\n  print('never')",
            ["a", {"type": "done", "n": 1}],
            "a",
            {"n": 1},
        ),
        (
            "def f():\n  try:\n    yield {'type': 'done', 'n': 1}\n    yield 'never'\n  finally:\n    print('closed')",
            [{"type": "done", "n": 1}],
            "closed",
            {"n": 1},
        ),
        ("def f():\n  print('said')\n  yield 'a'\n  yield 1", ["a", 1], "said", {}),
        ("def f():\n  if False: yield", [], "", {}),
        ("async def f(): return (n for n in 'ab')", ["a", "b"], "ab", {}),
    ],
)
async def test_what_a_generator_yields_is_reported_item_by_item(
    tmp_path: Path, code: str, items: list[object], output: str, outputs: dict[str, object]
) -> None:
    ear = Ear()
    outcome = await run(tmp_path, code, ear)
    assert outcome.failure is None, outcome.error
    assert ear.items == items
    assert (outcome.output, outcome.outputs) == (output, outputs)


async def test_items_come_while_the_function_still_runs(tmp_path: Path) -> None:
    ear = Ear()
    code = """
        import pathlib, time
        def f():
            yield "first"
            while not pathlib.Path("go").exists():
                time.sleep(0.005)
            yield "second"
    """
    running = asyncio.create_task(run(tmp_path, code, ear))
    await ear.wait_for_item("first")
    assert ear.items == ["first"]
    (tmp_path / "project" / "go").touch()
    assert (await running).output == "firstsecond"


async def test_a_listener_that_waits_slows_the_generator_down(tmp_path: Path) -> None:
    taken: list[int] = []
    most_ahead = 0

    async def take(item: Any, _stream: str | None) -> None:  # noqa: ANN401  # any item
        nonlocal most_ahead
        await asyncio.sleep(0.0005)
        taken.append(item["n"])
        done = int((tmp_path / "project" / "done").read_text() or "0")
        most_ahead = max(most_ahead, done - item["n"])

    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "steps.py").write_text(
        "import pathlib\n"
        "def f():\n"
        "  for n in range(300):\n"
        "    pathlib.Path('done').write_text(str(n))\n"
        "    yield {'n': n, 'pad': 2000 * 'x'}\n",
    )
    outcome = await CHILD.execute(work_for(tmp_path, function("steps:f")), take)
    assert outcome.failure is None
    assert taken == list(range(300))
    assert most_ahead < 150  # a pipe and a chunk hold far less than all


async def test_prints_are_the_live_output_and_the_log_and_no_message_is_among_them(tmp_path: Path) -> None:
    ear = Ear()
    code = r"""
        import os, subprocess, sys
        def f():
            print("printed ä")
            os.write(1, b"raw\xff\n")
            subprocess.run(["echo", "by a child"])
            print("aside", file=sys.stderr)
            yield {"an": "item"}
            print("no line end", end="")
    """
    outcome = await run(tmp_path, code, ear)
    assert outcome.failure is None, outcome.error
    assert ear.text() == "printed ä\nraw\ufffd\nby a child\nno line end"
    assert (
        tmp_path / "attempt" / "stdout.log"
    ).read_bytes() == "printed ä\n".encode() + b"raw\xff\nby a child\nno line end"
    assert (tmp_path / "attempt" / "stderr.log").read_text() == "aside\n"
    assert ear.text("stderr") == "aside\n"
    assert outcome.log_path == str(tmp_path / "attempt")
    order = [item for item, _ in ear.heard]
    assert order.index({"an": "item"}) < order.index("no line end")


async def test_a_function_that_says_nothing_leaves_no_files(tmp_path: Path) -> None:
    outcome = await run(tmp_path, "def f(): yield 1")
    assert outcome.log_path is None
    assert not (tmp_path / "attempt").exists()


async def test_nothing_printed_passes_for_a_message(tmp_path: Path) -> None:
    code = r"""
        import os
        def f():
            lie = b'{"done":{"output":"forged","outputs":{}}}\n'
            for start in (b'', b'\x1e', b'\x1e.', b'\x1e' + b'0' * 32 + b'.'):
                os.write(1, start + lie)
            raise ValueError("the truth")
    """
    outcome = await run(tmp_path, code)
    assert outcome.failure is Failure.CRASHED
    assert outcome.output.count("forged") == 4


async def test_messages_stay_whole_while_threads_and_processes_print(tmp_path: Path) -> None:
    ear = Ear()
    code = """
        import subprocess, threading
        def f():
            noise = threading.Thread(target=lambda: [print("x" * 1000) for _ in range(1000)])
            child = subprocess.Popen(["sh", "-c", "i=0; while [ $i -lt 2000 ]; do echo yyyyyyyyyy; i=$((i+1)); done"])
            noise.start()
            for n in range(50):
                yield {"n": n, "pad": "z" * 20_000}
            noise.join()
            child.wait()
    """
    outcome = await run(tmp_path, code, ear)
    assert outcome.failure is None, outcome.error
    assert ear.items == [{"n": n, "pad": 20_000 * "z"} for n in range(50)]
    assert sorted(set(ear.text().split())) == [1000 * "x", 10 * "y"]
    assert ear.text().count("x") == 1_000_000
    assert ear.text().count("y") == 20_000


async def test_what_only_begins_like_a_message_is_a_print(tmp_path: Path) -> None:
    ear = Ear()
    outcome = await run(tmp_path, "def f(): print('a\\x1eb', end='\\x1e')", ear)
    assert outcome.output == ear.text() == "a\x1eb\x1e"
    last = await run(tmp_path, "import os\ndef f():\n  os.write(1, b'a\\x1e')\n  os._exit(3)")
    assert last.output == "a\x1e"


async def test_a_function_finds_its_stdin_at_its_end(tmp_path: Path) -> None:
    outcome = await run(tmp_path, "import sys\ndef f(): return {'read': sys.stdin.read()}")
    assert outcome.outputs == {"read": ""}


@pytest.mark.parametrize("close", ["sys.stdout.close()", "os.close(1)", "sys.stdout = None", "os.dup2(2, 1)"])
async def test_a_function_may_close_its_stdout(tmp_path: Path, close: str) -> None:
    outcome = await run(tmp_path, f"import os, sys\ndef f():\n  {close}\n  yield 'still heard'\n  return {{'a': 1}}")
    assert outcome.outputs == {"a": 1}
    assert outcome.output == "still heard"


async def test_a_child_sees_the_given_environment_and_nothing_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OUR_SECRET", "hidden")
    monkeypatch.setenv("PYTHONPATH", "/of/ours")
    code = "import os, sys\ndef f(): return {'names': sorted(os.environ), 'path': sys.path, 'argv': sys.argv}"
    outcome = await run(tmp_path, code, environment={"GIVEN": "1", "PYTHONPATH": "/of/theirs"})
    assert set(outcome.outputs["names"]) - {"LC_CTYPE"} == {
        "GIVEN",
        "ORCH_ATTEMPT_ID",
        "ORCH_OUTPUT",
        "PATH",
        "PYTHONPATH",
    }
    path = outcome.outputs["path"]
    assert path[0] == str(tmp_path / "project")
    assert "/of/theirs" in path
    assert "/of/ours" not in path
    assert outcome.outputs["argv"] == ["steps:f"]


async def test_a_timeout_lets_finally_run_and_keeps_what_was_said(tmp_path: Path) -> None:
    code = """
        import asyncio
        async def f():
            try:
                print("begun")
                yield "one"
                await asyncio.sleep(60)
            finally:
                print("tidied")
    """
    outcome, limit = await until_ready(
        lambda limit: run(tmp_path, code, timeout=limit, kill_grace=10), lambda outcome: outcome.output
    )
    assert (outcome.failure, outcome.ended_by) == (Failure.TIMEOUT, "timeout")
    assert outcome.output == "begun\ntidied"
    assert f"`steps:f` was ended after its timeout of {limit:g} s" in (outcome.error or "")


async def test_items_are_signs_of_life(tmp_path: Path) -> None:
    def yielding(pause: float) -> str:
        return f"""
            import time
            def f():
                for n in range(12):
                    time.sleep({pause})
                    yield n
                time.sleep(60)
        """

    async def attempt(limit: float) -> Outcome:
        ear.heard.clear()
        return await run(tmp_path, yielding(limit / 9), ear, idle_timeout=limit)  # all pauses together are longer

    ear = Ear()
    outcome, _ = await until_ready(attempt, lambda _: ear.items == list(range(12)))
    assert outcome.failure is Failure.IDLE_TIMEOUT


async def test_a_cancelled_function_is_dead_with_its_children_before_the_cancellation_gets_out(tmp_path: Path) -> None:
    ear = Ear()
    code = """
        import os, subprocess, time
        def f():
            child = subprocess.Popen(["sleep", "60"])
            print(os.getpid(), child.pid)
            time.sleep(60)
    """
    running = asyncio.create_task(run(tmp_path, code, ear))
    await ear.wait_for("\n")
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert not any(is_living(int(pid)) for pid in ear.text().split())
