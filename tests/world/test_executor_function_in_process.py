"""Functions in our own process: the same outcomes, limits, what cannot be ended, and that nobody else is touched."""

import asyncio
import contextvars
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from orchestration.calls import is_async, name_of
from orchestration.errors import StoreError
from orchestration.executors.function import FunctionExecutor
from orchestration.kinds import Failure
from orchestration.models import Task
from orchestration.results import Outcome
from tests.world.attempts import PATIENCE, Ear, function, work_for

HERE = FunctionExecutor(in_process=True)


async def run(folder: Path, target: Any, ear: Ear | None = None, **fields: Any) -> Outcome:  # noqa: ANN401  # a function; fields of an attempt
    return await HERE.execute(work_for(folder, function(target), **fields), ear or Ear())


class Model(BaseModel):
    a: int = 1


@dataclass
class Data:
    a: int = 1


class Callable1:
    async def __call__(self, attempt: int) -> dict[str, int]:
        return {"attempt": attempt}

    async def method(self, attempt: int) -> dict[str, int]:
        return {"attempt": attempt}


async def coroutine() -> str:
    await asyncio.sleep(0)
    return "text"


async def async_items() -> AsyncIterator[Any]:
    yield "a"
    yield {"type": "done", "n": 1}
    raise AssertionError("never asked for")


def items() -> Iterator[str]:
    yield "a"
    yield "b"


def items_and_value() -> Any:  # noqa: ANN401  # a generator
    yield 1
    return {"out": 2}


def indirectly(target: Callable[[], Any]) -> Callable[[], Any]:
    def f() -> Any:  # noqa: ANN401  # whatever it returns
        return target()

    return f


@pytest.mark.parametrize(
    ("target", "output", "outputs", "yielded"),
    [
        (lambda: {"a": 1}, "", {"a": 1}, []),
        (lambda: "text", "text", {}, []),
        (lambda: None, "", {}, []),
        (lambda: 5, "", {"result": 5}, []),
        (lambda: {1}, "", {"result": {1}}, []),
        (indirectly(coroutine), "text", {}, []),
        (indirectly(async_items), "a", {"n": 1}, ["a", {"type": "done", "n": 1}]),
        (coroutine, "text", {}, []),
        (async_items, "a", {"n": 1}, ["a", {"type": "done", "n": 1}]),
        (items, "ab", {}, ["a", "b"]),
        (items_and_value, "", {"out": 2}, [1]),
        (Model, "", {"a": 1}, []),
        (Data, "", {"a": 1}, []),
        (partial(lambda x, y: x + y, 1, y=2), "", {"result": 3}, []),
        (Callable1(), "", {"attempt": 1}, []),
        (Callable1().method, "", {"attempt": 1}, []),
    ],
)
async def test_what_a_function_returns_or_yields_is_the_outcome(
    tmp_path: Path, target: Callable[..., Any], output: str, outputs: dict[str, object], yielded: list[object]
) -> None:
    ear = Ear()
    outcome = await run(tmp_path, target, ear)
    assert outcome.failure is None, outcome.error
    assert (outcome.output, outcome.outputs, ear.items) == (output, outputs, yielded)
    assert not (tmp_path / "attempt").exists()


async def test_a_function_given_as_an_object_runs_here_also_where_others_run_in_children(tmp_path: Path) -> None:
    seen: list[int] = []
    await FunctionExecutor(in_process=False).execute(work_for(tmp_path, function(lambda: seen.append(1))), Ear())
    assert seen == [1]


async def test_a_function_given_by_name_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "imported_here.py").write_text("def f(): return {'a': 1}\n")
    monkeypatch.syspath_prepend(tmp_path)
    for _ in range(2):
        assert (await run(tmp_path, "imported_here:f")).outputs == {"a": 1}
    missing = await run(tmp_path, "imported_here:g")
    assert missing.failure is Failure.AGENT_MISSING
    missing = await run(tmp_path, "not_there_at_all:g")
    assert "there is no module not_there_at_all" in (missing.error or "")


