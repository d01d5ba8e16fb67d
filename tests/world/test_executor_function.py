"""Functions in a child: what is passed in, what comes back, and every way in which a function can end its process."""

import json
import signal
import sys
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from orchestration.errors import StoreError
from orchestration.executors.function import FunctionExecutor
from orchestration.kinds import Failure
from orchestration.models import Task
from orchestration.results import Outcome
from tests.world.attempts import Ear, function, shell, work_for

pytestmark = pytest.mark.slow  # every test here starts an interpreter, and some start asyncio in it

CHILD = FunctionExecutor(in_process=False)


async def run(folder: Path, code: str, ear: Ear | None = None, name: str = "steps:f", **fields: Any) -> Outcome:  # noqa: ANN401  # fields of an attempt
    (folder / "project").mkdir(exist_ok=True)
    (folder / "project" / "steps.py").write_text(dedent(code))
    return await CHILD.execute(work_for(folder, function(name), **fields), ear or Ear())


@pytest.mark.parametrize(
    ("code", "output", "outputs"),
    [
        ("def f(): return {'a': [1, None], 'b': {'c': 'ä'}}", "", {"a": [1, None], "b": {"c": "ä"}}),
        ("def f(): return 'a text'", "a text", {}),
        ("def f(): print('printed')", "printed", {}),
        ("def f(): print('printed'); return 'returned'", "returned", {}),
        ("def f(): return 5", "", {"result": 5}),
        ("def f(): return [1]", "", {"result": [1]}),
        ("def f(): return {1: 2}", "", {"result": {"1": 2}}),
        ("async def f(): return {'a': 1}", "", {"a": 1}),
        ("import asyncio\nasync def f(): await asyncio.sleep(0.001)", "", {}),
        ("async def g(): return 3\ndef f(): return g()", "", {"result": 3}),
        ("f = __import__('functools').partial(lambda x, y: {'sum': x + y}, y=2, x=1)", "", {"sum": 3}),
        ("class f:\n  def __init__(self): pass\n  def model_dump(self, mode): return {'m': mode}", "", {"m": "json"}),
        (
            "from dataclasses import dataclass\n@dataclass\nclass f:\n  a: int = 1\n  b: object = None",
            "",
            {"a": 1, "b": None},
        ),
    ],
)
async def test_what_a_function_returns_is_the_outcome(
    tmp_path: Path, code: str, output: str, outputs: dict[str, object]
) -> None:
    outcome = await run(tmp_path, code)
    assert outcome.failure is None, outcome.error
    assert (outcome.output, outcome.outputs) == (output, outputs)
    assert (outcome.exit_code, outcome.claim) == (0, "done")


async def test_a_function_in_a_package_of_the_project_is_found(tmp_path: Path) -> None:
    package = tmp_path / "project" / "pack" / "inner"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "mod.py").write_text("class K:\n  @staticmethod\n  def f(): return {'from': __name__}\n")
    outcome = await run(tmp_path, "", name="pack.inner.mod:K.f")
    assert outcome.outputs == {"from": "pack.inner.mod"}


async def test_a_project_may_have_a_package_named_as_ours(tmp_path: Path) -> None:
    package = tmp_path / "project" / "orchestration"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "steps.py").write_text("def f(): return {'file': __file__}\ndef g(): raise ValueError('told')\n")
    outcome = await run(tmp_path, "", name="orchestration.steps:f")
    assert outcome.outputs == {"file": str(package / "steps.py")}
    assert (await run(tmp_path, "", name="orchestration.steps:g")).failure is Failure.CRASHED


async def test_arguments_are_bound_by_name(tmp_path: Path) -> None:
    code = """
        def f(
            task, inputs, upstream, tasks, parameters, prompt, attempt, run_id, /, given, common, passed, *,
            left=5, **more
        ):
            return {**locals(), "task": task["id"]}
    """
    upstream = {"A-1": {"status": "success", "output": "", "outputs": {"passed": [1], "common": "no", "extra": 7}}}
    outcome = await run(
        tmp_path,
        code,
        task=Task(id="T-1", description="x"),
        upstream=upstream,
        inputs={"given": 1, "common": "input", "another": 2},
        parameters={"common": "parameter", "par": 3},
    )
    got = dict(outcome.outputs)
    assert got.pop("run_id").startswith("test-")
    assert got.pop("upstream") == got.pop("tasks") == upstream
    assert got == {
        "task": "T-1",
        "inputs": {"given": 1, "common": "input", "another": 2},
        "parameters": {"common": "parameter", "par": 3},
        "prompt": "The prompt.",
        "attempt": 1,
        "given": 1,
        "common": "input",
        "passed": [1],
        "left": 5,
        "more": {"another": 2, "par": 3, "extra": 7},
    }


