"""Random graphs, random events, legal and not: whatever happens, the plan's promises hold and a replay agrees."""

import copy
from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import Phase as HypothesisPhase
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from orchestration.errors import IllegalEvent
from orchestration.events import (
    STORED,
    AttemptEnd,
    AttemptInterrupted,
    Event,
    RetryScheduled,
    RunCompleted,
    RunError,
    RunPaused,
    RunResumed,
    TaskAdopted,
    TaskBlocked,
    TaskCompleted,
    TaskError,
    TaskEvent,
    TaskInputGiven,
    TaskNeedsInput,
    TaskSkipped,
    TaskStarted,
)
from orchestration.kinds import ExecutionStatus, OnCrash, RunStatus, RunWhen
from orchestration.plan import FINAL, Limits, Node, Phase, State
from tests.core.plans import FLAGS, LATER, Player, moment, ready_of

CAPS = {"a": 1, "b": 2}
IDS = "PQRSTUVW"
ACTIONS = ("complete", "fail", "approve", "reject", "cancel", "retry", "sing")
MAX_TASKS = 30
MAX_ROUNDS = 200
"""Far more than any of these runs needs; one that is not over by then never will be."""

FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "value": st.sampled_from([True, False, None]),
    "due_at": st.none() | st.integers(0, 200).map(moment),
    "action": st.sampled_from(ACTIONS),
    "final": st.booleans(),
    "then": st.sampled_from(OnCrash),
    "fail_fast": st.booleans(),
    "items": st.sampled_from([(), ({"id": "X"},), ({"id": "X"}, {"id": "X"}), ({"id": "Y", "needs": ["X"]},)]),
}
STATUSES = st.sampled_from(ExecutionStatus)

SOME_FLAGS = st.fixed_dictionaries({flag: st.sampled_from([False, False, True]) for flag in FLAGS})


@st.composite
def graphs(draw: st.DrawFn) -> list[Node]:
    """Tasks declared in any order, each with dependencies, a policy, and some of all that can keep it."""
    nodes = []
    for n, name in enumerate(IDS[: draw(st.integers(1, len(IDS)))]):
        external = draw(st.integers(0, 9)) == 0
        needs = st.lists(st.sampled_from(IDS[:n]), max_size=3, unique=True) if n and not external else st.just([])
        flags: dict[str, Any] = draw(SOME_FLAGS)
        node = Node(
            name,
            needs=tuple(draw(needs)),
            run_when=draw(st.sampled_from([*RunWhen, *[RunWhen.ALL_SUCCEEDED] * 3])),
            conditional=draw(st.integers(0, 3)) == 0,
            approve=draw(st.integers(0, 4)) == 0,
            rank=draw(st.integers(0, 3)),
            weight=draw(st.sampled_from([0.0, 1.0, 2.5])),
            limits=tuple(sorted(draw(st.sets(st.sampled_from("ab"))))),
            external=external,
            **flags,
        )
        nodes.append(node)
    return draw(st.permutations(nodes))


class Books:
    """Our own books of a run, kept in the plainest way, from its events alone."""

    def __init__(self, player: Player) -> None:
        self.player = player
        self.seen = 0
        self.open: dict[str, int | None] = {}
        self.ended: set[str] = set()

    def catch_up(self) -> None:
        """Note what has happened since the last time; an attempt begins and ends once, and so does a task."""
        new, self.seen = self.player.events[self.seen :], len(self.player.events)
        for event in new:
            if isinstance(event, TaskEvent):
                self.note(event)

    def note(self, event: TaskEvent) -> None:
        task_id = event.task_id
        if isinstance(event, TaskStarted):
            assert task_id not in self.open
            assert task_id not in self.ended
            self.open[task_id] = event.attempt
        elif isinstance(event, AttemptEnd) and event.attempt is not None:
            assert self.open.pop(task_id) == event.attempt
        if ends_its_task(event):
            assert task_id not in self.ended
            self.ended.add(task_id)
        elif isinstance(event, TaskInputGiven) and event.action == "retry":
            self.ended.discard(task_id)


