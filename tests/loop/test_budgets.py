"""Budgets: counted while the work goes on, stopping it when they are spent, with everything recorded."""

import asyncio
from dataclasses import dataclass, field

import pytest

from orchestration.events import UsageRecorded
from orchestration.kinds import ExecutionStatus, Failure
from orchestration.models import Budget, RetryPolicy
from orchestration.plan import Node
from orchestration.protocols import Decision, Expansion, Reporting
from orchestration.results import Outcome, Usage
from orchestration.scheduler import Job, Scheduler
from orchestration.testing import FakeDoer
from tests.loop.playing import play


@dataclass
class Spender(FakeDoer):
    """Uses a hundred tokens and ten cents each second, for so many seconds, and tells of it."""

    seconds: int = 10
    priced: bool = True
    tells: bool = True
    fails: bool = False
    cut_off: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(
            expansions={"H": Expansion("race", ({"id": "H/leg-1"}, {"id": "H/leg-2"}))},
            joins={"H": self._join},
        )

    def used(self, seconds: int) -> Usage:
        cost = round(0.1 * seconds, 6) if self.priced else None
        return Usage(input_total=80 * seconds, output_total=20 * seconds, requests=seconds, cost_usd=cost)

    async def perform(
        self, task_id: str, attempt: int, slot: int, report: Reporting, agent: str | None = None
    ) -> Outcome | Expansion:
        if task_id == "H":
            return await super().perform(task_id, attempt, slot, report, agent)
        try:
            for second in range(1, self.seconds + 1):
                await asyncio.sleep(1)
                if self.tells:
                    report.spent(self.used(second))
        except asyncio.CancelledError:
            self.cut_off.append(task_id)
            raise
        return Outcome(usage=self.used(self.seconds), failure=Failure.EXIT_CODE if self.fails else None)

    def _join(self) -> Decision | None:
        return None


def tokens(limit: int) -> Budget:
    return Budget(tokens=limit)


def test_a_task_is_ended_when_its_budget_is_spent_and_what_it_used_is_recorded() -> None:
    doer = Spender()
    played = play([Node("T"), Node("U")], jobs={"T": Job(budget=tokens(300)), "U": Job()}, doer=doer)
    task, other = played.result.results
    assert (task.status, task.failure) == (ExecutionStatus.FAILED, Failure.BUDGET)
    assert doer.cut_off == ["T"]
    assert task.usage is not None
    assert task.usage.input_total + task.usage.output_total == 300
    assert task.reason is not None
    assert "300 tokens" in task.reason
    assert other.succeeded


def test_a_budget_in_dollars_counts_what_is_priced() -> None:
    played = play([Node("T")], jobs={"T": Job(budget=Budget(cost_usd=0.45))}, doer=Spender())
    (task,) = played.result.results
    assert task.failure is Failure.BUDGET
    assert task.usage is not None
    assert task.usage.cost_usd == pytest.approx(0.5)


def test_what_has_no_price_spends_no_dollars() -> None:
    played = play([Node("T")], jobs={"T": Job(budget=Budget(cost_usd=0.01))}, doer=Spender(priced=False))
    (task,) = played.result.results
    assert task.succeeded
    assert task.usage is not None
    assert task.usage.cost_usd is None


def test_time_is_a_budget_over_all_attempts_of_a_task() -> None:
    retry = RetryPolicy.model_validate({"max": 5, "backoff": 0})
    jobs = {"T": Job(budget=Budget(wall=25), retry=retry)}
    played = play([Node("T")], jobs=jobs, doer=Spender(fails=True))
    (task,) = played.result.results
    assert task.failure is Failure.BUDGET
    assert [attempt.outcome.failure for attempt in task.attempts] == [
        Failure.EXIT_CODE,
        Failure.EXIT_CODE,
        Failure.BUDGET,
    ]
    assert played.seconds == pytest.approx(25)


def test_no_other_attempt_begins_when_the_budget_is_spent() -> None:
    retry = RetryPolicy.model_validate({"max": 5, "backoff": 0})
    jobs = {"T": Job(budget=tokens(900), retry=retry)}
    played = play([Node("T")], jobs=jobs, doer=Spender(fails=True, tells=False))
    (task,) = played.result.results
    assert len(task.attempts) == 1
    assert task.reason is not None
    assert "900 tokens" in task.reason


def test_a_success_stands_though_it_used_up_the_budget() -> None:
    played = play([Node("T")], jobs={"T": Job(budget=tokens(500))}, doer=Spender(tells=False))
    assert played.result.results[0].succeeded


def test_a_runs_budget_ends_what_runs_and_begins_nothing_more() -> None:
    doer = Spender()
    played = play([Node(f"T{n}") for n in range(6)], slots=2, doer=doer, budget=tokens(600))
    assert played.result.reason == "budget"
    assert [result.failure for result in played.result.results[:2]] == [Failure.BUDGET] * 2
    assert {result.status for result in played.result.results[2:]} == {ExecutionStatus.CANCELLED}
    assert {result.reason for result in played.result.results[2:]} == {"not_started"}
    assert played.result.usage is not None
    assert played.result.usage.input_total + played.result.usage.output_total == pytest.approx(600, abs=100)
    assert played.seconds == pytest.approx(3)


def test_a_runs_budget_of_time_ends_it() -> None:
    played = play([Node("T")], doer=Spender(seconds=100), budget=Budget(wall=7))
    assert played.result.reason == "budget"
    assert played.seconds == pytest.approx(7)


def test_parts_count_for_their_task() -> None:
    doer = Spender()
    job = Job(parent="H")
    jobs = {"H": Job(budget=tokens(600)), "H/leg-1": job, "H/leg-2": job}

    async def decide_by_the_ledger(scheduler: Scheduler) -> None:
        def both_ended() -> Decision | None:
            ended = [scheduler.recorder.ledger.status_of(f"H/leg-{n}").is_final for n in (1, 2)]
            return Outcome(failure=Failure.BUDGET, metadata={"sum_of_parts": True}) if all(ended) else None

        doer._joins = {"H": both_ended}  # noqa: SLF001  # the fake's own table

    played = play([Node("H")], jobs=jobs, doer=doer, meddle=decide_by_the_ledger)
    assert sorted(doer.cut_off) == ["H/leg-1", "H/leg-2"]
    assert played.result.results[0].failure is Failure.BUDGET
    assert played.seconds == pytest.approx(3)


def test_what_a_running_attempt_has_used_is_recorded_every_few_seconds() -> None:
    played = play([Node("T")], doer=Spender(seconds=23))
    recorded = [event.usage.requests for event in played.events if isinstance(event, UsageRecorded)]
    assert recorded == [1, 6, 11, 16, 21]


def test_recording_what_is_used_needs_no_other_event_to_become_durable() -> None:
    played = play([Node("T")], doer=Spender(seconds=12))
    seen = [event.type for event in played.told]
    assert seen.index("usage_recorded") < seen.index("task_completed")