@pytest.mark.parametrize(
    ("code", "name", "said"),
    [
        ("def f(wanted): pass", "steps:f", "cannot call steps:f: nothing is known for its parameter wanted"),
        ("def f(twice): pass", "steps:f", "its parameter twice is ambiguous, for A-1 and B-1 passed it on"),
        ("def f(twice): pass", "steps:f", "twice: \"{{ tasks['A-1'].outputs.twice }}\""),
        ("def f(self): pass", "nothere:f", "cannot call nothere:f: there is no module nothere"),
        ("def f(self): pass", "steps.deeper:f", "there is no module steps.deeper"),
        ("def found(): pass", "steps:f", "cannot call steps:f: it has no f (it has: found)"),
        ("f = 5", "steps:f", "it is no function, but of type int"),
        ("import not_installed_at_all", "steps:f", "steps needs the module not_installed_at_all, which is not there"),
        ("from json import nothing", "steps:f", "steps cannot be imported: cannot import name 'nothing' from 'json'"),
        ("f = type", "steps:f", "it does not tell its parameters"),
    ],
)
async def test_a_function_that_cannot_be_called_is_told_with_what_is_missing(
    tmp_path: Path, code: str, name: str, said: str
) -> None:
    upstream = {task: {"status": "success", "outputs": {"twice": 1}} for task in ("A-1", "B-1")}
    outcome = await run(tmp_path, code, name=name, upstream=upstream)
    assert outcome.failure is Failure.AGENT_MISSING
    assert said in (outcome.error or "")


async def test_a_module_that_is_missing_is_told_with_where_to_put_it(tmp_path: Path) -> None:
    error = (await run(tmp_path, "", name="nothere:f")).error or ""
    assert f"install it for {sys.executable}" in error
    assert f"looked for in {tmp_path / 'project'} first" in error


async def test_an_exception_is_told_with_the_user_s_frames_only(tmp_path: Path) -> None:
    ear = Ear()
    code = """
        import asyncio
        def inner():
            raise ValueError("what is wrong")
        async def f():
            await asyncio.sleep(0)
            try:
                inner()
            except ValueError as error:
                raise RuntimeError("it failed") from error
    """
    outcome = await run(tmp_path, code, ear)
    assert outcome.failure is Failure.CRASHED
    assert outcome.error == "steps:f raised RuntimeError: it failed (steps.py, line 10, in f)"
    traceback = outcome.metadata["traceback"]
    assert "ValueError: what is wrong" in traceback
    assert "in inner" in traceback
    assert "orchestration" not in traceback
    assert "asyncio" not in traceback.replace("await asyncio", "")
    assert ear.text("stderr") == traceback
    assert outcome.claim == "failed"


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("def f(: pass", "SyntaxError"),
        ("raise ValueError('at import')", "ValueError: at import (steps.py, line 1, in <module>)"),
        ("def f(): raise ValueError('\\udc80')", "ValueError: \\udc80"),
        ("class Odd(Exception):\n  def __str__(self): raise KeyError\ndef f(): raise Odd", "Odd"),
        ("def f(): f()", "RecursionError"),
        ("def f(): raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("def f(): raise ExceptionGroup('many', [ValueError('one'), TypeError('two')])", "many"),
        ("def f():\n  yield 1\n  raise ValueError('late')", "ValueError: late"),
        ("def f(): raise StopIteration('odd')", "StopIteration: odd"),
        ("import asyncio\nasync def f(): raise asyncio.CancelledError", "CancelledError"),
    ],
)
async def test_whatever_is_raised_is_a_crash_that_says_what(tmp_path: Path, code: str, said: str) -> None:
    outcome = await run(tmp_path, code)
    assert outcome.failure is Failure.CRASHED
    assert said in (outcome.error or "")
    assert len(outcome.metadata["traceback"]) <= 8_000
    json.dumps(outcome.to_dict(), ensure_ascii=False).encode()


