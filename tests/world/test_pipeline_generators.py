"""Generators as steps: what they yield arrives at once, and what they return is said by their last item."""

import asyncio
import threading
import time
from typing import Any

import pytest

from orchestration import AsyncPythonTask, PythonTask
from orchestration.kinds import Failure
from orchestration.results import RunResult
from tests.world.steps import PATIENCE, nothing, pipeline_of, statuses


def both(*items: Any, fails: bool = False) -> list[Any]:  # noqa: ANN401  # any items
    """The same generator in both kinds, as functions."""

    async def drawn() -> Any:  # noqa: ANN401  # an async generator
        for item in items:
            yield item
        if fails:
            raise ZeroDivisionError

    def plain() -> Any:  # noqa: ANN401  # a generator
        yield from items
        if fails:
            raise ZeroDivisionError

    return [AsyncPythonTask(drawn, name="gen"), PythonTask(plain, name="gen")]


async def made_by(task: Any, *returns: str, end: str = "done") -> tuple[RunResult, list[Any]]:  # noqa: ANN401  # a task
    again = type(task)(task.function, name="gen", returns=returns, stream_end_type=end)
    async with pipeline_of(again, nothing).execute_streaming() as stream:
        items = [item async for item in stream.items()]
    return await stream.result(), items


@pytest.mark.parametrize(
    ("items", "returns", "outputs"),
    [
        ([{"type": "done", "a": 1, "b": 2, "more": 3}], ["b", "a"], {"a": 1, "b": 2}),
        ([{"n": 1}, {"type": "done", "a": None}], ["a"], {"a": None}),
        (["to", "ge", "ther"], ["text"], {"text": "together"}),
        (["only"], ["text"], {"text": "only"}),
        (["talk", {"type": "done", "a": 1}], ["a"], {"a": 1}),
        ([{"type": "done"}], [], {}),
        ([], [], {}),
        (["a", 1], [], {}),
        ([{"type": "done", "a": 1}, "never drawn"], ["a"], {"a": 1}),
    ],
)
async def test_what_a_generator_returns(items: list[Any], returns: list[str], outputs: dict[str, Any]) -> None:
    for task in both(*items):
        run, raw = await made_by(task, *returns)
        assert statuses(run) == {"gen": "success", "nothing": "success"}
        assert dict(run["gen"].outputs) == outputs
        assert raw == [item for item in items if item != "never drawn"]


@pytest.mark.parametrize(
    ("items", "returns", "error"),
    [
        ([], ["a"], "it yielded nothing, so that what it returns is not known"),
        ([{"a": 1}], ["a"], "it ended without an item of type 'done', so that what it returns is not known"),
        (["a", 1], ["a"], "it ended without an item of type 'done'"),
        ([{"type": "done", "a": 1}], ["a", "b"], "its end event has no b; it has a"),
        ([{"type": "done"}], ["a", "b"], "its end event has no a and no b; it has nothing"),
        ([{"type": "end", "a": 1}], ["a"], "it ended without an item of type 'done'"),
    ],
)
async def test_returns_that_a_generator_does_not_give_are_told_before_the_end(
    items: list[Any], returns: list[str], error: str
) -> None:
    for task in both(*items):
        again = type(task)(task.function, name="gen", returns=returns)
        async with pipeline_of(again, nothing).execute_streaming() as stream:
            events = [event async for event in stream]
        types = [event["type"] for event in events]
        assert types[2 + len(items) :] == ["task_error", "task_blocked", "run_completed"]
        assert error in events[-3]["error"]
        assert (events[-3]["failure"], events[-1]["status"]) == ("invalid_output", "failed")


async def test_the_end_has_the_type_that_is_asked_for() -> None:
    for task in both({"type": "done", "a": 1}, {"type": "end", "a": 2}):
        run, _ = await made_by(task, "a", end="end")
        assert run.outputs == {"a": 2}


async def test_a_generator_that_fails_keeps_what_it_has_yielded() -> None:
    for task in both("one", {"two": 2}, fails=True):
        run, raw = await made_by(task, "a")
        assert raw == ["one", {"two": 2}]
        assert run["gen"].failure is Failure.CRASHED
        assert "ZeroDivisionError" in (run["gen"].error or "")


async def test_what_a_plain_generator_returns_counts_too() -> None:
    def talks() -> Any:  # noqa: ANN401  # a generator
        yield "a"
        return {"x": 1, "y": 2}

    run = await pipeline_of(PythonTask(talks, returns=["x", "y"])).execute()
    assert run.outputs == {"x": 1, "y": 2}


