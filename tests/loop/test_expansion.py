"""Tasks that become several: parts have their own slots and ends, and the task ends after the last of them."""

import asyncio
from collections.abc import Callable

import pytest

from orchestration.events import TaskExpanded, from_json, to_json
from orchestration.kinds import ExecutionStatus, Failure, RunStatus
from orchestration.ledger import Ledger
from orchestration.models import RetryPolicy
from orchestration.plan import Limits, Node, Plan, State
from orchestration.protocols import Decision, Drop, Expansion, Reporting
from orchestration.results import Outcome
from orchestration.scheduler import Job, Scheduler
from orchestration.testing import FAILS, FakeDoer, Script, Step
from tests.loop.playing import Played, play

THREE = Expansion("race", tuple({"id": f"T/leg-{n}"} for n in (1, 2, 3)))
CHAIN = Expansion("chain", ({"id": "T/leg-1"}, {"id": "T/leg-2", "needs": ["T/leg-1"]}))


class Ledgered(FakeDoer):
    """Decides by what the ledger says of the parts."""

    ledger: Ledger

    def ended(self, *parts: str) -> bool:
        return all(self.ledger.status_of(part).is_final for part in parts)


def doer_of(script: Script, expansion: Expansion, join: Callable[[Ledgered], Decision | None]) -> Ledgered:
    made = Ledgered(script, expansions={"T": expansion}, joins={"T": lambda: join(made)})
    return made


def run(script: Script, expansion: Expansion, join: Callable[[Ledgered], Decision | None], **options: object) -> Played:
    doer = doer_of(script, expansion, join)

    async def remember(scheduler: Scheduler) -> None:
        doer.ledger = scheduler.recorder.ledger
        if "meddle" in options:
            await options["meddle"](scheduler)  # type: ignore[operator]

    nodes = options.get("nodes") or [Node("T"), Node("U", ("T",))]
    return play(nodes, script, doer=doer, meddle=remember, jobs=options.get("jobs"), slots=options.get("slots", 3))  # type: ignore[arg-type]


def when_all_ended(outcome: Outcome) -> Callable[[Ledgered], Decision | None]:
    def join(doer: Ledgered) -> Decision | None:
        return outcome if doer.ended(*(item["id"] for item in THREE.items)) else None

    return join


def test_parts_run_at_once_and_dependants_wait_for_the_task() -> None:
    script = Script({f"T/leg-{n}": [Step(seconds=n)] for n in (1, 2, 3)})
    played = run(script, THREE, when_all_ended(Outcome(output="all")))
    assert played.result.status is RunStatus.SUCCESS
    assert [result.task_id for result in played.result.results] == ["T", "U"]
    assert played.seconds == pytest.approx(3)
    assert played.types("T") == ["task_started", "task_expanded", "task_completed"]
    legs = played.result.results[0].metadata["legs"]
    assert [leg["task_id"] for leg in legs] == ["T/leg-1", "T/leg-2", "T/leg-3"]


def test_an_expanded_task_holds_no_slot() -> None:
    script = Script({f"T/leg-{n}": [Step(seconds=1)] for n in (1, 2, 3)})
    played = run(script, THREE, when_all_ended(Outcome()), slots=1)
    assert played.result.status is RunStatus.SUCCESS
    assert played.script.peak == 1


def test_parts_that_need_each_other_run_in_order() -> None:
    script = Script({"T/leg-1": [Step(seconds=2)], "T/leg-2": [Step(seconds=2)]})
    played = run(script, CHAIN, lambda doer: Outcome() if doer.ended("T/leg-1", "T/leg-2") else None)
    assert played.seconds == pytest.approx(4)


def test_a_failed_part_fails_neither_run_nor_task_by_itself() -> None:
    script = Script({"T/leg-1": [FAILS]})
    played = run(script, THREE, when_all_ended(Outcome(output="good enough")))
    assert played.result.status is RunStatus.SUCCESS
    assert played.result.counts == {"success": 2}


def test_losers_have_ended_before_the_result_is_recorded() -> None:
    script = Script(
        {
            "T/leg-1": [Step(seconds=1)],
            "T/leg-2": [Step(seconds=100, stubborn=5)],
            "T/leg-3": [Step(seconds=100)],
        }
    )

    def join(doer: Ledgered) -> Decision | None:
        if doer.ended("T/leg-1", "T/leg-2", "T/leg-3"):
            return Outcome(output="first")
        return Drop(("T/leg-2", "T/leg-3"), "lost the race") if doer.ended("T/leg-1") else None

    played = run(script, THREE, join)
    assert played.result.status is RunStatus.SUCCESS
    assert played.seconds == pytest.approx(6)
    order = [event.task_id for event in played.events if event.type in {"task_cancelled", "task_completed"}]  # type: ignore[attr-defined]
    assert order[-2:] == ["T", "U"]
    assert played.script.running == 0