def ends_its_task(event: Event) -> bool:
    if isinstance(event, TaskError):
        return event.final
    if isinstance(event, AttemptInterrupted):
        return event.then is OnCrash.FAIL
    return isinstance(event, AttemptEnd | TaskSkipped | TaskBlocked | TaskAdopted)


class PlanMachine(RuleBasedStateMachine):
    """A scheduler that does the right things at any time, among others that do anything at all."""

    @initialize(
        nodes=graphs(),
        fail_fast=st.booleans(),
        conditions=st.dictionaries(st.sampled_from(IDS), FIELDS["value"]),
    )
    def begin(self, nodes: list[Node], fail_fast: bool, conditions: dict[str, bool | None]) -> None:
        self.player = Player(nodes, joins=True, limits=Limits(CAPS), fail_fast=fail_fast, conditions=conditions)
        self.plan = self.player.plan
        self.books = Books(self.player)

    @property
    def nodes(self) -> dict[str, Node]:
        return {node.id: node for node in self.plan.nodes}

    def pick(self, data: st.DataObject, *states: State) -> str | None:
        found = [task_id for task_id, state in self.player.states.items() if state in states]
        return data.draw(st.sampled_from(found)) if found else None

    def offer(self, kind: type[Event], **fields: Any) -> bool:  # noqa: ANN401  # the event's own fields
        return self.player.offer(self.player.make(kind, **fields))

    # -- what a scheduler does ----------------------------------------------------------------------------------

    @rule()
    def settle(self) -> None:
        self.player.settle()

    @rule()
    def start(self) -> None:
        ready = self.plan.next_startable(LATER)
        if ready is not None:
            assert self.offer(TaskStarted, task_id=ready.task_id, attempt=ready.attempt)

    @rule()
    def hand_out_and_do_nothing_with_it(self) -> None:
        self.plan.next_startable(LATER)

    @rule()
    def put_back(self) -> None:
        self.player.put_back()

    @rule(data=st.data(), how=st.sampled_from(["complete", "fail", "retry", "cancel", "interrupt", "ask"]))
    def end(self, data: st.DataObject, how: str) -> None:
        task_id = self.pick(data, State.RUNNING)
        if task_id is None:
            return
        attempt = self.plan.attempt_of(task_id)
        if how == "complete":
            self.player.complete(task_id)
        elif how == "cancel":
            self.player.cancelled(task_id)
        elif how == "ask":
            self.player.happen(TaskNeedsInput, task_id=task_id, attempt=attempt)
        elif how == "interrupt":
            self.player.happen(AttemptInterrupted, task_id=task_id, attempt=attempt, then=data.draw(FIELDS["then"]))
        else:
            self.player.fail(task_id, final=how == "fail")
            if how == "retry" and data.draw(st.booleans()):
                self.player.happen(RetryScheduled, task_id=task_id, due_at=moment(data.draw(st.integers(0, 200))))

    @rule(data=st.data(), count=st.integers(0, 3), flags=SOME_FLAGS)
    def expand(self, data: st.DataObject, count: int, flags: dict[str, bool]) -> None:
        task_id = self.pick(data, State.RUNNING, State.EXPANDED)
        if task_id is None or len(self.plan.nodes) > MAX_TASKS:
            return
        names = [f"{task_id}/{len(self.plan.nodes) + n}" for n in range(count)]
        needs = [data.draw(st.lists(st.sampled_from(names[:n]), unique=True)) if n else [] for n in range(count)]
        self.player.expand(
            task_id, *({"id": name, "needs": row, **flags} for name, row in zip(names, needs, strict=True))
        )

    @rule(data=st.data(), action=st.sampled_from(ACTIONS))
    def answer(self, data: st.DataObject, action: str) -> None:
        task_id = self.pick(data, State.NEEDS_INPUT)
        if task_id is not None and self.offer(TaskInputGiven, task_id=task_id, action=action):
            attempt = self.plan.attempt_of(task_id)
            if action == "complete":
                self.player.happen(TaskCompleted, task_id=task_id, attempt=attempt)
            elif action in {"fail", "reject"}:
                self.player.happen(TaskError, task_id=task_id, attempt=attempt, final=True)

    @rule(data=st.data())
    def reopen(self, data: st.DataObject) -> None:
        task_id = self.pick(data, State.FAILED, State.SUCCEEDED, State.BLOCKED, State.CANCELLED)
        if task_id is not None:
            reopened = self.offer(TaskInputGiven, task_id=task_id, action="retry")
            assert reopened is not self.plan.is_part(task_id)

    @rule(data=st.data(), status=STATUSES)
    def adopt(self, data: st.DataObject, status: ExecutionStatus) -> None:
        task_id = self.pick(data, State.WAITING, State.RETRYING)
        if task_id is not None:
            self.offer(TaskAdopted, task_id=task_id, status=status)

    # -- what else happens --------------------------------------------------------------------------------------

    @rule(
        kind=st.sampled_from(STORED),
        task_id=st.sampled_from([*IDS, "nobody"]),
        attempt=st.none() | st.integers(0, 3),
        fields=st.fixed_dictionaries(FIELDS),
        wrong=st.sampled_from([{}] * 6 + [{"seq": 1}, {"run_id": "another"}]),
    )
    def let_anything_happen(
        self,
        kind: type[Event],
        task_id: str,
        attempt: int | None,
        fields: dict[str, Any],
        wrong: dict[str, Any],
    ) -> None:
        chosen = {name: value for name, value in fields.items() if name in kind.__match_args__} | wrong
        if issubclass(kind, TaskEvent):
            chosen |= {"task_id": task_id, "attempt": attempt}
        if kind is TaskStarted and task_id in self.nodes and self.plan.limits.full(self.nodes[task_id].limits):
            return  # limits are for whoever starts by asking; what has happened is never refused because of them
        self.offer(kind, **chosen)

    @rule()
    def stop(self) -> None:
        self.plan.stop("Ctrl-C")

    @rule(data=st.data())
    def hold(self, data: st.DataObject) -> None:
        task_id = self.pick(data, State.WAITING, State.RETRYING, State.NEEDS_INPUT)
        if task_id is not None:
            self.plan.hold(task_id, "another run has it")

    @precondition(lambda self: self.plan.has_held)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        self.plan.release(data.draw(st.sampled_from(self.plan.held)))

    @rule(kind=st.sampled_from([RunPaused, RunCompleted, RunError]))
    def turn(self, kind: type[Event]) -> None:
        self.offer(kind)

    @rule(fail_fast=st.booleans())
    def resume(self, fail_fast: bool) -> None:
        assert self.offer(RunResumed, fail_fast=fail_fast)

    # -- what always holds --------------------------------------------------------------------------------------

    @invariant()
    def the_books_are_right(self) -> None:
        self.books.catch_up()
        states = self.player.states
        assert {state: self.plan.count(state) for state in State} == dict.fromkeys(State, 0) | Counter(states.values())
        assert {task_id for task_id, state in states.items() if state in FINAL} == self.books.ended
        assert self.plan.is_over == all(task_id in self.books.ended for task_id in self.own())
        for task_id, state in states.items():
            assert self.plan.attempt_of(task_id) == self.books.open.get(task_id)
            assert (state is State.RUNNING) <= (task_id in self.books.open)
            assert (task_id in self.books.open) <= (state in {State.RUNNING, State.NEEDS_INPUT, State.EXPANDED})
            if state is State.EXPANDED:
                self.it_may_end_when_its_parts_have_ended(task_id)
            assert 0 <= self.plan.tries_of(task_id) <= self.plan.attempts_of(task_id)

    def it_may_end_when_its_parts_have_ended(self, task_id: str) -> None:
        end = self.player.make(TaskCompleted, task_id=task_id, attempt=self.plan.attempt_of(task_id))
        if self.plan.phase is Phase.ENDED or self.player.has_open_parts(task_id):
            with pytest.raises(IllegalEvent):
                self.plan.check(end)
        else:
            self.plan.check(end)

    @invariant()
    def limits_are_not_exceeded(self) -> None:
        for name, cap in CAPS.items():
            assert self.running_with(name) <= self.plan.limits.in_use(name) <= cap

    def running_with(self, name: str) -> int:
        states = self.player.states
        return sum(name in node.limits and uses_limits(node, states[node.id]) for node in self.nodes.values())

    def declared(self) -> list[str]:
        return [node.id for node in self.player.nodes if not node.external]

    def own(self) -> list[str]:
        return [task_id for task_id, node in self.nodes.items() if not node.external]

    @rule()
    def a_replay_agrees(self) -> None:
        future = self.player.future()
        for replayed in (self.player.replayed, self.player.replayed_the_long_way):
            again = replayed(Limits(CAPS), self.plan.stopping)
            for task_id in self.plan.held:
                again.plan.hold(task_id, "another run has it")
            assert again.future() == future

    @precondition(lambda self: self.plan.phase is Phase.OPEN and self.plan.stopping is None)
    @rule()
    def what_waits_has_a_reason(self) -> None:
        later = copy.deepcopy(self.player)
        later.put_back()
        later.settle()
        ready = set(ready_of(later.plan)) if later.plan.stopping is None else {*self.nodes}
        for task_id in self.own():
            if later.plan.state_of(task_id) is State.WAITING and not self.nodes[task_id].limits:
                assert task_id in ready or later.plan.explain(task_id)

    # -- and in the end -----------------------------------------------------------------------------------------

    def teardown(self) -> None:
        if not hasattr(self, "plan"):
            return
        self.a_replay_agrees()
        self.bring_to_its_end()
        self.the_books_are_right()
        assert {self.player.states[task_id] for task_id in self.own()} <= FINAL
        assert [self.plan.limits.in_use(name) for name in CAPS] == [0, 0]
        assert not self.plan.has_held
        assert self.plan.wake_at() is None
        self.a_replay_agrees()
        if self.plan.phase is not Phase.ENDED:
            status = self.plan.final_status()
            if all(map(self.is_well, self.declared())) and not self.plan_is_faulted():
                assert status is RunStatus.SUCCESS
            assert self.offer(RunCompleted, status=status)

    def plan_is_faulted(self) -> bool:
        return any(isinstance(event, RunError) for event in self.player.events)

    def is_well(self, task_id: str) -> bool:
        state = self.player.states[task_id]
        excused = self.nodes[task_id].excused and state is State.FAILED
        return excused or state in {State.SUCCEEDED, State.SKIPPED}

    def bring_to_its_end(self) -> None:
        """Go on as a scheduler would, with people who agree to everything, until the run is over."""
        if not self.plan.is_over:
            self.resume(fail_fast=False)
        for task_id in self.plan.held:
            self.plan.release(task_id)
        for _ in range(MAX_ROUNDS):
            self.player.settle()
            if self.plan.is_over:
                return
            self.player.start_all()
            for task_id, state in self.player.states.items():
                self.go_on(task_id, state)
        pytest.fail(f"the run is not over: { ({i: (s, self.plan.explain(i)) for i, s in self.player.states.items()}) }")

    def go_on(self, task_id: str, state: State) -> None:
        if state is State.WAITING and self.nodes[task_id].external:
            self.player.happen(TaskBlocked, task_id=task_id)
        elif state is State.RUNNING and task_id in self.player.stops:
            self.player.cancelled(task_id)
        elif state is State.RUNNING or (state is State.NEEDS_INPUT and self.plan.attempt_of(task_id) is not None):
            self.player.complete(task_id)
        elif state is State.NEEDS_INPUT:
            self.player.say(task_id, "approve")
        elif state is State.RETRYING and self.plan.wake_at() is None:
            self.player.happen(RetryScheduled, task_id=task_id, due_at=moment(0))


def uses_limits(node: Node, state: State) -> bool:
    return state is State.RUNNING or (node.keeps_limits and state is State.EXPANDED)


TestPlan = PlanMachine.TestCase
TestPlan.settings = settings(
    max_examples=50,
    stateful_step_count=40,
    phases=[stage for stage in HypothesisPhase if stage is not HypothesisPhase.explain],  # traces every line: too slow
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestPlan.pytestmark = [pytest.mark.slow]  # type: ignore[attr-defined]  # pytest looks for it there
