"""What every store promises; each test runs against the store on disk and against its twin in memory."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from orchestration.errors import OutcomeTaken, RunOwned, UnknownRun, UsageError
from orchestration.events import (
    AttemptInterrupted,
    Event,
    RunCompleted,
    RunError,
    RunPaused,
    RunResumed,
    TaskAdopted,
    TaskBlocked,
    TaskCancelled,
    TaskInputGiven,
    TaskSkipped,
)
from orchestration.kinds import ExecutionStatus, OnCrash, RunStatus
from orchestration.protocols import RunStore
from orchestration.store.memory import MemoryStore
from orchestration.store.owners import this_process
from orchestration.store.sqlite import SqliteStore
from tests.world.store_samples import START, at, completed, failed, many, opened, record, run_started, started

UNSAFE = ["", ".", "..", "../r", "a/b", "a\0b", "-r", "r" * 101, "r\n"]


@pytest.fixture(params=["sqlite", "memory"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[RunStore]:
    # The annotation is a test too: the type checker compares every method of both with the protocol.
    made: RunStore = (
        SqliteStore(tmp_path / "project" / ".orchestration") if request.param == "sqlite" else MemoryStore()
    )
    yield made
    await made.close()


async def seqs(store: RunStore, run_id: str) -> list[int]:
    return [event.seq for event in await store.events(run_id)]


async def test_a_store_without_runs_gives_empty_answers(store: RunStore) -> None:
    assert list(await store.runs()) == []
    assert list(await store.events("r")) == []
    assert dict(await store.standings()) == {}
    assert dict(await store.standings(["A"])) == {}
    assert list(await store.commands("r")) == []
    assert await store.answered(1) is None
    assert not store.is_live("r")


async def test_events_come_back_as_they_were_in_their_order(store: RunStore) -> None:
    run = await opened(store)
    events: list[Event] = [started(run, 2), failed(run, 3, final=False), started(run, 4, attempt=2)]
    await store.append(run, events)
    await store.append(run, [completed(run, 5, attempt=2)])
    assert list(await store.events(run)) == [run_started(run), *events, completed(run, 5, attempt=2)]
    assert await seqs(store, run) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(("since", "expected"), [(-1, [1, 2, 3]), (0, [1, 2, 3]), (1, [2, 3]), (3, []), (9, [])])
async def test_events_can_be_asked_for_since_a_number(store: RunStore, since: int, expected: list[int]) -> None:
    run = await opened(store)
    await store.append(run, many(run, 2, first=2))
    assert [event.seq for event in await store.events(run, since)] == expected


@pytest.mark.parametrize("numbers", [[1], [3], [0], [2, 2], [2, 4], [3, 2], [2, 3, 5]])
async def test_events_that_are_not_the_next_ones_are_refused_whole(store: RunStore, numbers: list[int]) -> None:
    run = await opened(store)
    with pytest.raises(OutcomeTaken):
        await store.append(run, [started(run, seq, attempt=seq) for seq in numbers])
    assert await seqs(store, run) == [1]
    await store.append(run, [started(run, 2)])


async def test_an_attempt_ends_once(store: RunStore) -> None:
    run = await opened(store)
    await store.append(run, [started(run, 2), completed(run, 3)])
    for late in (completed(run, 4), failed(run, 4), TaskCancelled(run, 4, at(4), "A", 1)):
        with pytest.raises(OutcomeTaken):
            await store.append(run, [late])
    with pytest.raises(OutcomeTaken):
        await store.append(run, [failed(run, 4, "B"), AttemptInterrupted(run, 5, at(5), "B", 1)])
    assert await seqs(store, run) == [1, 2, 3]
    await store.append(run, [completed(run, 4, attempt=2), completed(run, 5, "B"), TaskSkipped(run, 6, at(6), "A", 1)])


async def test_an_end_without_an_attempt_may_be_repeated(store: RunStore) -> None:
    run = await opened(store)
    await store.append(run, [TaskCancelled(run, seq, at(seq), "A", None) for seq in (2, 3)])
    await store.append(run, [TaskCancelled(run, 4, at(4), "A", None)])
    assert await seqs(store, run) == [1, 2, 3, 4]


async def test_an_attempt_of_another_run_is_another_attempt(store: RunStore) -> None:
    for run in (await opened(store, "r1"), await opened(store, "r2")):
        await store.append(run, [completed(run, 2)])
    assert await seqs(store, "r2") == [1, 2]


async def test_no_event_joins_a_run_that_does_not_exist(store: RunStore) -> None:
    with pytest.raises(UnknownRun, match="nobody"):
        await store.append("nobody", [started("nobody", 1)])
    assert list(await store.runs()) == []


async def test_an_event_of_another_run_is_a_fault_of_the_caller(store: RunStore) -> None:
    run = await opened(store)
    with pytest.raises(ValueError, match="other"):
        await store.append(run, [started("other", 2)])
    assert await seqs(store, run) == [1]


async def test_what_is_queued_is_stored_in_that_order_whoever_waits_first(store: RunStore) -> None:
    run = await opened(store)
    queued = [store.append(run, [event]) for event in many(run, 20, first=2)]
    for answer in reversed(queued):
        await answer
    assert await seqs(store, run) == list(range(1, 22))


async def test_giving_up_to_wait_disturbs_nothing(store: RunStore) -> None:
    run = await opened(store)

    async def append(seq: int) -> None:
        await store.append(run, [started(run, seq, attempt=seq)])

    waiting = [asyncio.create_task(append(seq)) for seq in range(2, 12)]
    await asyncio.sleep(0)
    for task in waiting[::2]:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    await store.append(run, [started(run, 12, attempt=12)])
    assert await seqs(store, run) == list(range(1, 13))


async def test_a_refused_append_harms_none_that_is_queued_beside_it(store: RunStore) -> None:
    runs = [await opened(store, f"r{number}") for number in range(3)]
    answers = [store.append(run, [started(run, 2)]) for run in runs]
    answers += [store.append(runs[1], [started(runs[1], 7)])]
    answers += [store.append(run, [completed(run, 3)]) for run in runs]
    results = await asyncio.gather(*(_result(answer) for answer in answers))
    assert [isinstance(result, OutcomeTaken) for result in results] == [False] * 3 + [True] + [False] * 3
    assert [await seqs(store, run) for run in runs] == [[1, 2, 3]] * 3


async def _result(answer: object) -> object:
    try:
        return await answer  # type: ignore[misc]  # whatever a store hands out
    except OutcomeTaken as error:
        return error


async def test_an_append_of_nothing_does_nothing(store: RunStore) -> None:
    await store.append("nobody", [])
    run = await opened(store)
    await store.append(run, [])
    assert await seqs(store, run) == [1]


async def test_a_run_opens_with_its_first_events_or_not_at_all(store: RunStore) -> None:
    with pytest.raises(OutcomeTaken):
        await store.open_run(record("r"), [run_started("r"), started("r", 3)])
    assert list(await store.runs()) == []
    await store.open_run(record("r"), many("r", 200))
    assert await seqs(store, "r") == list(range(1, 201))


async def test_a_run_is_opened_once(store: RunStore) -> None:
    run = await opened(store)
    with pytest.raises(OutcomeTaken, match="exists"):
        await store.open_run(record(run, tasks=("Z",)), [])
    (only,) = await store.runs()
    assert only.tasks == ("A", "B")


async def test_runs_come_newest_first_with_what_their_events_say(store: RunStore) -> None:
    await store.open_run(record("old", created_at=START + timedelta(days=9)), [])  # the clock went back since
    await opened(store, "new")
    await store.append("new", [started("new", 2)])
    new, old = await store.runs()
    assert new == record("new", updated_at=at(2), last_seq=2)
    assert old == record("old", created_at=START + timedelta(days=9))


@pytest.mark.parametrize(
    ("events", "status"),
    [
        ([RunPaused("r", 2, at(2), "waits")], RunStatus.PAUSED),
        ([RunPaused("r", 2, at(2)), RunResumed("r", 3, at(3))], RunStatus.RUNNING),
        ([RunError("r", 2, at(2), "KeyError")], RunStatus.RUNNING),
        ([RunCompleted("r", 2, at(2), RunStatus.FAILED)], RunStatus.FAILED),
        ([RunCompleted("r", 2, at(2), RunStatus.CANCELLED)], RunStatus.CANCELLED),
        ([RunCompleted("r", 2, at(2)), RunResumed("r", 3, at(3))], RunStatus.RUNNING),
        ([completed("r", 2)], RunStatus.RUNNING),
    ],
)
async def test_a_runs_status_follows_its_events(store: RunStore, events: Sequence[Event], status: RunStatus) -> None:
    await opened(store)
    await store.append("r", events)
    (run,) = await store.runs()
    assert run.status is status


ENDS: list[tuple[Event, ExecutionStatus | None]] = [
    (completed("r", 2), ExecutionStatus.SUCCESS),
    (failed("r", 2), ExecutionStatus.FAILED),
    (failed("r", 2, final=False), None),
    (TaskCancelled("r", 2, at(2), "A", 1), ExecutionStatus.CANCELLED),
    (TaskSkipped("r", 2, at(2), "A"), ExecutionStatus.SKIPPED),
    (TaskBlocked("r", 2, at(2), "A", by=("B",)), ExecutionStatus.BLOCKED),
    (AttemptInterrupted("r", 2, at(2), "A", 1, then=OnCrash.FAIL), ExecutionStatus.FAILED),
    (AttemptInterrupted("r", 2, at(2), "A", 1, then=OnCrash.RERUN), None),
    (AttemptInterrupted("r", 2, at(2), "A", 1, then=OnCrash.ASK), None),
    (TaskAdopted("r", 2, at(2), "A", from_run="q"), None),
    (TaskInputGiven("r", 2, at(2), "A", 1, action="complete"), None),
    (started("r", 2), None),
]


@pytest.mark.parametrize(("event", "status"), ENDS, ids=lambda value: getattr(value, "type", str(value)))
async def test_the_end_of_a_task_is_its_standing_and_ends_its_claim(
    store: RunStore,
    event: Event,
    status: ExecutionStatus | None,
) -> None:
    await opened(store)
    with store.own("r"):
        await store.claim("r", ["A", "B"])
        await store.append("r", [event])
        standings = await store.standings()
        assert {task: found.status for task, found in standings.items()} == ({"A": status} if status else {})
        for standing in standings.values():
            assert (standing.run_id, standing.seq, standing.at, standing.event) == ("r", 2, at(2), event)
        still = await store.claim("other", ["A", "B"])
        claim_is_over = status is not None or isinstance(event, TaskAdopted)  # an adopted end is no new standing
        assert dict(still) == ({"B": "r"} if claim_is_over else {"A": "r", "B": "r"})


async def test_the_latest_end_in_any_run_is_the_standing(store: RunStore) -> None:
    for run in (await opened(store, "r1"), await opened(store, "r2")):
        await store.append(run, [failed(run, 2), completed(run, 3, "B")])
    await store.append("r1", [completed("r1", 4, attempt=2)])
    assert {s.task_id: (s.run_id, s.seq) for s in (await store.standings()).values()} == {
        "A": ("r1", 4),
        "B": ("r2", 3),
    }
    assert list(await store.standings(["B", "unheard-of", "B"])) == ["B"]
    assert list(await store.standings([])) == []


async def test_asking_to_retry_a_task_takes_its_standing_away(store: RunStore) -> None:
    run = await opened(store)
    await store.append(run, [failed(run, 2), completed(run, 3, "B")])
    await store.append(run, [TaskInputGiven(run, 4, at(4), "A", action="retry", by="somebody")])
    assert list(await store.standings()) == ["B"]
    again = [TaskInputGiven(run, 5, at(5), "B", action="retry"), started(run, 6, "B", 2), completed(run, 7, "B", 2)]
    await store.append(run, again)
    assert (await store.standings())["B"].seq == 7
    await store.append(run, [completed(run, 8, attempt=2), TaskInputGiven(run, 9, at(9), "A", action="retry")])
    assert list(await store.standings()) == ["B"]


async def test_many_standings_can_be_asked_for(store: RunStore) -> None:
    await store.open_run(record("r"), many("r", 1200))
    wanted = [f"T{number}" for number in range(100, 700)]
    assert set(await store.standings(wanted)) == set(wanted[:500])


async def test_a_task_belongs_to_one_live_run(store: RunStore) -> None:
    with store.own("r1"):
        assert dict(await store.claim("r1", ["A", "B"])) == {}
        assert dict(await store.claim("r1", ["B", "A"])) == {}
        assert list((await store.claim("r2", ["C", "B", "A"])).items()) == [("B", "r1"), ("A", "r1")]
        await store.release("r1")
        assert dict(await store.claim("r2", ["A"])) == {}


async def test_a_claim_says_which_process_took_it_and_when(store: RunStore) -> None:
    assert dict(await store.claims()) == {}
    before = datetime.now(UTC)
    with store.own("r1"), store.own("r2"):
        await store.claim("r1", ["A", "B"])
        await store.claim("r2", ["B", "C"])
        found = await store.claims()
    assert {task_id: claim.run_id for task_id, claim in found.items()} == {"A": "r1", "B": "r1", "C": "r2"}
    for task_id, claim in found.items():
        assert claim.task_id == task_id
        assert claim.owner == this_process()
        assert claim.since is not None
        assert before <= claim.since <= datetime.now(UTC)


async def test_the_claims_of_a_dead_run_are_taken_over(store: RunStore) -> None:
    with store.own("dead"):
        await store.claim("dead", ["A"])
    with store.own("r"):
        assert dict(await store.claim("r", ["A"])) == {}
        assert dict(await store.claim("dead", ["A"])) == {"A": "r"}


@pytest.mark.parametrize("last", [RunPaused("r", 2, at(2)), RunCompleted("r", 2, at(2), RunStatus.FAILED)])
async def test_a_run_that_pauses_or_ends_gives_back_its_claims(store: RunStore, last: Event) -> None:
    await opened(store)
    with store.own("r"), store.own("other"):
        await store.claim("r", ["A"])
        await store.claim("other", ["B"])
        await store.append("r", [last])
        assert dict(await store.claim("third", ["A", "B"])) == {"B": "other"}


async def test_a_task_that_ends_in_one_run_leaves_the_claim_of_another(store: RunStore) -> None:
    run = await opened(store)
    with store.own("other"):
        await store.claim("other", ["A"])
        await store.append(run, [completed(run, 2)])
        assert dict(await store.claim(run, ["A"])) == {"A": "other"}


def test_a_run_is_live_while_it_is_owned_and_has_one_owner(store: RunStore) -> None:
    with store.own("r"):
        assert store.is_live("r")
        assert not store.is_live("other")
        with pytest.raises(RunOwned, match="this process"), store.own("r"):
            pytest.fail("owned twice")
        assert store.is_live("r")
        with store.own("other"):
            assert store.is_live("other")
    assert not store.is_live("r")
    with pytest.raises(KeyError), store.own("r"):
        raise KeyError
    assert not store.is_live("r")


@pytest.mark.parametrize("run_id", UNSAFE)
async def test_a_run_id_that_is_no_safe_name_is_refused(store: RunStore, run_id: str) -> None:
    with pytest.raises(UsageError), store.own(run_id):
        pytest.fail("owned")
    with pytest.raises(UsageError):
        store.is_live(run_id)
    with pytest.raises(UsageError):
        await store.open_run(record(run_id), [])
    with pytest.raises(UsageError):
        await store.claim(run_id, ["A"])


async def test_commands_wait_until_they_are_answered(store: RunStore) -> None:
    for run in ("r1", "r2"):
        await opened(store, run)
    first = await store.submit("r1", "A", "complete", {"outputs": {"n": 1}, "note": None})
    other = await store.submit("r2", None, "cancel", {})
    second = await store.submit("r1", None, "cancel", {"by": "somebody"})
    assert first < other < second
    rows = await store.commands("r1")
    assert [(row.number, row.task_id, row.action, row.run_id) for row in rows] == [
        (first, "A", "complete", "r1"),
        (second, None, "cancel", "r1"),
    ]
    assert [dict(row.body) for row in rows] == [{"outputs": {"n": 1}, "note": None}, {"by": "somebody"}]
    assert await store.answered(first) is None
    await store.answer(first, {"ok": True})
    assert await store.answered(first) == {"ok": True}
    assert [row.number for row in await store.commands("r1")] == [second]
    assert [row.number for row in await store.commands("r2")] == [other]


async def test_a_command_is_answered_once(store: RunStore) -> None:
    number = await store.submit(await opened(store), "A", "fail", {})
    await store.answer(number, {"ok": False})
    with pytest.raises(OutcomeTaken):
        await store.answer(number, {"ok": True})
    assert await store.answered(number) == {"ok": False}
    for unknown in (0, -1, number + 1):
        assert await store.answered(unknown) is None
        with pytest.raises(UsageError):
            await store.answer(unknown, {})


async def test_a_command_for_no_run_is_refused(store: RunStore) -> None:
    with pytest.raises(UnknownRun):
        await store.submit("nobody", "A", "cancel", {})


async def test_a_closed_store_opens_again_when_it_is_used(store: RunStore) -> None:
    run = await opened(store)
    await store.close()
    assert await seqs(store, run) == [1]
    await store.close()
    await store.append(run, [started(run, 2)])
    await store.close()
    await store.close()
    assert await seqs(store, run) == [1, 2]
