"""Drives a plan by hand: makes the events, answers what follows, keeps what happened, and replays it."""

import copy
import json
import pickle
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from orchestration.errors import IllegalEvent
from orchestration.events import (
    ConditionDecided,
    Event,
    RunResumed,
    RunStarted,
    TaskAdopted,
    TaskBlocked,
    TaskCancelled,
    TaskCompleted,
    TaskError,
    TaskEvent,
    TaskExpanded,
    TaskInputGiven,
    TaskNeedsInput,
    TaskSkipped,
    TaskStarted,
    from_json,
    to_json,
)
from orchestration.kinds import ExecutionStatus
from orchestration.plan import (
    FINAL,
    Ask,
    Block,
    Cancel,
    Consequence,
    Decide,
    Join,
    Limits,
    Node,
    Plan,
    Skip,
    Startable,
    State,
    Stop,
)

RUN = "run"
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
LATER = EPOCH.timestamp() + 1e9  # whatever waits for a time has come by then


def moment(second: float) -> datetime:
    """That many seconds into the run."""
    return EPOCH + timedelta(seconds=second)


FLAGS = ("keeps_limits", "joins_at_end", "joins_at_failure", "excused", "fatal")


def parts_of(event: TaskExpanded) -> list[Node]:
    """The parts that an event tells of, with whatever their items say of them."""
    return [_part(**item) for item in event.items]


def _part(id: str, needs: Sequence[str] = (), **flags: Any) -> Node:  # noqa: ANN401  # what an item says
    return Node(id, tuple(needs), **flags)


