"""People and other terminals: answers, cancels, and several runs on one project at once."""

import asyncio
from pathlib import Path

import pytest

from orchestration import ProjectOrchestrator
from orchestration.errors import (
    ChecksFailed,
    WrongState,
)
from orchestration.kinds import ExecutionStatus, RunStatus
from tests.world.projects import LOG, done, make_project, person, shell, statuses, until

pytestmark = pytest.mark.slow


async def test_a_person_answers_and_the_next_batch_goes_on(tmp_path: Path) -> None:
    tasks = [
        person("ASK"),
        shell("B", LOG + '; echo "$N"', "ASK", env={"N": "{{ tasks['ASK'].outputs.n }}"}),
        shell("C", LOG),
    ]
    root = make_project(tmp_path, tasks)
    async with ProjectOrchestrator(root) as orchestrator:
        first = await orchestrator.run_batch()
        assert statuses(first) == {"ASK": "needs_input", "B": "pending", "C": "success"}
        assert first.status is RunStatus.PAUSED
        before = await orchestrator.events()
        assert (await orchestrator.run_batch()).status is RunStatus.PAUSED
        assert await orchestrator.events() == before
        result = await orchestrator.complete("ASK", output="looked", outputs={"n": "42"}, by="me")
        assert (result.status, result.output, result.outputs) == (ExecutionStatus.SUCCESS, "looked", {"n": "42"})
        with pytest.raises(WrongState):
            await orchestrator.complete("ASK")
        second = await orchestrator.run_batch()
        assert second.run_id == first.run_id
        assert second.status is RunStatus.SUCCESS
        assert second.by_id["B"].output == "42"


async def test_a_person_who_fails_a_task_blocks_what_depends_on_it(tmp_path: Path) -> None:
    root = make_project(tmp_path, [person("ASK"), shell("B", LOG, "ASK")])
    async with ProjectOrchestrator(root) as orchestrator:
        await orchestrator.run_batch()
        result = await orchestrator.fail("ASK", "no time")
        assert (result.status, result.error) == (ExecutionStatus.FAILED, "no time")
        assert statuses(await orchestrator.status()) == {"ASK": "failed", "B": "blocked"}
        assert (await orchestrator.run_result()).status is RunStatus.FAILED


async def test_what_is_to_be_approved_is_approved_and_not_completed(tmp_path: Path) -> None:
    root = make_project(tmp_path, [person("ASK", approve="after"), shell("MADE", "echo made", approve="after")])
    async with ProjectOrchestrator(root) as orchestrator:
        await orchestrator.run_batch()
        waiting = await orchestrator.complete("ASK", output="looked")
        assert waiting.status is ExecutionStatus.NEEDS_INPUT
        for task_id in ("ASK", "MADE"):
            with pytest.raises(WrongState, match="waits for approval") as refused:
                await orchestrator.complete(task_id, outputs={"k": "w"})
            assert f"orch approve {task_id}" in (refused.value.hint or "")
            with pytest.raises(WrongState, match="waits for approval"):
                await orchestrator.fail(task_id, "no")
        results = [await orchestrator.approve(task_id) for task_id in ("ASK", "MADE")]
        assert [(result.status.value, result.output) for result in results] == [
            ("success", "looked"),
            ("success", "made"),
        ]
        assert (await orchestrator.run_batch()).status is RunStatus.SUCCESS


async def test_a_person_cannot_complete_what_its_checks_refuse(tmp_path: Path) -> None:
    root = make_project(tmp_path, [person("ASK", verify=["test -e report"])])
    async with ProjectOrchestrator(root) as orchestrator:
        await orchestrator.run_batch()
        with pytest.raises(ChecksFailed, match="test -e report"):
            await orchestrator.complete("ASK")
        assert statuses(await orchestrator.status()) == {"ASK": "needs_input"}
        (root / "report").touch()
        result = await orchestrator.complete("ASK")
        assert result.status is ExecutionStatus.SUCCESS
        assert [check.passed for check in result.checks] == [True]


async def test_single_tasks_at_once_on_one_orchestrator_are_all_recorded(tmp_path: Path) -> None:
    root = make_project(tmp_path, [shell("A", "sleep 0.2"), shell("B", "sleep 0.2"), shell("C", "exit 3")])
    async with ProjectOrchestrator(root) as orchestrator:
        results = await asyncio.gather(*(orchestrator.execute_task(task_id) for task_id in "ABC"))
        assert [result.status.value for result in results] == ["success", "success", "failed"]
        assert statuses(await orchestrator.status()) == {"A": "success", "B": "success", "C": "failed"}
        assert len(await orchestrator.runs()) == 3


