"""`ProjectOrchestrator` on real files, real processes and a real SQLite file."""

import asyncio
import math
import re
from pathlib import Path
from typing import Any

import pytest

from orchestration import ProjectOrchestrator, Selection
from orchestration.errors import (
    GraphChanged,
    UnknownAgent,
    UnknownRun,
    UnknownTask,
    UnmetDependencies,
    UsageError,
)
from orchestration.kinds import ExecutionStatus, Failure, RunStatus
from tests.world.projects import LOG, done, make_project, person, shell, statuses, until

pytestmark = pytest.mark.slow


async def test_a_batch_runs_the_graph_and_the_same_call_again_does_nothing(tmp_path: Path) -> None:
    root = make_project(tmp_path, [shell("B", LOG, "A"), shell("A", LOG), shell("C", LOG, "A", "B")])
    async with ProjectOrchestrator(root) as orchestrator:
        run = await orchestrator.run_batch()
        assert run.status is RunStatus.SUCCESS
        assert [result.task_id for result in run.results] == ["B", "A", "C"]
        assert done(root) == ["A", "B", "C"]
        events = await orchestrator.events()
        again = await orchestrator.run_batch()
        assert again.status is RunStatus.SUCCESS
        assert again.to_dict() == run.to_dict()
        assert done(root) == ["A", "B", "C"]
        assert len(await orchestrator.runs()) == 1
        assert await orchestrator.events() == events
        stored = await orchestrator.run_result(run.run_id)
        assert stored.to_dict() == run.to_dict()


async def test_nothing_is_written_before_something_runs(tmp_path: Path) -> None:
    root = make_project(tmp_path, [shell("A", LOG)])
    async with ProjectOrchestrator(root) as orchestrator:
        await orchestrator.status()
        await orchestrator.forecast()
        await orchestrator.why("A")
        assert not await orchestrator.runs()
        with pytest.raises(UnknownRun):
            await orchestrator.run_result()
    assert not (root / ".orchestration").exists()


async def test_a_failure_stays_until_it_is_retried_and_then_its_descendants_run(tmp_path: Path) -> None:
    root = make_project(tmp_path, [shell("A", "test -e ok"), shell("B", LOG, "A"), shell("C", LOG)])
    async with ProjectOrchestrator(root) as orchestrator:
        first = await orchestrator.run_batch()
        assert statuses(first) == {"A": "failed", "B": "blocked", "C": "success"}
        assert first.by_id["A"].failure is Failure.EXIT_CODE
        (root / "ok").touch()
        second = await orchestrator.run_batch()
        assert statuses(second) == {"A": "failed", "B": "blocked", "C": "success"}
        assert done(root) == ["C"]
        assert await orchestrator.retry(failed=True) == ["A", "B"]
        third = await orchestrator.run_batch()
        assert statuses(third) == {"A": "success", "B": "success", "C": "success"}
        assert third.run_id == first.run_id
        assert done(root) == ["C", "B"]
        assert [attempt.number for attempt in third.by_id["A"].attempts] == [1, 2]


async def test_unmet_dependencies_are_named_and_can_be_run_too(tmp_path: Path) -> None:
    root = make_project(tmp_path, [shell("A", LOG), shell("B", LOG, "A"), shell("C", LOG, "B"), shell("X", LOG)])
    async with ProjectOrchestrator(root) as orchestrator:
        with pytest.raises(UnmetDependencies) as refused:
            await orchestrator.execute_task("C")
        assert refused.value.unmet == {"B": "pending"}
        assert not (root / ".orchestration").exists()
        result = await orchestrator.execute_task("C", with_dependencies=True)
        assert result.status is ExecutionStatus.SUCCESS
        assert done(root) == ["A", "B", "C"]
        assert (await orchestrator.execute_task("B")).status is ExecutionStatus.SUCCESS
        assert done(root) == ["A", "B", "C"]
        await orchestrator.execute_task("B", force=True)
        assert done(root) == ["A", "B", "C", "B"]


async def test_a_single_failed_task_is_tried_again_by_name(tmp_path: Path) -> None:
    root = make_project(tmp_path, [shell("A", "test -e ok")])
    async with ProjectOrchestrator(root) as orchestrator:
        assert (await orchestrator.execute_task("A")).status is ExecutionStatus.FAILED
        (root / "ok").touch()
        assert (await orchestrator.execute_task("A")).status is ExecutionStatus.SUCCESS


