"""Puts the parts of one run together: graph, plan, ledger, crew, recorder, scheduler. Every door starts here."""

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from orchestration.attempts import Crew, Place
from orchestration.errors import OrchError
from orchestration.events import TaskExpanded
from orchestration.executor.parts import Assign, Planned, parts_of
from orchestration.graph import Graph
from orchestration.kinds import RunStatus
from orchestration.ledger import Ledger
from orchestration.models import Agent, Budget, RetryPolicy, Settings, Task
from orchestration.plan import Fallback, Limits, Node, Plan
from orchestration.protocols import Listener, RunRecord, RunStore
from orchestration.records import dataclass
from orchestration.registry import AgentRegistry
from orchestration.results import RunResult
from orchestration.scheduler import Job, Recorder, Scheduler

ASKS_MODELS: Final = frozenset({"cli", "api", "scripted"})
"""Kinds of agents whose refusals mean something for all tasks of the agent, also where no account is named."""


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
    size: int

    def result(self) -> RunResult:
        """The run as far as it is."""
        own = [i for i, node in enumerate(self.plan.nodes[: self.size]) if not node.external]

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
    budget: Budget | None = None,
    assign: Assign | None = None,
) -> LiveRun:
    """Build the run; must be called inside the loop that drives it.

    Args:
        run_id: its id.
        planned: its tasks, in declaration order.
        place: where its work happens.
        limits: shared by all runs that share agents and pools.
        listener: told of events and chunks.
        budget: what the run may use.
        assign: who does a part of a task, by name; needed where there are hybrid agents.

    Raises:
        GraphError: the tasks do not form a graph without cycles.
    """
    nodes = [node_of(task, limits) for task in planned]
    graph = Graph.build([(node.id, node.needs) for node in nodes])
    by_id = {task.id: task for task in planned}

    def expand(event: TaskExpanded) -> list[Node]:
        parts = parts_of(by_id[event.task_id], event, assign)
        by_id.update({part.id: part for part in parts})
        jobs.update({part.id: job_of(part, None, crew) for part in parts})
        crew.learn(event, {part.id: part.assignment for part in parts})
        return [node_of(part, limits) for part in parts]

    def upstream(task_id: str) -> list[str]:
        task = by_id[task_id]
        above = [*upstream(task.part_of), *task.assignment.draws_on] if task.part_of else []
        return [*above, *(need for need in graph.upstream([task_id]) if need != task_id)]

    plan = Plan(run_id, nodes, limits, graph, expand)
    ledger = Ledger({task.id: task.assignment.agent_name for task in planned})
    crew = Crew(run_id, place, {task.id: task.assignment for task in planned}, upstream, ledger)
    jobs = _jobs_of(planned, place.settings.retry, crew)
    recorder = Recorder(plan, ledger, listener)
    scheduler = Scheduler(recorder, crew, jobs, accounts=place.settings.accounts, budget=budget)
    return LiveRun(run_id, graph, plan, ledger, recorder, scheduler, crew, len(nodes))


def _jobs_of(planned: Sequence[Planned], retry: RetryPolicy | None, crew: Crew) -> dict[str, Job]:
    """The job of each of the run's own tasks; most tasks of a backlog have the same one, which is there once."""
    same: dict[Job, Job] = {}
    made = ((task.id, job_of(task, retry, crew)) for task in planned if not task.external)
    return {task_id: same.setdefault(job, job) for task_id, job in made}


def job_of(planned: Planned, retry: RetryPolicy | None, crew: Crew) -> Job:
    """What the scheduler needs to know of the task; `retry` is for one that declares none."""
    assignment, task = planned.assignment, planned.assignment.task
    agent, other = assignment.agent, assignment.fallback
    return Job(
        agent=assignment.agent_name,
        retry=None if planned.part_of else task.retry or retry,
        on_crash=task.on_crash,
        approval=crew.approval_prompt(planned.id) if task.approve == "before" else "",
        approve_after=task.approve == "after",
        account=account_of(task, assignment.agent_name, agent),
        fallback=other[0] if other else None,
        fallback_account=account_of(None, *other) if other else None,
        gives_way=planned.gives_way,
        budget=task.budget,
        parent=planned.part_of,
    )


def account_of(task: Task | None, name: str, agent: Agent | OrchError) -> str | None:
    """Whose limit a refusal means: the account that is named, else the agent's own where it asks models."""
    if task is not None and task.account is not None:
        return task.account
    if isinstance(agent, OrchError):
        return None
    return agent.account or (name if agent.kind in ASKS_MODELS else None)


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
    batch = run.recorder.take()
    began = batch[0].at
    record = RunRecord(run.run_id, RunStatus.RUNNING, began, began, run.ledger.tasks, shape_of(planned))
    await store.open_run(record, batch)
    await run.recorder.tell(batch)


def node_of(planned: Planned, limits: Limits) -> Node:
    """The task as the plan sees it."""
    assignment, task = planned.assignment, planned.assignment.task
    other = assignment.fallback
    return Node(
        id=planned.id,
        needs=planned.needs,
        run_when=task.run_when,
        conditional=task.when is not None,
        approve=task.approve == "before",
        rank=task.priority.rank,
        weight=1.0 if task.estimate_hours is None else task.estimate_hours,
        limits=_limits_of(
            task, assignment.agent_name, account_of(task, assignment.agent_name, assignment.agent), limits
        ),
        external=planned.external,
        fallback=Fallback(other[0], _limits_of(task, other[0], account_of(None, *other), limits)) if other else None,
    )


def _limits_of(task: Task, agent: str, account: str | None, limits: Limits) -> tuple[str, ...]:
    """The limits that the task uses when this agent does it; an account counts also without one, as it may pause."""
    names = [f"agent {agent}", *(f"pool {pool}" for pool in dict.fromkeys(task.uses))]
    accounts = [f"account {account}"] if account is not None else []
    return (*(name for name in names if limits.is_limited(name)), *accounts)


def limits_for(registry: AgentRegistry, settings: Settings) -> Limits:
    """The limits that agents and pools declare."""
    agents = {f"agent {name}": agent.max_concurrent for name, agent in registry.items()}
    pools: Mapping[str, int | None] = {f"pool {name}": size for name, size in settings.pools.items()}
    accounts = {f"account {name}": account.max_concurrent for name, account in settings.accounts.items()}
    return Limits({name: size for name, size in {**agents, **pools, **accounts}.items() if size is not None})


def new_run_id() -> str:
    """A new id that sorts by time: date and time in UTC, then six random digits."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{os.urandom(3).hex()}"