async def test_two_orchestrators_on_one_project_never_run_a_task_twice(tmp_path: Path) -> None:
    root = make_project(tmp_path, [shell(f"T{i}", f"sleep 0.1; {LOG}") for i in range(8)])
    async with ProjectOrchestrator(root) as one, ProjectOrchestrator(root) as other:
        first, second = await asyncio.gather(one.run_batch(max_concurrent=2), other.run_batch(max_concurrent=2))
    assert sorted(done(root)) == [f"T{i}" for i in range(8)]
    assert set(statuses(first).values()) == set(statuses(second).values()) == {"success"}
    by_run = {result.metadata.get("adopted_from") for result in (*first.results, *second.results)}
    assert by_run <= {None, first.run_id, second.run_id}


async def test_a_task_another_run_has_is_waited_for_and_its_failure_adopted(tmp_path: Path) -> None:
    root = make_project(tmp_path, [shell("A", f"{LOG}; sleep 0.5; exit 4"), shell("B", LOG, "A")])
    async with ProjectOrchestrator(root) as one, ProjectOrchestrator(root) as other:
        single = asyncio.create_task(one.execute_task("A"))
        await until(lambda: done(root) == ["A"])
        batch = await other.run_batch()
        assert (await single).status is ExecutionStatus.FAILED
    assert statuses(batch) == {"A": "failed", "B": "blocked"}
    assert done(root) == ["A"]


async def test_a_task_is_cancelled_from_elsewhere_and_the_rest_goes_on(tmp_path: Path) -> None:
    root = make_project(tmp_path, [shell("A", f"{LOG}; sleep 60"), shell("B", LOG, "A"), shell("C", "sleep 0.5")])
    async with ProjectOrchestrator(root) as one, ProjectOrchestrator(root) as other:
        run = asyncio.create_task(one.run_batch())
        await until(lambda: done(root) == ["A"])
        assert await other.cancel("A", reason="not needed") == ["A"]
        assert statuses(await other.status())["A"] == "cancelled"
        result = await run
        assert statuses(result) == {"A": "cancelled", "B": "blocked", "C": "success"}
        assert result.by_id["A"].error == "not needed"
        with pytest.raises(WrongState):
            await other.cancel("A")
        assert statuses(await one.run_batch()) == {"A": "cancelled", "B": "blocked", "C": "success"}


async def test_a_task_is_cancelled_in_the_run_that_does_it_not_in_one_that_waits_for_it(tmp_path: Path) -> None:
    root = make_project(tmp_path, [shell("A", f"{LOG}; sleep 60"), shell("B", LOG, "A")])
    async with ProjectOrchestrator(root) as one, ProjectOrchestrator(root) as other:
        single = asyncio.create_task(one.execute_task("A"))
        await until(lambda: done(root) == ["A"])
        batch = asyncio.create_task(other.run_batch())
        await until(lambda: len([*(root / ".orchestration" / "runs").iterdir()]) == 2)
        await asyncio.sleep(0.2)  # it is open, and has found A claimed
        assert await other.cancel("A", reason="not needed") == ["A"]
        async with asyncio.timeout(20):
            assert (await single).error == "not needed"
        assert statuses(await batch) == {"A": "cancelled", "B": "blocked"}
    assert done(root) == ["A"]


async def test_a_whole_run_is_cancelled_from_elsewhere(tmp_path: Path) -> None:
    root = make_project(tmp_path, [shell("A", f"{LOG}; sleep 60"), shell("B", LOG, "A")])
    async with ProjectOrchestrator(root) as one, ProjectOrchestrator(root) as other:
        run = asyncio.create_task(one.run_batch())
        await until(lambda: done(root) == ["A"])
        record = (await other.runs())[0]
        assert set(await other.cancel(record.run_id)) == {"A", "B"}
        assert (await run).status is RunStatus.CANCELLED


