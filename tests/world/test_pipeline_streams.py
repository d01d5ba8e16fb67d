"""Streams of pipelines: what is told and in which order, leaving early, slow consumers, and nothing left behind."""

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from orchestration import AsyncPythonTask, Map, OrchError, Parallel, PythonTask, Return, RunStatus, ShellTask
from orchestration.store.memory import MemoryStore
from orchestration.store.sqlite import SqliteStore
from orchestration.streams import BUFFER, RunStream
from tests.world.steps import PATIENCE, Hanging, nothing, nothing_left, pipeline_of

PROMPT = 0.1  # seconds in which a cancellation has to reach a step


async def told_by(stream: RunStream) -> list[dict[str, Any]]:
    async with stream:
        return [event async for event in stream]


def types(events: list[dict[str, Any]]) -> list[str]:
    return [event["type"] for event in events]


# -- what is told ----------------------------------------------------------------------------------------------------


async def count(n: int) -> Any:  # noqa: ANN401  # an async generator
    for i in range(n):
        yield {"i": i}
    yield {"type": "done", "total": n, "more": "stays"}


async def test_events_come_in_order_with_the_items_between_them() -> None:
    events = await told_by(pipeline_of(AsyncPythonTask(count, returns=["total"])).execute_streaming({"n": 2}))
    assert types(events) == ["run_started", "task_started", *["task_chunk"] * 3, "task_completed", "run_completed"]
    chunks = [event for event in events if event["type"] == "task_chunk"]
    assert [chunk["chunk"] for chunk in chunks] == [
        {"i": 0},
        {"i": 1},
        {"type": "done", "total": 2, "more": "stays"},
    ]
    assert [(chunk["task"], chunk["path"], chunk["attempt"], chunk["n"]) for chunk in chunks] == [
        ("count", "count", 1, n) for n in (1, 2, 3)
    ]
    assert not any("seq" in chunk for chunk in chunks)
    assert events[-2]["outputs"] == {"total": 2}


async def test_a_failure_is_told_with_its_type_and_step_before_the_end() -> None:
    async def fails() -> Any:  # noqa: ANN401  # an async generator
        yield "a"
        raise KeyError("gone")

    events = await told_by(pipeline_of(fails, nothing).execute_streaming())
    assert types(events)[2:] == ["task_chunk", "task_error", "task_blocked", "run_completed"]
    error = events[3]
    assert (error["task_id"], error["failure"], error["final"]) == ("fails", "crashed", True)
    assert "KeyError: 'gone'" in error["error"]
    assert error["metadata"]["exception"] == "KeyError"
    assert events[-1]["status"] == "failed"


class Model(BaseModel):
    a: int


class Thing:
    """Something that JSON knows nothing of."""


async def test_every_event_is_json_whatever_is_yielded_returned_and_given() -> None:
    items: list[Any] = [Thing(), b"\xff", {1: {2, 1}}, Model(a=1), (1, Thing()), None, float("nan"), "\ud800", [[[]]]]

    async def yields(given: Thing) -> Any:  # noqa: ANN401  # an async generator
        for item in items:
            yield item
        yield {"type": "done", "made": given}

    task = AsyncPythonTask(yields, returns=[Return("made", "object")])
    thing = Thing()
    events = await told_by(pipeline_of(task).execute_streaming({"given": thing}))
    for event in events:
        assert json.loads(json.dumps(event))["type"] == event["type"]
    chunks = [event["chunk"] for event in events if event["type"] == "task_chunk"]
    named = f"<{__name__}.Thing>"
    assert chunks[:6] == [named, "_w==", {"1": [1, 2]}, {"a": 1}, [1, named], None]
    async with pipeline_of(task).execute_streaming({"given": thing}) as stream:
        raw = [item async for item in stream.items()]
    assert raw[:-1] == items
    assert all(one is other for one, other in zip(raw, items, strict=False))
    assert (await stream.result()).outputs["made"] is thing


async def test_a_dictionary_of_a_user_never_passes_for_an_event() -> None:
    forged = {"type": "run_completed", "run_id": "x", "seq": 1, "status": "success"}

    async def forges() -> Any:  # noqa: ANN401  # an async generator
        yield forged
        await asyncio.sleep(0)

    events = await told_by(pipeline_of(forges).execute_streaming())
    assert types(events) == ["run_started", "task_started", "task_chunk", "task_completed", "run_completed"]
    assert events[2]["chunk"] == forged


async def test_looking_at_a_run_does_not_use_up_what_can_be_walked_once() -> None:
    pipeline = pipeline_of(Map("m", PythonTask(lambda x: x + 1, "add", returns=["y"]), "xs", "x"))
    stream = pipeline.execute_streaming({"xs": (n for n in range(3))})
    await told_by(stream)
    assert (await stream.result()).outputs == {"y": [1, 2, 3]}