async def test_a_batch_of_some_tasks_is_blocked_by_what_is_not_done_and_not_selected(tmp_path: Path) -> None:
    root = make_project(tmp_path, [shell("A", LOG), shell("B", LOG, "A")])
    async with ProjectOrchestrator(root) as orchestrator:
        blocked = await orchestrator.run_batch(["B"])
        assert statuses(blocked) == {"B": "blocked"}
        await orchestrator.run_batch(["A"])
        assert statuses(await orchestrator.run_batch(["B"])) == {"B": "success"}


async def test_an_interrupted_run_goes_on_and_its_open_attempt_is_closed(tmp_path: Path) -> None:
    root = make_project(tmp_path, [shell("A", LOG), shell("B", f"{LOG}; test -e ok || sleep 60", "A")])
    child = await asyncio.create_subprocess_exec(  # noqa: TID251  # stands for another orch, to be killed
        *_python(
            f"import asyncio, orchestration; asyncio.run(orchestration.ProjectOrchestrator({str(root)!r}).run_batch())"
        ),
        start_new_session=True,
    )
    await until(lambda: done(root) == ["A", "B"])
    child.kill()
    await child.wait()
    (root / "ok").touch()
    async with ProjectOrchestrator(root) as orchestrator:
        interrupted = (await orchestrator.runs())[0]
        assert not orchestrator.store.is_live(interrupted.run_id)
        run = await orchestrator.run_batch()
        assert run.run_id == interrupted.run_id
        assert statuses(run) == {"A": "success", "B": "success"}
        assert [attempt.outcome.failure for attempt in run.by_id["B"].attempts] == [Failure.INTERRUPTED, None]
        seqs = [event.seq for event in await orchestrator.events()]
        assert seqs == list(range(1, len(seqs) + 1))
    assert done(root) == ["A", "B", "B"]
    _end_leftovers(root)


async def test_an_open_run_whose_edges_changed_is_refused_with_a_list(tmp_path: Path) -> None:
    root = make_project(tmp_path, [person("ASK"), shell("B", LOG, "ASK")])
    async with ProjectOrchestrator(root) as orchestrator:
        first = await orchestrator.run_batch()
    make_project(root, [person("ASK"), shell("B", LOG)])
    async with ProjectOrchestrator(root) as orchestrator:
        with pytest.raises(GraphChanged, match="B depended on ASK and now depends on nothing"):
            await orchestrator.run_batch()
        await orchestrator.cancel(first.run_id)
        assert statuses(await orchestrator.run_batch())["B"] == "success"


async def test_a_time_limit_ends_the_run_and_the_next_one_goes_on(tmp_path: Path) -> None:
    root = make_project(tmp_path, [shell("A", f"{LOG}; test -e ok || sleep 60"), shell("B", LOG, "A")])
    async with ProjectOrchestrator(root) as orchestrator:
        run = await orchestrator.run_batch(timeout=0.5)
        assert (run.status, run.reason) == (RunStatus.CANCELLED, "timeout")
        (root / "ok").touch()
        assert statuses(await orchestrator.run_batch()) == {"A": "success", "B": "success"}


async def test_stopping_ends_what_runs_and_the_same_call_continues(tmp_path: Path) -> None:
    root = make_project(tmp_path, [shell("A", f"{LOG}; test -e ok || sleep 60"), shell("B", LOG, "A"), person("P")])
    async with ProjectOrchestrator(root) as orchestrator:
        running = asyncio.create_task(orchestrator.run_batch())
        await until(lambda: done(root) == ["A"])
        orchestrator.stop("signal 2")
        stopped = await running
        assert (stopped.status, stopped.reason) == (RunStatus.CANCELLED, "signal 2")
        (root / "ok").touch()
        again = await orchestrator.run_batch()
        assert statuses(again) == {"A": "success", "B": "success", "P": "needs_input"}


async def test_a_cancelled_caller_leaves_a_recorded_state(tmp_path: Path) -> None:
    root = make_project(tmp_path, [shell("A", f"{LOG}; sleep 60"), shell("B", LOG)])
    async with ProjectOrchestrator(root) as orchestrator:
        running = asyncio.create_task(orchestrator.run_batch())
        await until(lambda: "A" in done(root))
        while statuses(await orchestrator.status())["B"] != "success":  # noqa: ASYNC110  # no event of ours tells of it
            await asyncio.sleep(0.01)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert statuses(await orchestrator.run_result()) == {"A": "cancelled", "B": "success"}
        assert (await orchestrator.run_result()).status is RunStatus.CANCELLED


