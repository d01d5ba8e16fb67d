"""Accounts that reach their limit: everybody waits once, nobody fails, and nobody asks more than is allowed."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from orchestration.events import AccountPaused, LimitsChanged, TaskError, TaskStarted
from orchestration.kinds import ExecutionStatus, Failure, RunStatus
from orchestration.models import Account, Backoff, RetryPolicy
from orchestration.plan import Fallback, Limits, Node
from orchestration.protocols import Expansion, Reporting
from orchestration.results import Outcome
from orchestration.scheduler import Job
from orchestration.testing import FakeDoer, Script, Step
from tests.loop.playing import Played, play

TEAM = Job(agent="coder", account="team")
PLAIN = Job(agent="shell")


@dataclass
class Service(FakeDoer):
    """Answers so many requests in each window of time, and refuses all others until the next window."""

    allowed: int
    window: float = 60.0
    says_when: bool = True
    seconds: float = 5.0
    asked: list[tuple[float, str, str | None]] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    async def perform(
        self, task_id: str, attempt: int, slot: int, report: Reporting, agent: str | None = None
    ) -> Outcome | Expansion:
        del attempt, slot, report
        if task_id.startswith("free") or agent is not None:
            self.asked.append((asyncio.get_running_loop().time(), task_id, agent))
            return Outcome()
        now = asyncio.get_running_loop().time()
        begun = now // self.window
        answered = [at for at, _, who in self.asked if at // self.window == begun and who is None]
        if len(answered) >= self.allowed:
            self.refused.append(now)
            await asyncio.sleep(0.1)
            left = (begun + 1) * self.window - asyncio.get_running_loop().time()
            facts = {"retry_after": left} if self.says_when else {}
            return Outcome(failure=Failure.RATE_LIMITED, error="slow down", metadata=facts)
        self.asked.append((now, task_id, None))
        await asyncio.sleep(self.seconds)
        return Outcome(output="done")


def team(count: int) -> list[Node]:
    return [Node(f"T{n}", limits=("account team",)) for n in range(count)]


def run(nodes: Sequence[Node], service: Service, account: Account | None = None, slots: int = 10) -> Played:
    jobs = {node.id: PLAIN if node.id.startswith("free") else TEAM for node in nodes}
    return play(nodes, slots=slots, jobs=jobs, doer=service, accounts={"team": account or Account()})


@pytest.mark.parametrize("allowed", [1, 2, 3, 5, 9])
def test_ten_at_once_wait_for_the_reset_and_none_fails(allowed: int) -> None:
    service = Service(allowed)
    played = run(team(10), service)
    assert played.result.status is RunStatus.SUCCESS
    assert all(result.status is ExecutionStatus.SUCCESS for result in played.result.results)
    assert {result.failure for result in played.result.results} == {None}


@pytest.mark.parametrize("allowed", [1, 2, 3, 5, 9])
def test_after_the_first_refusal_nobody_asks_before_the_reset(allowed: int) -> None:
    service = Service(allowed)
    played = run(team(10), service)
    first = service.refused[0]
    assert {at for at in service.refused if at < 60} == {first}  # those that were in flight with it
    assert not [at for at, _, _ in service.asked if first < at < 60]
    assert played.types().count("account_paused") >= 1


@pytest.mark.parametrize("allowed", [2, 3, 5])
def test_what_was_let_through_once_is_not_exceeded_at_once_again(allowed: int) -> None:
    service = Service(allowed)
    played = run(team(10), service)
    running = peak = 0
    paused = False
    for event in played.events:
        paused = paused or isinstance(event, AccountPaused)
        if paused and isinstance(event, TaskStarted):
            running += 1
            peak = max(peak, running)
        elif paused and event.type in {"task_completed", "task_error"}:
            running = max(0, running - 1)
    assert peak <= allowed


def test_a_window_shrinks_once_for_each_episode() -> None:
    played = run(team(10), Service(4))
    shrunk = [event for event in played.events if isinstance(event, LimitsChanged)]
    episodes = [event for event in played.events if isinstance(event, AccountPaused)]
    assert shrunk[0].limit == 4
    assert len([one for one in shrunk if "fewer" in one.reason]) <= len(episodes)


def test_a_window_grows_again_while_all_goes_well() -> None:
    service = Service(12, window=1000)
    played = run(team(60), service, slots=20)
    limits = [event.limit for event in played.events if isinstance(event, LimitsChanged) and event.limit]
    assert played.result.status is RunStatus.SUCCESS
    assert max(limits) > limits[0] >= 1


def test_others_go_on_while_an_account_pauses() -> None:
    nodes = [*team(3), *(Node(f"free{n}") for n in range(3))]
    service = Service(1)
    played = run(nodes, service, slots=1)
    free = [at for at, task_id, _ in service.asked if task_id.startswith("free")]
    assert max(free) < 60
    assert played.result.status is RunStatus.SUCCESS


def test_waiting_uses_up_no_try() -> None:
    service = Service(1)
    jobs = {f"T{n}": Job(agent="coder", account="team", retry=RetryPolicy(max=1)) for n in range(4)}
    played = play(team(4), slots=4, jobs=jobs, doer=service, accounts={"team": Account()})
    assert played.result.status is RunStatus.SUCCESS
    assert max(len(result.attempts) for result in played.result.results) > 1
    numbers = [attempt.number for attempt in played.result.results[3].attempts]
    assert numbers == list(range(1, len(numbers) + 1))


def test_a_refusal_that_names_no_time_is_waited_for_by_backoff() -> None:
    service = Service(2, says_when=False)
    account = Account(backoff=Backoff(initial=10, factor=2, max=100))
    played = run(team(4), service, account)
    pauses = [event for event in played.events if isinstance(event, AccountPaused)]
    assert played.result.status is RunStatus.SUCCESS
    waits = [(event.until - event.at).total_seconds() for event in pauses if event.until]
    assert waits[0] == pytest.approx(10, abs=0.5)
    assert waits[:3] == sorted(waits[:3])


@pytest.mark.parametrize(
    "facts",
    [
        {"resets_at": "2286-11-20T17:46:39+00:00"},
        {"resets_at": "9999-12-31T23:59:59-12:00"},
        {"retry_after": 1e15},
        {"retry_after": float("inf")},
        {"retry_after": float("nan")},
    ],
)
def test_a_time_that_no_limit_lasts_until_is_waited_for_by_backoff(facts: dict[str, Any]) -> None:
    refused = Outcome(failure=Failure.RATE_LIMITED, error="slow down", metadata=facts)
    doer = FakeDoer(Script({"T0": [Step(outcome=refused), Step()]}))
    accounts = {"team": Account(backoff=Backoff(initial=10))}
    played = play(team(1), jobs={"T0": TEAM}, doer=doer, accounts=accounts)
    assert played.result.status is RunStatus.SUCCESS
    assert played.seconds == pytest.approx(10, abs=3)


def test_a_reset_beyond_what_is_waited_for_pauses_the_run() -> None:
    service = Service(1, window=100_000)
    played = run([*team(3), Node("free")], service, Account(max_wait=3600))
    assert played.result.status is RunStatus.PAUSED
    assert played.seconds < 3600
    states = {result.task_id: result.status for result in played.result.results}
    assert states["free"] is ExecutionStatus.SUCCESS
    waiting = [result for result in played.result.results if not result.status.is_final]
    assert {result.failure for result in waiting} == {Failure.RATE_LIMITED}
    assert "account" in (played.result.reason or "")


def test_a_fallback_works_only_while_the_account_is_exhausted() -> None:
    nodes = [Node(f"T{n}", limits=("account team",), fallback=Fallback("spare")) for n in range(6)]
    jobs = {node.id: Job(agent="coder", account="team", fallback="spare") for node in nodes}
    service = Service(2, window=3600)
    played = play(nodes, slots=3, jobs=jobs, doer=service, accounts={"team": Account()})
    started = [event for event in played.events if isinstance(event, TaskStarted)]
    assert played.result.status is RunStatus.SUCCESS
    assert [event.agent for event in started[:3]] == ["coder"] * 3
    assert {event.agent for event in started[3:]} == {"spare"}
    assert played.seconds < 60


def test_a_short_refusal_is_no_exhaustion_and_the_fallback_is_not_paid_for() -> None:
    nodes = [Node(f"T{n}", limits=("account team",), fallback=Fallback("spare")) for n in range(3)]
    jobs = {node.id: Job(agent="coder", account="team", fallback="spare") for node in nodes}
    service = Service(2, window=20)
    played = play(nodes, slots=3, jobs=jobs, doer=service, accounts={"team": Account()})
    assert {event.agent for event in played.events if isinstance(event, TaskStarted)} == {"coder"}


def refusal(seconds: float) -> Step:
    return Step(outcome=Outcome(failure=Failure.RATE_LIMITED, error="slow down", metadata={"retry_after": seconds}))


def test_an_account_that_was_exhausted_once_is_not_so_at_a_short_refusal_much_later() -> None:
    nodes = [Node(f"T{n}", limits=("account team",), fallback=Fallback("spare")) for n in range(4)]
    late = [replace(node, needs=("free",)) for node in nodes[1:]]
    steps = {"T0": [refusal(100), Step()], "free": [Step(seconds=150)], "T2": [refusal(5), Step()]}
    jobs = {node.id: Job(agent="coder", account="team", fallback="spare") for node in nodes} | {"free": PLAIN}
    doer = FakeDoer(Script(steps))
    played = play([Node("free"), nodes[0], *late], slots=2, jobs=jobs, doer=doer, accounts={"team": Account()})
    assert played.result.status is RunStatus.SUCCESS
    who = [(event.task_id, event.agent) for event in played.events if isinstance(event, TaskStarted)]
    assert [task_id for task_id, agent in who if agent == "spare"] == ["T0"]


def test_an_account_that_was_given_up_once_is_waited_for_at_a_short_refusal_much_later() -> None:
    shared: dict[str, Any] = {"jobs": {"T0": TEAM}, "accounts": {"team": Account(max_wait=60)}, "limits": Limits()}
    for hour, seconds, status in ((0, 3600, RunStatus.PAUSED), (2, 5, RunStatus.SUCCESS), (4, 3600, RunStatus.PAUSED)):
        doer = FakeDoer(Script({"T0": [refusal(seconds), Step()]}))
        played = play(team(1), doer=doer, clock=lambda: 1.8e9 + hour * 3600, **shared)  # noqa: B023  # called at once
        assert played.result.status is status


def test_a_refused_task_without_an_account_waits_alone() -> None:
    service = Service(1)
    played = play([Node("T0"), Node("T1")], slots=2, jobs={"T0": PLAIN, "T1": PLAIN}, doer=service, accounts={})
    assert played.result.status is RunStatus.SUCCESS
    assert "account_paused" not in played.types()


def test_a_declared_limit_of_an_account_bounds_all_its_agents_together() -> None:
    nodes = [Node(f"T{n}", limits=("account team",)) for n in range(8)]
    service = Service(100)
    jobs = {node.id: Job(agent=f"coder-{n % 2}", account="team") for n, node in enumerate(nodes)}
    limits = Limits({"account team": 2})
    played = play(nodes, slots=8, jobs=jobs, doer=service, limits=limits)
    assert played.seconds == pytest.approx(4 * service.seconds)


def test_each_refusal_is_recorded_as_the_end_of_an_attempt() -> None:
    played = run(team(3), Service(1))
    errors = [event for event in played.events if isinstance(event, TaskError)]
    assert errors
    assert all(event.outcome.failure is Failure.RATE_LIMITED and not event.final for event in errors)


def test_a_run_pauses_though_a_task_of_the_account_never_began() -> None:
    service = Service(0, window=100_000)
    nodes = [Node("T0", limits=("account team",)), Node("free"), Node("T1", limits=("account team",))]
    played = run(nodes, service, Account(max_wait=5), slots=1)
    assert played.result.status is RunStatus.PAUSED
    assert [result.status for result in played.result.results] == [
        ExecutionStatus.IN_PROGRESS,
        ExecutionStatus.SUCCESS,
        ExecutionStatus.PENDING,
    ]