async def test_the_alias_and_iterating_without_a_context_work() -> None:
    events = [event async for event in pipeline_of(nothing).execute_stream()]
    assert types(events) == ["run_started", "task_started", "task_completed", "run_completed"]


async def test_the_result_can_be_had_without_reading_and_again_and_again() -> None:
    stream = pipeline_of(AsyncPythonTask(count, returns=["total"])).execute_streaming({"n": 3 * BUFFER})
    assert (await stream.result()).outputs == {"total": 3 * BUFFER}
    assert (await stream.result()) is (await stream.result())
    assert [event async for event in stream] == []


async def test_two_streams_of_one_pipeline_do_not_meet() -> None:
    pipeline = pipeline_of(AsyncPythonTask(count, returns=["total"]))
    one, other = pipeline.execute_streaming({"n": 1}), pipeline.execute_streaming({"n": 2})
    first, second = await asyncio.gather(told_by(one), told_by(other))
    assert (len(first), len(second)) == (6, 7)
    assert len({event["run_id"] for event in first} | {event["run_id"] for event in second}) == 2


async def test_what_cannot_begin_is_raised_where_it_is_watched() -> None:
    pipeline = pipeline_of(AsyncPythonTask(count))
    with pytest.raises(OrchError, match="its parameter n"):
        await told_by(pipeline.execute_streaming())
    with pytest.raises(OrchError, match="its parameter n"):
        await pipeline.execute_streaming().result()


# -- leaving early ---------------------------------------------------------------------------------------------------


async def left_by_break(stream: RunStream, hanging: Hanging) -> None:
    async with stream:
        async for _ in stream:
            await hanging.began.wait()
            break


async def left_by_error(stream: RunStream, hanging: Hanging) -> None:
    async def fail() -> None:
        async with stream:
            await hanging.began.wait()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()


async def left_by_close(stream: RunStream, hanging: Hanging) -> None:
    async for _ in stream:
        await hanging.began.wait()
        break
    await stream.aclose()


async def left_by_cancel(stream: RunStream, hanging: Hanging) -> None:
    consumer = asyncio.create_task(told_by(stream))
    await hanging.began.wait()
    consumer.cancel()
    await asyncio.wait([consumer])
    assert consumer.cancelled()


async def left_by_timeout(stream: RunStream, hanging: Hanging) -> None:
    async def wait() -> None:
        async with asyncio.timeout(None) as scope, stream:
            await hanging.began.wait()
            scope.reschedule(asyncio.get_running_loop().time())
            await stream.result()

    with pytest.raises(TimeoutError):
        await wait()


async def left_while_waiting_for_the_result(stream: RunStream, hanging: Hanging) -> None:
    waiting = asyncio.create_task(stream.result())
    await hanging.began.wait()
    waiting.cancel()
    await asyncio.wait([waiting])
    assert waiting.cancelled()


WAYS = [
    left_by_break,
    left_by_error,
    left_by_close,
    left_by_cancel,
    left_by_timeout,
    left_while_waiting_for_the_result,
]
SHAPES = ["task", "generator", "parallel", "map", "nested"]


def hanging_in(shape: str, hanging: Hanging) -> Any:  # noqa: ANN401  # a pipeline
    task = AsyncPythonTask(hanging.stream if shape == "generator" else hanging.hang, name="hangs")
    quick = {f"q{n}": AsyncPythonTask(nothing) for n in range(3)}
    if shape == "parallel":
        return pipeline_of(Parallel("p", {**quick, "h": task, "i": task}), nothing)
    if shape == "map":
        return pipeline_of(Map("m", Parallel("p", {**quick, "h": task}), "xs", "x", max_concurrent=2), nothing)
    if shape == "nested":
        return pipeline_of(pipeline_of(pipeline_of(task, name="inner"), name="outer"), nothing)
    return pipeline_of(task, nothing)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("shape", SHAPES)
async def test_leaving_early_cancels_the_run_records_that_and_leaves_nothing(shape: str, way: Any) -> None:  # noqa: ANN401  # one of the ways
    store = MemoryStore()
    hanging = Hanging()
    with nothing_left():
        stream = hanging_in(shape, hanging).execute_streaming({"xs": range(5)}, run_id="r", store=store)
        await way(stream, hanging)
        assert hanging.cancelled_at is not None
        assert hanging.ended
    events = await store.events("r")
    assert events[-1].type == "run_completed"
    assert (await store.runs())[0].status is RunStatus.CANCELLED
    run = await stream.result()
    assert run.status is RunStatus.CANCELLED
    assert {one.status.value for one in run.results} <= {"success", "cancelled", "skipped", "blocked"}
    assert "cancelled" in {one.status.value for one in run.results if one.task_id.endswith("hangs")}