async def test_arguments_are_bound_by_name(tmp_path: Path) -> None:
    def f(task: dict[str, Any], given: object, passed: int, tasks: dict[str, Any], left: int = 5, **more: Any) -> Any:  # noqa: ANN401  # any
        return {"id": task["id"], "given": given, "passed": passed, "tasks": list(tasks), "left": left, "more": more}

    upstream = {"A-1": {"status": "success", "outputs": {"passed": 1}}}
    given = object()
    known = {"given": given}
    outcome = await run(tmp_path, f, task=Task(id="T-1"), upstream=upstream, inputs=known, parameters={"p": 1})
    assert outcome.outputs == {
        "id": "T-1",
        "given": given,
        "passed": 1,
        "tasks": ["A-1"],
        "left": 5,
        "more": {"p": 1},
    }
    missing = await run(tmp_path, f)
    assert missing.failure is Failure.AGENT_MISSING
    assert f"{name_of(f)}: nothing is known for its parameter given" in (missing.error or "")


def raising(error: BaseException) -> Callable[[], None]:
    def f() -> None:
        raise error

    return f


def raising_later(error: BaseException) -> Callable[[], Any]:
    async def f() -> None:
        await asyncio.sleep(0)
        raise error

    return f


@pytest.mark.parametrize("kind", [raising, raising_later])
@pytest.mark.parametrize(
    ("error", "failure", "said"),
    [
        (ValueError("wrong"), Failure.CRASHED, "raised ValueError: wrong (test_executor_function_in_process.py, line"),
        (TimeoutError("theirs"), Failure.CRASHED, "TimeoutError: theirs"),
        (StopIteration("odd"), Failure.CRASHED, "StopIteration"),
        (GeneratorExit("odd"), Failure.CRASHED, "GeneratorExit"),
        (SystemExit(0), Failure.EXIT_CODE, "exited with code 0 before it returned"),
        (SystemExit(), Failure.EXIT_CODE, "exited with code 0 before it returned"),
        (SystemExit(3), Failure.EXIT_CODE, "exited with code 3"),
        (SystemExit("why"), Failure.EXIT_CODE, "exited: why"),
    ],
)
async def test_whatever_is_raised_becomes_the_outcome_and_leaves_the_loop_alone(
    tmp_path: Path,
    kind: Callable[[BaseException], Callable[[], Any]],
    error: BaseException,
    failure: Failure,
    said: str,
) -> None:
    outcome = await run(tmp_path, kind(error), timeout=PATIENCE)
    assert outcome.failure is failure
    assert said in (outcome.error or "")
    if failure is Failure.CRASHED:
        assert "_in_process.py" not in outcome.metadata["traceback"].replace("test_executor_function_in_process.py", "")


async def test_a_function_that_cancels_itself_has_crashed(tmp_path: Path) -> None:
    async def f() -> None:
        raise asyncio.CancelledError

    async def g() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(0)

    for target in (f, g):
        outcome = await run(tmp_path, target)
        assert outcome.failure is Failure.CRASHED
        assert "cancelled itself" in (outcome.error or "")


@pytest.mark.parametrize("target", [items, async_items])
async def test_a_listener_that_fails_is_no_failure_of_the_function(tmp_path: Path, target: Callable[[], Any]) -> None:
    def fail(_item: object, _stream: str | None) -> None:
        raise StoreError("the disk is full")

    with pytest.raises(StoreError):
        await HERE.execute(work_for(tmp_path, function(target)), fail)


async def test_context_variables_are_seen_and_do_not_leak(tmp_path: Path) -> None:
    variable = contextvars.ContextVar("variable", default="default")
    variable.set("from outside")

    async def async_f() -> dict[str, str]:
        seen = variable.get()
        variable.set("changed")
        return {"seen": seen}

    def plain_f() -> dict[str, str]:
        seen = variable.get()
        variable.set("changed")
        return {"seen": seen}

    for target in (async_f, plain_f):
        assert (await run(tmp_path, target)).outputs == {"seen": "from outside"}
        assert variable.get() == "from outside"


async def test_the_host_s_stdout_and_path_are_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before, path = sys.stdout, list(sys.path)
    ear = Ear()

    def f() -> None:
        assert sys.stdout is before
        print("printed")  # noqa: T201  # what is printed stays the host's

    outcome = await run(tmp_path, f, ear)
    assert outcome.failure is None
    assert (outcome.output, ear.heard) == ("", [])
    assert capsys.readouterr().out == "printed\n"
    assert sys.path == path


@pytest.mark.parametrize(
    ("target", "answer"),
    [
        (coroutine, True),
        (async_items, True),
        (partial(partial(coroutine)), True),
        (Callable1(), True),
        (Callable1().method, True),
        (items, False),
        (indirectly(coroutine), False),
        (print, False),
        (Model, False),
    ],
)
def test_async_functions_are_told_from_others_whatever_wraps_them(target: Callable[..., Any], answer: bool) -> None:
    assert is_async(target) is answer