class Player:
    """One plan with what happened to it; each event happens a second after the one before.

    `conditions` are the values that `settle` gives to the tasks that have one, True where none is named; with `joins`
    it lets expanded tasks succeed when their last part has ended.
    """

    def __init__(
        self,
        nodes: Sequence[Node],
        *,
        limits: Limits | None = None,
        fail_fast: bool = False,
        conditions: Mapping[str, bool | None] | None = None,
        begun: bool = True,
        joins: bool = False,
    ) -> None:
        self.joins = joins
        self.nodes = nodes
        self.plan = Plan(RUN, nodes, limits, expand=parts_of)
        self.events: list[Event] = []
        self.conditions = dict(conditions or {})
        self.stops: dict[str, str] = {}
        self.joined: list[str] = []
        if begun:
            self.happen(RunStarted, fail_fast=fail_fast)

    def make(self, kind: type[Event], **fields: Any) -> Event:  # noqa: ANN401  # the event's own fields
        """The run's next event, which may be illegal."""
        seq = self.plan.seq + 1
        every: dict[str, Any] = {"run_id": RUN, "seq": seq, "at": moment(seq)}
        return kind(**(every | fields))

    def happen(self, kind: type[Event], **fields: Any) -> Event:  # noqa: ANN401  # the event's own fields
        """Let an event happen that must be legal."""
        event = self.make(kind, **fields)
        self.plan.apply(event)
        self._note(event)
        return event

    def _apply(self, event: Event) -> None:
        self.plan.apply(event)
        self._note(event)

    def _note(self, event: Event) -> None:
        self.events.append(event)
        if isinstance(event, RunResumed):
            self.stops.clear()  # whoever resumes is told anew
        elif isinstance(event, TaskEvent) and self.plan.state_of(event.task_id) is not State.RUNNING:
            self.stops.pop(event.task_id, None)

    def offer(self, event: Event) -> bool:
        """Let an event happen if it is legal; one that is not must leave the plan as it was."""
        before = pickle.dumps(self.plan)
        refused = _refused(self.plan.check, event)
        if refused:
            assert _refused(self.plan.apply, event) == refused
        assert pickle.dumps(self.plan) == before
        if refused:
            return False
        self._apply(event)
        return True

    # -- what follows -------------------------------------------------------------------------------------------

    def settle(self) -> list[Consequence]:
        """Answer all that follows until nothing does; attempts to stop are remembered in `stops`."""
        answered: list[Consequence] = []
        while found := self.plan.consequences():
            ids = [one.task_id for one in found]
            assert len(ids) == len(set(ids)), f"two things follow for one task: {found}"
            for one in found:
                self.answer(one)
            answered += found
        return answered

    def answer(self, one: Consequence) -> None:
        """Do what a consequence asks for."""
        task_id = one.task_id
        if isinstance(one, Decide):
            value = self.conditions.get(task_id, True)
            self.happen(ConditionDecided, task_id=task_id, value=value, error=None if value is not None else "bad")
        elif isinstance(one, Ask):
            self.happen(TaskNeedsInput, task_id=task_id)
        elif isinstance(one, Skip):
            self.happen(TaskSkipped, task_id=task_id, reason=one.reason)
        elif isinstance(one, Block):
            self.happen(TaskBlocked, task_id=task_id, reason=one.reason, by=one.by)
        elif isinstance(one, Cancel):
            self.happen(TaskCancelled, task_id=task_id, attempt=self.plan.attempt_of(task_id), cause=one.cause)
        elif isinstance(one, Stop):
            self.stops[task_id] = one.cause
        elif isinstance(one, Join):
            self.joined.append(task_id)
            if self.joins and not self.has_open_parts(task_id):
                self.complete(task_id)

    def has_open_parts(self, task_id: str) -> bool:
        """Whether a part of the task has not ended."""
        return not ended({part: self.plan.state_of(part) for part in self.plan.parts_of(task_id)})

    # -- what a scheduler does ----------------------------------------------------------------------------------

    def hand_out(self, now: float = LATER) -> Startable:
        """What the plan would start next, which is there."""
        self.settle()
        found = self.plan.next_startable(now)
        assert found is not None
        return found

    def start(self, now: float = LATER) -> str | None:
        """Start what the plan would start next."""
        self.settle()
        ready = self.plan.next_startable(now)
        if ready is not None:
            self.happen(TaskStarted, task_id=ready.task_id, attempt=ready.attempt)
        return ready.task_id if ready else None

    def start_all(self, now: float = LATER) -> list[str]:
        """Start all that may start, in the plan's order."""
        started = []
        while (task_id := self.start(now)) is not None:
            started.append(task_id)
        return started

    def expand(self, task_id: str, *items: Mapping[str, Any]) -> None:
        """Let a running or expanded task become several."""
        self.happen(TaskExpanded, task_id=task_id, attempt=self.plan.attempt_of(task_id), items=items)

    def complete(self, *task_ids: str) -> None:
        """Let the running attempts of these tasks succeed."""
        for task_id in task_ids:
            self.happen(TaskCompleted, task_id=task_id, attempt=self.plan.attempt_of(task_id))

    def fail(self, *task_ids: str, final: bool = True) -> None:
        """Let the running attempts of these tasks fail."""
        for task_id in task_ids:
            self.happen(TaskError, task_id=task_id, attempt=self.plan.attempt_of(task_id), final=final)

    def cancelled(self, task_id: str) -> Event:
        """Let a task have been cancelled."""
        return self.happen(TaskCancelled, task_id=task_id, attempt=self.plan.attempt_of(task_id))

    def adopt(self, task_id: str, status: ExecutionStatus = ExecutionStatus.SUCCESS) -> Event:
        """Let a task keep the end that it had in another run."""
        return self.happen(TaskAdopted, task_id=task_id, from_run="earlier", status=status)

    def say(self, task_id: str, action: str, **fields: Any) -> None:  # noqa: ANN401  # the event's own fields
        """Let a person answer."""
        self.happen(TaskInputGiven, task_id=task_id, action=action, **fields)

    def play(self, ends: Mapping[str, State] | None = None, slots: int = 3) -> dict[str, State]:
        """Do everything, a few at a time, first started first ended; tasks succeed unless `ends` says otherwise."""
        running: list[str] = []
        while True:
            while len(running) < slots and (started := self.start()) is not None:
                running.append(started)
            if not running:
                return self.states
            self.end(running.pop(0), (ends or {}))

    def end(self, task_id: str, ends: Mapping[str, State]) -> None:
        """End a running task as `ends` says, or because it is to be stopped."""
        self.settle()
        end = State.CANCELLED if task_id in self.stops else ends.get(task_id, State.SUCCEEDED)
        ending: dict[State, Callable[[str], Event | None]] = {
            State.SUCCEEDED: self.complete,
            State.FAILED: self.fail,
            State.CANCELLED: self.cancelled,
        }
        ending[end](task_id)
        self.settle()

    # -- what can be seen ---------------------------------------------------------------------------------------

    @property
    def states(self) -> dict[str, State]:
        """Every task's state."""
        return {node.id: self.plan.state_of(node.id) for node in self.plan.nodes}

    def reason(self, task_id: str) -> str:
        """The reason that the last event with one gives for the task's state."""
        said = [event for event in self.events if getattr(event, "task_id", None) == task_id]
        return next(reason for event in reversed(said) if (reason := _reason(event)))

    def replayed_the_long_way(self, limits: Limits | None = None, stopping: str | None = None) -> "Player":
        """The same as `replayed`, with every event applied as any event is."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Plan, "start", Plan.apply_the_long_way)
            patch.setattr(Plan, "complete", Plan.apply_the_long_way)
            return self.replayed(limits, stopping)

    def replayed(self, limits: Limits | None = None, stopping: str | None = None) -> "Player":
        """A fresh plan to which the same events happened, by way of their JSON; no event says that a caller stopped."""
        again = Player(self.nodes, limits=limits, conditions=self.conditions, begun=False, joins=self.joins)
        for event in self.events:
            stored = from_json(json.dumps(json.loads(to_json(event))))
            assert stored == event
            again._apply(stored)
            if stopping is not None and isinstance(event, RunStarted | RunResumed):
                again.plan.stop(stopping)
        return again

    def future(self) -> dict[str, Any]:
        """All that can be seen of the plan: how it stands, what is still to be done, and what could start."""
        later = copy.deepcopy(self)
        later.put_back()
        stands = facts(later.plan)
        answered = later.settle()
        return {
            "stands": stands,
            "to do": sorted(str(one) for one in answered if not isinstance(one, Stop | Join)),
            "to stop": sorted(later.stops),
            "wake at": later.plan.wake_at(),
            "ready": ready_of(later.plan),
            "settled": facts(later.plan),
        }

    def put_back(self) -> None:
        """Take back whatever was handed out and not started."""
        for task_id, state in self.states.items():
            if state in {State.WAITING, State.RETRYING} and task_id not in self.plan.held:
                self.plan.hold(task_id, "put back")
                self.plan.release(task_id)


def _refused(asked: Callable[[Event], None], event: Event) -> str:
    """Why an event is refused; empty where it is not."""
    try:
        asked(event)
    except IllegalEvent as refused:
        return str(refused)
    return ""


def _reason(event: Event) -> str:
    return getattr(event, "reason", "") or getattr(event, "cause", "") or ""


def ready_of(plan: Plan) -> list[str]:
    """What the plan would start now, in order, if nothing that starts ever ended."""
    plan, ready = copy.deepcopy(plan), []
    while (found := plan.next_startable(LATER)) is not None:
        ready.append(found.task_id)
    return ready


def facts(plan: Plan) -> dict[str, Any]:
    """What a plan says of its run and its tasks."""
    return {
        "phase": plan.phase,
        "seq": plan.seq,
        "fail_fast": plan.fail_fast,
        "stopping": plan.stopping,
        "is_over": plan.is_over,
        "status": plan.final_status() if plan.is_over else None,
        "counts": {state: plan.count(state) for state in State},
        "tasks": {
            node.id: (
                plan.state_of(node.id),
                plan.attempts_of(node.id),
                plan.tries_of(node.id),
                plan.attempt_of(node.id),
                plan.explain(node.id),
            )
            for node in plan.nodes
        },
    }


def ended(states: Mapping[str, State]) -> bool:
    """Whether all of these are final."""
    return all(state in FINAL for state in states.values())
