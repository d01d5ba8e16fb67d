"""What a run would do, without doing it: the same plan driven through made-up events in hours instead of seconds.

Every task takes its `estimate_hours` (one unit where it has none) and succeeds; conditions are taken to be true, and
what waits for a person stays open. So the order, the limits, the critical path and the makespan come from the very code
that will decide in earnest.
"""

from collections.abc import Container, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from heapq import heappop, heappush
from typing import Any, Final

from orchestration.errors import OrchError
from orchestration.events import (
    OUTSIDE,
    ConditionDecided,
    Event,
    TaskAdopted,
    TaskBlocked,
    TaskCompleted,
    TaskNeedsInput,
    TaskSkipped,
    TaskStarted,
)
from orchestration.events import RunStarted as Began
from orchestration.executor import Planned, node_of
from orchestration.graph import Graph
from orchestration.orchestrator.persons import Kept
from orchestration.orchestrator.resting import Rest
from orchestration.orchestrator.standings import adoption, is_kept, is_satisfied
from orchestration.plan import Ask, Block, Decide, Limits, Node, Plan, Skip, State
from orchestration.protocols import Standing
from orchestration.records import dataclass

_NOTHING: Final = Kept()
_START = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class ForecastTask:
    """One task of the forecast; `start` and `end` are hours (or units) from the run's start.

    `claimed_by` is the run that goes on now and has the task: another one would wait for what comes of it.
    `waits_until` is the time (ISO 8601) before which it does not start, because its account has reached its limit or
    its next try is put off.
    """

    task_id: str
    title: str
    agent: str
    agent_reason: str
    will_run: bool
    why: str
    order: int | None
    depends_on: tuple[str, ...]
    priority: str
    start: float | None
    end: float | None
    estimate: float
    critical: bool
    claimed_by: str | None = None
    waits_until: str | None = None

    def put_off(self, rest: Rest | None) -> "ForecastTask":
        """The task while its account has reached its limit, or until its next try is due."""
        if rest is None or not self.will_run:
            return self
        why = f"{self.why}; {rest}" if self.depends_on else str(rest)
        return replace(self, why=why, waits_until=rest.until.isoformat())

    def to_dict(self) -> dict[str, Any]:
        """The task's forecast as JSON."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a run would do: first the tasks that run, in their order, then those that do not.

    `estimated` is False where no task has an estimate: then hours are units of one task each.
    """

    tasks: tuple[ForecastTask, ...]
    critical_path: tuple[str, ...]
    critical_hours: float
    makespan_hours: float
    work_hours: float
    max_concurrent: int
    estimated: bool

    def put_off(self, rests: Mapping[str, Rest]) -> "Forecast":
        """The forecast where some tasks start after a moment only, of which the made-up hours know nothing."""
        return replace(self, tasks=tuple(task.put_off(rests.get(task.task_id)) for task in self.tasks))

    def to_dict(self) -> dict[str, Any]:
        """The forecast as JSON."""
        data: dict[str, Any] = {name: getattr(self, name) for name in self.__slots__}
        return data | {"tasks": [task.to_dict() for task in self.tasks]}


class _Rehearsal:
    """A plan that is driven in made-up time."""

    def __init__(self, nodes: Sequence[Node], people: Container[str], caps: Limits) -> None:
        self.plan = Plan("forecast", nodes, caps)
        self.people = people  # the tasks that wait for a person
        self.hours = 0.0
        self.times: dict[str, tuple[float, float]] = {}

    def emit(self, kind: type[Event], **fields: Any) -> None:  # noqa: ANN401  # the event's own fields
        event = kind(run_id="forecast", seq=self.plan.seq + 1, at=_START, **fields)
        self.plan.apply(event)

    def settle(self) -> None:
        while found := self.plan.consequences():
            for consequence in found:
                task_id = consequence.task_id
                if isinstance(consequence, Decide):
                    self.emit(ConditionDecided, task_id=task_id, value=True)
                elif isinstance(consequence, Ask):
                    self.emit(TaskNeedsInput, task_id=task_id)
                elif isinstance(consequence, Skip):
                    self.emit(TaskSkipped, task_id=task_id, reason=consequence.reason)
                elif isinstance(consequence, Block):
                    self.emit(TaskBlocked, task_id=task_id, reason=consequence.reason, by=consequence.by)

    def play(self, slots: int) -> None:
        running: list[tuple[float, int, str]] = []
        self.settle()
        while True:
            while len(running) < slots and (start := self.plan.next_startable(0.0)) is not None:
                self.emit(TaskStarted, task_id=start.task_id, attempt=start.attempt)
                if start.task_id in self.people:
                    self.emit(TaskNeedsInput, task_id=start.task_id, attempt=start.attempt)
                    continue
                i = self.plan.graph.index[start.task_id]
                end = self.hours + self.plan.nodes[i].weight
                self.times[start.task_id] = self.hours, end
                heappush(running, (end, i, start.task_id))
            if not running:
                return
            self.hours, _, task_id = heappop(running)
            self.emit(TaskCompleted, task_id=task_id, attempt=1)
            self.settle()