async def test_a_stream_yields_dicts_in_order_and_the_result(tmp_path: Path) -> None:
    root = make_project(tmp_path, [shell("A", "echo one; echo two"), shell("B", "echo three", "A")])
    async with ProjectOrchestrator(root) as orchestrator, orchestrator.stream_batch(max_concurrent=2) as stream:
        events = [event async for event in stream]
        result = await stream.result()
    assert result.status is RunStatus.SUCCESS
    assert events[-1]["type"] == "run_completed"
    stored = [event["seq"] for event in events if "seq" in event]
    assert stored == list(range(1, len(stored) + 1))
    text = "".join(event["chunk"] for event in events if event["type"] == "task_chunk")
    assert text == "one\ntwo\nthree\n"


async def test_leaving_a_stream_early_ends_and_records_the_run(tmp_path: Path) -> None:
    root = make_project(tmp_path, [shell("A", f"{LOG}; sleep 60")])
    async with ProjectOrchestrator(root) as orchestrator:
        async with orchestrator.stream_batch() as stream:
            async for event in stream:
                if event["type"] == "task_started":
                    break
        assert (await orchestrator.run_result()).status is RunStatus.CANCELLED


async def test_wrong_names_and_numbers_are_refused_before_anything_happens(tmp_path: Path) -> None:
    root = make_project(tmp_path, [shell("TASK-1", LOG)], {"agents": {"off": {"kind": "shell", "enabled": False}}})
    async with ProjectOrchestrator(root) as orchestrator:
        with pytest.raises(UnknownTask) as unknown:
            await orchestrator.run_batch(["TASK-2"])
        assert unknown.value.hint == "did you mean TASK-1?"
        with pytest.raises(UnknownAgent):
            await orchestrator.run_batch(agent="nobody")
        with pytest.raises(UnknownAgent, match="disabled"):
            await orchestrator.execute_task("TASK-1", agent="off")
        with pytest.raises(UsageError):
            await orchestrator.run_batch(max_concurrent=0)
        with pytest.raises(UnknownRun):
            await orchestrator.cancel("nothing")
    assert not (root / ".orchestration").exists()


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"task_ids": "TASK-1"}, "task_ids is 'TASK-1'; it is a list of ids"),
        ({"task_ids": 5}, "task_ids is 5"),
        ({"task_ids": [1]}, "task_ids has 1"),
        ({"task_ids": ["TASK-1"], "selection": Selection()}, "exclude each other"),
        ({"selection": "TASK-1"}, "selection is 'TASK-1'"),
        ({"max_concurrent": "3"}, "max_concurrent is '3'"),
        ({"max_concurrent": 2.5}, "max_concurrent is 2.5"),
        ({"timeout": "30m"}, "timeout is '30m'; it is a number of seconds"),
        ({"timeout": math.nan}, "timeout is nan"),
        ({"budget": 5}, "budget is 5; it is a Budget"),
        ({"mode": "fast"}, "there is no mode 'fast'"),
    ],
)
async def test_what_makes_no_sense_is_refused_and_leaves_no_run(
    tmp_path: Path, asked: dict[str, Any], said: str
) -> None:
    root = make_project(tmp_path, [shell("TASK-1", LOG)])
    async with ProjectOrchestrator(root) as orchestrator:
        with pytest.raises(UsageError, match=re.escape(said)):
            await orchestrator.run_batch(**asked)
        assert not await orchestrator.runs()
        if "task_ids" not in asked and "selection" not in asked:
            with pytest.raises((UsageError, UnknownRun)):
                await orchestrator.resume(**asked)


def _python(code: str) -> list[str]:
    import sys

    return [sys.executable, "-c", code]


def _end_leftovers(root: Path) -> None:
    """End the shell of the killed run; proving such things dead before a restart is the store's next chapter."""
    import os
    import signal

    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                marked = str(root).encode() in (folder / "environ").read_bytes()
            except OSError:
                continue
            if marked and int(folder.name) != os.getpid():
                os.kill(int(folder.name), signal.SIGKILL)