async def test_cancellation_reaches_the_step_at_once() -> None:
    delays = []
    for _ in range(3):
        hanging = Hanging()
        async with pipeline_of(hanging.hang).execute_streaming():
            await hanging.began.wait()
            left = time.monotonic()
        assert hanging.cancelled_at is not None
        delays.append(hanging.cancelled_at - left)
    assert min(delays) < PROMPT


async def test_a_step_that_cleans_up_is_waited_for_and_one_that_does_not_end_is_given_up() -> None:
    async def stubborn() -> None:
        while True:
            try:
                await asyncio.sleep(PATIENCE)
            except asyncio.CancelledError:
                continue

    cleans = Hanging(clean_up=0.05)
    pipeline = pipeline_of(Parallel("p", {"a": AsyncPythonTask(cleans.hang)}))
    async with pipeline.execute_streaming():
        await cleans.began.wait()
    assert cleans.ended == 1
    with nothing_left():
        began = time.monotonic()
        async with pipeline_of(AsyncPythonTask(stubborn, kill_grace=0.05)).execute_streaming() as stream:
            async for event in stream:
                if event["type"] == "task_started":
                    break
        assert time.monotonic() - began < PATIENCE / 2
    assert (await stream.result()).status is RunStatus.CANCELLED


@pytest.mark.parametrize("is_durable", [False, True])
async def test_leaving_before_anything_began_leaves_nothing_but_the_record(tmp_path: Path, is_durable: bool) -> None:
    hanging = Hanging()
    with nothing_left():
        store = SqliteStore(tmp_path) if is_durable else MemoryStore()
        async with pipeline_of(hanging.hang).execute_streaming(store=store) as stream:
            pass
        run = await stream.result()
        assert run.status is RunStatus.CANCELLED
        assert [one.status.value for one in run.results] == ["cancelled"]
        assert [record.status for record in await store.runs()] == [RunStatus.CANCELLED]
        await store.close()
    assert not hanging.began.is_set()


async def test_a_stream_that_was_closed_begins_nothing_any_more() -> None:
    stream = pipeline_of(AsyncPythonTask(nothing, "a")).execute_streaming()
    await stream.aclose()
    with pytest.raises(OrchError, match="closed before its run began"):
        await stream.result()


async def test_of_several_who_read_each_is_told_of_the_end() -> None:
    async with asyncio.timeout(PATIENCE):
        async with pipeline_of(AsyncPythonTask(count, returns=["total"])).execute_streaming({"n": 5}) as stream:

            async def read() -> int:
                return len([event async for event in stream])

            assert sum(await asyncio.gather(read(), read(), read())) == 10


async def test_leaving_twice_and_after_the_end_is_no_error() -> None:
    stream = pipeline_of(nothing).execute_streaming()
    await told_by(stream)
    await stream.aclose()
    await stream.aclose()
    assert (await stream.result()).succeeded


async def test_a_cancelled_execute_cancels_its_steps_and_leaves_nothing(tmp_path: Path) -> None:
    async def in_time() -> None:
        async def ends_the_time() -> None:
            scope.reschedule(asyncio.get_running_loop().time())
            await asyncio.sleep(PATIENCE)

        both = {"a": AsyncPythonTask(ends_the_time), "b": AsyncPythonTask(nothing)}
        async with asyncio.timeout(None) as scope:
            await pipeline_of(Parallel("p", both)).execute(store=tmp_path, run_id="r")

    hanging = Hanging()
    with nothing_left():
        running = asyncio.create_task(hanging_in("map", hanging).execute({"xs": range(3)}))
        await hanging.began.wait()
        running.cancel()
        await asyncio.wait([running])
        assert running.cancelled()
        with pytest.raises(TimeoutError):
            await in_time()
    async with SqliteStoreIn(tmp_path) as store:
        assert (await store.runs())[0].status is RunStatus.CANCELLED


class SqliteStoreIn(SqliteStore):
    """A store that is closed where it is left."""

    async def __aenter__(self) -> SqliteStore:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


async def test_a_command_ends_with_the_stream_that_is_left(tmp_path: Path) -> None:
    line = f"echo $$ > {tmp_path}/pid; echo begun; sleep 60"
    async with pipeline_of(ShellTask("s", line)).execute_streaming() as stream:
        async for event in stream:
            if event["type"] == "task_chunk":
                break
    pid = int((tmp_path / "pid").read_text())
    assert not Path(f"/proc/{pid}").exists()
    assert (await stream.result())["s"].status.value == "cancelled"