def test_a_task_can_become_more_again_and_again() -> None:
    rounds = [Expansion("chain", ({"id": f"T/leg-{n}"},)) for n in range(1, 6)]

    def join(doer: Ledgered) -> Decision | None:
        known = [n for n in range(1, 6) if f"T/leg-{n}" in doer.ledger.known]
        if not doer.ended(*(f"T/leg-{n}" for n in known)):
            return None
        return rounds[len(known)] if len(known) < 5 else Outcome()

    played = run(Script(), rounds[0], join)
    assert played.types().count("task_expanded") == 5
    assert played.result.status is RunStatus.SUCCESS


def test_another_attempt_has_parts_of_its_own() -> None:
    failed = Outcome(failure=Failure.EXIT_CODE, error="none was good")
    state = {"round": 0}
    made = [Expansion("race", ({"id": "T/leg-1"},)), Expansion("race", ({"id": "T/leg-2"},))]

    class Twice(Ledgered):
        async def perform(
            self, task_id: str, attempt: int, slot: int, report: Reporting, agent: str | None = None
        ) -> Outcome | Expansion:
            if task_id == "T":
                state["round"] = attempt
                return made[attempt - 1]
            return await super().perform(task_id, attempt, slot, report, agent)

    def join(doer: Ledgered) -> Decision | None:
        done = doer.ended(f"T/leg-{state['round']}")
        return (failed if state["round"] == 1 else Outcome()) if done else None

    doer = Twice(joins={"T": lambda: join(doer)})

    async def remember(scheduler: Scheduler) -> None:
        doer.ledger = scheduler.recorder.ledger
        await asyncio.sleep(0)

    retry = RetryPolicy.model_validate({"max": 2, "backoff": 1})
    played = play([Node("T")], doer=doer, meddle=remember, jobs={"T": Job(retry=retry)})
    assert played.result.status is RunStatus.SUCCESS
    assert [attempt.number for attempt in played.result.results[0].attempts] == [1, 2]


def test_cancelling_the_task_cancels_its_parts_first() -> None:
    script = Script({f"T/leg-{n}": [Step(seconds=100, stubborn=n)] for n in (1, 2, 3)})

    async def meddle(scheduler: Scheduler) -> None:
        await asyncio.sleep(2)
        scheduler.cancel("T", "not wanted")

    played = run(script, THREE, when_all_ended(Outcome()), meddle=meddle)
    task = played.result.results[0]
    assert task.status is ExecutionStatus.CANCELLED
    assert played.seconds == pytest.approx(5)
    ends = [event.task_id for event in played.events if event.type == "task_cancelled"]  # type: ignore[attr-defined]
    assert ends[-1] == "T"
    assert set(ends) == {"T", "T/leg-1", "T/leg-2", "T/leg-3"}


def test_stopping_the_run_ends_parts_and_task() -> None:
    script = Script({f"T/leg-{n}": [Step(seconds=100)] for n in (1, 2, 3)})

    async def meddle(scheduler: Scheduler) -> None:
        await asyncio.sleep(2)
        scheduler.stop("signal 2")

    played = run(script, THREE, when_all_ended(Outcome()), meddle=meddle)
    assert played.result.status is RunStatus.CANCELLED
    assert {result.status for result in played.result.results} == {ExecutionStatus.CANCELLED}


def test_parts_obey_the_limits_of_their_agents() -> None:
    limited = [Node("T"), Node("V", limits=("agent a",))]
    script = Script({"V": [Step(seconds=5)]})
    played = play(limited, script, limits=Limits({"agent a": 1}))
    assert played.result.status is RunStatus.SUCCESS


def test_a_replayed_run_knows_its_parts() -> None:
    script = Script({f"T/leg-{n}": [Step(seconds=n)] for n in (1, 2, 3)})
    played = run(script, THREE, when_all_ended(Outcome()))
    again = Plan("run", [Node("T"), Node("U", ("T",))])
    ledger = Ledger()
    for event in played.events:
        event = from_json(to_json(event))  # noqa: PLW2901  # as it comes out of a store
        again.check(event)
        again.apply(event)
        ledger.apply(event)
        if isinstance(event, TaskExpanded):
            assert again.state_of("T") is State.EXPANDED
    assert again.is_over
    assert again.parts_of("T") == ["T/leg-1", "T/leg-2", "T/leg-3"]
    assert ledger.result("T").metadata["legs"] == played.result.results[0].metadata["legs"]
