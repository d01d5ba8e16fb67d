"""Puts the parts of one run together: graph, plan, ledger, crew, recorder, scheduler. Every door starts here."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeAlias

from orchestration.attempts import Assignment, Crew, Place
from orchestration.errors import OrchError
from orchestration.graph import Graph
from orchestration.kinds import RunStatus
from orchestration.ledger import Ledger
from orchestration.models import RetryPolicy, Settings
from orchestration.plan import Limits, Node, Plan
from orchestration.protocols import Listener, RunRecord, RunStore
from orchestration.registry import AgentRegistry
from orchestration.results import RunResult
from orchestration.scheduler import Job, Recorder, Scheduler

Shape: TypeAlias = Mapping[str, Mapping[str, Any]]
"""For each task of a run what its identity is made of: the ids it needs, its kind of agent, whether it is external."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A task as it enters a run: under which id, who does it, on which of the run's tasks it waits.

    `external` marks a task outside of the selection, which is looked at and never started.
    """

    id: str
    assignment: Assignment
    needs: tuple[str, ...] = ()
    external: bool = False


@dataclass(frozen=True, slots=True)
class LiveRun:
    """One run in memory, ready to be opened, replayed or driven."""

    run_id: str
    graph: Graph
    plan: Plan
    ledger: Ledger
    recorder: Recorder
    scheduler: Scheduler
    crew: Crew

    def result(self) -> RunResult:
        """The run as far as it is."""
        own = [i for i, node in enumerate(self.plan.nodes) if not node.external]

        def critical_path(seconds: Sequence[float]) -> float:
            weights = [0.0] * len(self.plan.nodes)
            for i, measured in zip(own, seconds, strict=True):
                weights[i] = measured
            return self.graph.critical_path(weights)[1]

        return self.ledger.run_result(critical_path)


def assemble(
    run_id: str,
    planned: Sequence[Planned],
    place: Place,
    *,
    limits: Limits,
    listener: Listener | None = None,
    retry: RetryPolicy | None = None,
) -> LiveRun:
    """Build the run; must be called inside the loop that drives it.

    Args:
        run_id: its id.
        planned: its tasks, in declaration order.
        place: where its work happens.
        limits: shared by all runs that share agents and pools.
        listener: told of events and chunks.
        retry: for tasks that declare none.

    Raises:
        GraphError: the tasks do not form a graph without cycles.
    """
    nodes = [node_of(task, limits) for task in planned]
    graph = Graph.build([(node.id, node.needs) for node in nodes])
    plan = Plan(run_id, nodes, limits, graph)
    ledger = Ledger({task.id: task.assignment.agent_name for task in planned})

    def upstream(task_id: str) -> list[str]:
        return [need for need in graph.upstream([task_id]) if need != task_id]

    crew = Crew(run_id, place, {task.id: task.assignment for task in planned}, upstream, ledger)
    jobs = {
        task.id: Job(
            agent=task.assignment.agent_name,
            retry=task.assignment.task.retry or retry,
            on_crash=task.assignment.task.on_crash,
            approval=crew.approval_prompt(task.id) if task.assignment.task.approve else "",
        )
        for task in planned
        if not task.external
    }
    recorder = Recorder(plan, ledger, listener)
    return LiveRun(run_id, graph, plan, ledger, recorder, Scheduler(recorder, crew, jobs), crew)


def shape_of(planned: Sequence[Planned]) -> dict[str, dict[str, Any]]:
    """What a run's fingerprint is made of."""
    return {
        task.id: {
            "needs": list(task.needs),
            "kind": "" if isinstance(task.assignment.agent, OrchError) else task.assignment.agent.kind,
            "external": task.external,
        }
        for task in planned
    }


async def open_in(store: RunStore, run: LiveRun, planned: Sequence[Planned]) -> None:
    """Add a new run to the store with the events that it begins with, and tell them."""
    now = datetime.now(UTC)
    record = RunRecord(run.run_id, RunStatus.RUNNING, now, now, run.ledger.tasks, shape_of(planned))
    batch = run.recorder.take()
    await store.open_run(record, batch)
    await run.recorder.tell(batch)


def node_of(planned: Planned, limits: Limits) -> Node:
    """The task as the plan sees it."""
    task = planned.assignment.task
    names = [f"agent {planned.assignment.agent_name}", *(f"pool {pool}" for pool in dict.fromkeys(task.uses))]
    return Node(
        id=planned.id,
        needs=planned.needs,
        run_when=task.run_when,
        conditional=task.when is not None,
        approve=task.approve,
        rank=task.priority.rank,
        weight=1.0 if task.estimate_hours is None else task.estimate_hours,
        limits=tuple(name for name in names if limits.is_limited(name)),
        external=planned.external,
    )


def limits_for(registry: AgentRegistry, settings: Settings) -> Limits:
    """The limits that agents and pools declare."""
    agents = {f"agent {name}": agent.max_concurrent for name, agent in registry.items()}
    pools: Mapping[str, int | None] = {f"pool {name}": size for name, size in settings.pools.items()}
    return Limits({name: size for name, size in {**agents, **pools}.items() if size is not None})


def new_run_id() -> str:
    """A new id that sorts by time: date and time in UTC, then six random digits."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