def forecast(
    planned: Sequence[Planned],
    caps: Limits,
    standings: Mapping[str, Standing],
    agent_reasons: Mapping[str, str],
    max_concurrent: int,
    *,
    force: bool = False,
    kept: Kept = _NOTHING,
) -> Forecast:
    """Rehearse a run of the planned tasks.

    Args:
        planned: the tasks with who does them.
        caps: the limits of agents and pools.
        standings: how tasks stand.
        agent_reasons: why each has its agent.
        max_concurrent: how many at once.
        force: do again what was done before.
        kept: the tasks that are not begun now.
    """
    claimed, asked = kept.claimed, kept.asked
    by_id = {task.id: task for task in planned}
    nodes = [node_of(task, caps) for task in planned]
    rehearsal = _Rehearsal(nodes, {*asked, *(task.id for task in planned if _needs_person(task))}, caps)
    _adopt(rehearsal, planned, standings, force=force)
    rehearsal.play(max_concurrent)
    times = rehearsal.times
    path, critical_hours = _critical(nodes, times)
    order = {task_id: number for number, task_id in enumerate([name for name in times if name not in claimed], start=1)}
    own = [task for task in planned if not task.external]
    tasks = [
        _row(task, rehearsal, standings, agent_reasons, order.get(task.id), critical=task.id in path) for task in own
    ]
    tasks = [_asked_about(row, asked[row.task_id]) if row.task_id in asked else row for row in tasks]
    tasks = [_waited_for(row, claimed[row.task_id]) if row.task_id in claimed else row for row in tasks]
    tasks.sort(key=lambda row: (row.order is None, row.order or 0))
    return Forecast(
        tasks=tuple(tasks),
        critical_path=tuple(path),
        critical_hours=critical_hours,
        makespan_hours=max((end for _, end in times.values()), default=0.0),
        work_hours=sum(end - start for start, end in times.values()),
        max_concurrent=max_concurrent,
        estimated=any(by_id[task_id].assignment.task.estimate_hours is not None for task_id in times),
    )


def _adopt(
    rehearsal: _Rehearsal,
    planned: Sequence[Planned],
    standings: Mapping[str, Standing],
    *,
    force: bool,
) -> None:
    rehearsal.emit(Began, tasks=tuple(task.id for task in planned if not task.external))
    for task in planned:
        standing = standings.get(task.id)
        kept = standing is not None and is_kept(standing)
        if task.external and not is_satisfied(standing) and not kept:
            rehearsal.emit(TaskBlocked, task_id=task.id, reason=OUTSIDE)
        elif standing is not None and (task.external or (kept and not force)):
            rehearsal.emit(TaskAdopted, **adoption(standing))


def _critical(nodes: Sequence[Node], times: Mapping[str, tuple[float, float]]) -> tuple[list[str], float]:
    ran = [node for node in nodes if node.id in times]
    graph = Graph.build([(node.id, [need for need in node.needs if need in times]) for node in ran])
    path, hours = graph.critical_path([node.weight for node in ran])
    return [graph.ids[i] for i in path], hours


def _row(
    planned: Planned,
    rehearsal: _Rehearsal,
    standings: Mapping[str, Standing],
    agent_reasons: Mapping[str, str],
    order: int | None,
    *,
    critical: bool,
) -> ForecastTask:
    task = planned.assignment.task
    start, end = rehearsal.times.get(task.id, (None, None))
    return ForecastTask(
        task_id=task.id,
        title=task.name,
        agent=planned.assignment.agent_name,
        agent_reason=agent_reasons.get(task.id, ""),
        will_run=order is not None,
        why=_why(planned, rehearsal.plan, standings.get(task.id)),
        order=order,
        depends_on=task.depends_on,
        priority=task.priority.value,
        start=start,
        end=end,
        estimate=1.0 if task.estimate_hours is None else task.estimate_hours,
        critical=critical,
    )


def _waited_for(row: ForecastTask, run_id: str) -> ForecastTask:
    """The task as it is while another run has it; one that needs a person needs him there."""
    why = f"claimed_by {run_id}, which goes on now" if row.start is not None else row.why
    return replace(row, will_run=False, order=None, start=None, end=None, why=why, claimed_by=run_id)


def _asked_about(row: ForecastTask, part: str) -> ForecastTask:
    """The task of which a part waits for a person."""
    return row if row.will_run or part == row.task_id else replace(row, why=f"{part} needs a person")


def _why(planned: Planned, plan: Plan, standing: Standing | None) -> str:
    task_id, state = planned.id, plan.state_of(planned.id)
    if standing is not None and plan.attempts_of(task_id) == 0 and state is not State.WAITING and is_kept(standing):
        if standing.status.value == "success":
            return f"done in run {standing.run_id}"
        return f"{standing.status.value} in run {standing.run_id}; `orch retry {task_id}` opens it again"
    if state is State.SUCCEEDED:
        needs = [plan.graph.ids[j] for j in plan.graph.needs[plan.graph.index[task_id]]]
        when = " if its condition holds" if planned.assignment.task.when is not None else ""
        return (f"after {', '.join(needs)}" if needs else "nothing to wait for") + when
    if state is State.NEEDS_INPUT:
        return "needs a person"
    return _why_not(planned, plan)


def _why_not(planned: Planned, plan: Plan) -> str:
    i = plan.graph.index[planned.id]
    told = [
        f"{plan.graph.ids[j]}, which {_is(plan.state_of(plan.graph.ids[j]), external=plan.nodes[j].external)}"
        for j in plan.graph.needs[i]
        if plan.state_of(plan.graph.ids[j]) not in {State.SUCCEEDED, State.SKIPPED}
    ]
    if told:
        return f"depends on {', '.join(told)}"
    return "nothing it depends on was done" if plan.state_of(planned.id) is State.SKIPPED else plan.explain(planned.id)


def _is(state: State, *, external: bool) -> str:
    if external and state is State.BLOCKED:
        return "is not part of this run and not done"
    return {
        State.NEEDS_INPUT: "needs a person",
        State.WAITING: "waits itself",
    }.get(state, f"is {state.value}")


def _needs_person(planned: Planned) -> bool:
    agent = planned.assignment.agent
    return not isinstance(agent, OrchError) and agent.kind == "interactive"