@pytest.mark.parametrize(
    ("code", "failure", "exit_code", "said"),
    [
        ("import sys\ndef f(): sys.exit(0)", Failure.EXIT_CODE, 0, "steps:f exited with code 0 before it returned"),
        ("import sys\ndef f(): sys.exit()", Failure.EXIT_CODE, 0, "steps:f exited with code 0 before it returned"),
        ("import sys\ndef f(): sys.exit(3)", Failure.EXIT_CODE, 3, "steps:f exited with code 3"),
        ("import sys\ndef f(): sys.exit('the reason')", Failure.EXIT_CODE, 1, "the reason"),
        ("import sys\nasync def f(): sys.exit(4)", Failure.EXIT_CODE, 4, "steps:f exited with code 4"),
        ("import os\ndef f(): os._exit(3)", Failure.EXIT_CODE, 3, "ended with exit code 3"),
        ("import os\ndef f(): os._exit(0)", Failure.CRASHED, 0, "with exit code 0 before the function returned"),
        ("import os, signal\ndef f(): os.kill(os.getpid(), signal.SIGSEGV)", Failure.CRASHED, None, "SIGSEGV"),
        (
            "import atexit, os\ndef f(): atexit.register(os._exit, 5)",
            Failure.EXIT_CODE,
            5,
            "it returned, but then `steps:f` ended with exit code 5",
        ),
    ],
)
async def test_a_function_that_ends_its_process_is_told_how(
    tmp_path: Path, code: str, failure: Failure, exit_code: int | None, said: str
) -> None:
    outcome = await run(tmp_path, code)
    assert (outcome.failure, outcome.exit_code) == (failure, exit_code)
    assert said in (outcome.error or "")


FORKS = """
    import os, signal, time
    def f():
        if os.fork() == 0:
            {child}
        {parent}
"""
LATE = "signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(0.3); return {'by': 'child'}"


@pytest.mark.parametrize(
    ("child", "parent", "failure", "outputs"),
    [
        ("time.sleep(60)", "return {'by': 'parent'}", None, {"by": "parent"}),
        (LATE, "return {'by': 'parent'}", None, {"by": "parent"}),
        (LATE, "raise ValueError", Failure.CRASHED, {}),
    ],
)
async def test_a_forked_child_that_leaves_the_function_too_has_no_say(
    tmp_path: Path, child: str, parent: str, failure: Failure | None, outputs: dict[str, str]
) -> None:
    outcome = await run(tmp_path, FORKS.format(child=child, parent=parent))
    assert (outcome.failure, outcome.outputs) == (failure, outputs), outcome.error


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("def f(): return {'a': 1, 'b': {1, 2}}", "output 'b' is not JSON: set cannot be written as JSON"),
        ("def f(): return {'a': float('nan')}", "output 'a' is not JSON"),
        ("def f():\n  a = []\n  a.append(a)\n  return {'a': a}", "output 'a' is not JSON"),
        ("def f(): return {'a': '\\udc80'}", "output 'a' is not JSON"),
        ("def f(): return '\\udc80'", "the returned text is not JSON"),
        ("def f(): return {'\\udc80': 1}", "the name of an output is not JSON"),
        ("def f(): return object()", "output 'result' is not JSON: object cannot be written as JSON"),
        ("def f():\n  yield 1\n  yield object()", "item 2 is not JSON"),
        ("async def f():\n  yield 1\n  yield {'type': 'done', 'x': object()}", "item 2 is not JSON"),
        ("import sys\nsys.setrecursionlimit(10**6)\ndef f(): return 'x' * (70 * 1024 * 1024)", "longer than"),
    ],
)
async def test_a_value_that_cannot_be_passed_on_is_named(tmp_path: Path, code: str, said: str) -> None:
    outcome = await run(tmp_path, code)
    assert outcome.failure is Failure.INVALID_OUTPUT
    assert "steps:f" in (outcome.error or "")
    assert said in (outcome.error or "")


async def test_a_listener_that_fails_is_no_failure_of_the_function(tmp_path: Path) -> None:
    def fail(_item: object, _stream: str | None) -> None:
        raise StoreError("the disk is full")

    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "steps.py").write_text("import time\ndef f():\n  yield 1\n  time.sleep(60)\n")
    with pytest.raises(StoreError):
        await CHILD.execute(work_for(tmp_path, function("steps:f"), kill_grace=0.0), fail)


async def test_a_signal_from_elsewhere_is_no_end_of_ours(tmp_path: Path) -> None:
    outcome = await run(tmp_path, "import os, signal\ndef f(): os.kill(os.getpid(), signal.SIGKILL)")
    assert (outcome.failure, outcome.signal, outcome.ended_by) == (Failure.CRASHED, signal.SIGKILL, "itself")


async def test_an_agent_of_another_kind_is_a_fault_of_ours(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="shell agents"):
        await CHILD.execute(work_for(tmp_path, shell("true")), Ear())