async def test_text_that_is_yielded_is_the_output_of_its_step() -> None:
    for task in both("a", "b"):
        run, _ = await made_by(task)
        assert run["gen"].output == "ab"


async def test_yielded_text_that_is_a_declared_return_is_not_cut_however_long_it_is() -> None:
    for task in both(*["x" * 65_536] * 40):
        run, _ = await made_by(task, "text")
        assert len(run.outputs["text"]) == 40 * 65_536


async def test_an_item_is_told_as_it_was_when_it_was_yielded() -> None:
    async def grows() -> Any:  # noqa: ANN401  # an async generator
        state: dict[str, Any] = {"text": "", "words": []}
        for word in ("once", "upon"):
            state["text"] += word
            state["words"].append(word)
            yield state

    def grows_in_thread() -> Any:  # noqa: ANN401  # a generator
        words: list[str] = []
        for word in ("once", "upon"):
            words.append(word)
            yield words

    whole = {"text": "onceupon", "words": ["once", "upon"]}
    for task, expected in (
        (AsyncPythonTask(grows), [{"text": "once", "words": ["once"]}, whole]),
        (PythonTask(grows_in_thread), [["once"], ["once", "upon"]]),
    ):
        async with pipeline_of(task).execute_streaming() as stream:
            assert [event["chunk"] async for event in stream if event["type"] == "task_chunk"] == expected


async def test_items_arrive_while_the_generator_goes_on() -> None:
    gate = asyncio.Event()

    async def waits() -> Any:  # noqa: ANN401  # an async generator
        yield "first"
        await gate.wait()
        yield "second"

    seen = []
    async with pipeline_of(waits).execute_streaming() as stream:
        async for item in stream.items():
            seen.append((item, gate.is_set()))
            gate.set()
    assert seen == [("first", False), ("second", True)]


async def test_a_generator_is_closed_when_nothing_more_is_drawn() -> None:
    closed = []

    async def drawn() -> Any:  # noqa: ANN401  # an async generator
        try:
            yield {"type": "done"}
            yield "never"
        finally:
            closed.append("async")

    def plain() -> Any:  # noqa: ANN401  # a generator
        try:
            yield {"type": "done"}
            yield "never"
        finally:
            closed.append("plain")

    assert (await pipeline_of(drawn, PythonTask(plain)).execute()).succeeded
    assert closed == ["async", "plain"]


async def test_silence_is_judged_from_item_to_item_and_not_while_nobody_takes_them() -> None:
    async def slow(pause: float) -> Any:  # noqa: ANN401  # an async generator
        yield 1
        await asyncio.sleep(pause)
        yield 2

    def judged(idle: float) -> Any:  # noqa: ANN401  # a pipeline
        return pipeline_of(AsyncPythonTask(slow, idle_timeout=idle))

    run = await judged(0.05).execute({"pause": 5})
    assert run["slow"].failure is Failure.IDLE_TIMEOUT
    assert "yielded nothing for 0.05 s" in (run["slow"].error or "")
    assert (await judged(5).execute({"pause": 0.05})).succeeded


async def test_a_plain_generator_stops_at_its_next_item_once_it_is_given_up() -> None:
    drawn, is_over = 0, threading.Event()

    def endless() -> Any:  # noqa: ANN401  # a generator
        nonlocal drawn
        try:
            while True:
                drawn += 1
                yield drawn
                time.sleep(0.01)
        finally:
            is_over.set()

    run = await pipeline_of(PythonTask(endless, timeout=0.05)).execute()
    after = drawn
    assert run["endless"].failure is Failure.TIMEOUT
    assert await asyncio.to_thread(is_over.wait, PATIENCE)
    assert drawn <= after + 1


@pytest.mark.parametrize("awaits", [True, False])
async def test_a_generator_of_many_items_lets_others_have_a_turn(awaits: bool) -> None:
    turns = 0

    async def many() -> Any:  # noqa: ANN401  # an async generator
        for n in range(20_000):
            if awaits and not n % 100:
                await asyncio.sleep(0)
            yield n

    async def watch() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    watching = asyncio.create_task(watch())
    assert (await pipeline_of(many).execute()).succeeded
    watching.cancel()
    await asyncio.wait([watching])
    assert turns > 3