async def test_a_person_can_answer_while_the_run_goes_on(tmp_path: Path) -> None:
    root = make_project(
        tmp_path,
        [
            person("ASK"),
            shell("B", f"{LOG}; touch over", "ASK"),
            shell("C", f"{LOG}; while ! test -e over; do sleep 0.05; done"),
        ],
    )
    async with ProjectOrchestrator(root) as one, ProjectOrchestrator(root) as other:
        run = asyncio.create_task(one.run_batch())
        await until(lambda: done(root) == ["C"])
        await other.complete("ASK", by="me")
        assert statuses(await run) == {"ASK": "success", "B": "success", "C": "success"}


async def test_a_task_that_asks_for_approval_starts_only_when_it_is_given(tmp_path: Path) -> None:
    root = make_project(tmp_path, [shell("A", LOG, approve=True), shell("B", LOG, approve=True), shell("C", LOG, "B")])
    async with ProjectOrchestrator(root) as orchestrator:
        assert statuses(await orchestrator.run_batch()) == {"A": "needs_input", "B": "needs_input", "C": "pending"}
        assert done(root) == []
        await orchestrator.approve("A", by="me")
        rejected = await orchestrator.reject("B", "too dear")
        assert (rejected.status, rejected.error) == (ExecutionStatus.CANCELLED, "too dear")
        run = await orchestrator.run_batch()
        assert statuses(run) == {"A": "success", "B": "cancelled", "C": "blocked"}
        assert done(root) == ["A"]


async def test_what_a_forced_run_has_done_is_taken_over_by_an_older_open_run(tmp_path: Path) -> None:
    root = make_project(tmp_path, [person("ASK"), shell("B", LOG, "ASK"), shell("C", LOG)])
    async with ProjectOrchestrator(root) as orchestrator:
        older = await orchestrator.run_batch()
        forced = await orchestrator.run_batch(force=True)
        assert forced.run_id != older.run_id
        await orchestrator.complete("ASK", outputs={"n": "1"})
        assert (await orchestrator.run_batch()).status is RunStatus.SUCCESS
        assert (await orchestrator.run_batch()).status is RunStatus.SUCCESS
        assert [record.status for record in await orchestrator.runs()] == [RunStatus.SUCCESS, RunStatus.SUCCESS]
        assert done(root) == ["C", "C", "B"]


async def test_the_status_of_a_task_that_waits_again_is_not_its_old_end(tmp_path: Path) -> None:
    root = make_project(tmp_path, [shell("A", "test -e ok"), person("P", "A"), shell("B", LOG, "P")])
    async with ProjectOrchestrator(root) as orchestrator:
        await orchestrator.run_batch()
        assert statuses(await orchestrator.status()) == {"A": "failed", "P": "blocked", "B": "blocked"}
        (root / "ok").touch()
        await orchestrator.execute_task("A")
        await orchestrator.run_batch()
        assert statuses(await orchestrator.status()) == {"A": "success", "P": "needs_input", "B": "pending"}


async def test_what_failed_fast_in_a_paused_run_can_be_retried(tmp_path: Path) -> None:
    tasks = [shell("A", "test -e ok"), person("W", "A", run_when="always"), shell("B", LOG, "A")]
    root = make_project(tmp_path, tasks)
    async with ProjectOrchestrator(root) as orchestrator:
        first = await orchestrator.run_batch(fail_fast=True)
        assert statuses(first) == {"A": "failed", "W": "needs_input", "B": "blocked"}
        (root / "ok").touch()
        assert await orchestrator.retry(failed=True) == ["A", "B"]
        assert statuses(await orchestrator.status()) == {"A": "pending", "W": "needs_input", "B": "pending"}
        assert statuses(await orchestrator.run_batch()) == {"A": "success", "W": "needs_input", "B": "success"}


async def test_a_call_with_nothing_to_do_tells_the_stored_end_again(tmp_path: Path) -> None:
    root = make_project(tmp_path, [shell("A", LOG), shell("B", "exit 3")])
    async with ProjectOrchestrator(root) as orchestrator:
        await orchestrator.execute_task("A")
        await orchestrator.execute_task("B")
        first = await orchestrator.run_batch()
        assert statuses(first) == {"A": "success", "B": "failed"}
        assert first.by_id["B"].exit_code == 3
        async with orchestrator.stream_batch() as stream:
            events = [event async for event in stream]
            again = await stream.result()
        assert [event["type"] for event in events] == ["run_completed"]
        stored = await orchestrator.events(first.run_id)
        assert (events[0]["run_id"], events[0]["seq"]) == (first.run_id, stored[-1].seq)
        assert again.to_dict() == first.to_dict()
        assert done(root) == ["A"]
