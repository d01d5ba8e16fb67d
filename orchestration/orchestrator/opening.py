"""From a selection to a run that can be driven: a new one with its adoptions, or an open one replayed.

Resume is replay: the stored events are applied one by one to a fresh plan, the attempts that were open are closed as
interrupted, and the run goes on. There is no second way to get a plan.
"""

from collections.abc import Iterator, Mapping, Sequence

from orchestration.errors import GraphChanged, Problem
from orchestration.events import OUTSIDE, Event, RunStarted, TaskAdopted, TaskBlocked
from orchestration.executor import LiveRun, Planned, assignment_of, shape_of
from orchestration.kinds import Mode
from orchestration.loading import Project
from orchestration.models import Task
from orchestration.orchestrator.standings import adoption, is_kept, is_satisfied, seen_in
from orchestration.plan import State
from orchestration.protocols import RunRecord, Standing
from orchestration.registry import AgentRegistry
from orchestration.shape import Shape, changes, fingerprint_of


def plan_selection(
    project: Project,
    registry: AgentRegistry,
    chosen: Sequence[Task],
    agent: str | None,
    mode: Mode | str | None,
) -> list[Planned]:
    """The chosen tasks, and those outside the choice that they depend on, in declaration order.

    Raises:
        UnknownAgent: the agent that the caller named does not exist or is disabled.
    """
    if agent is not None:
        registry.get(agent)
    ids = {task.id for task in chosen}
    outside = {need for task in chosen for need in task.depends_on} - ids
    planned: list[Planned] = []
    for task in project.tasks:
        if task.id in ids:
            planned.append(Planned(task.id, assignment_of(registry, task, agent, mode), task.depends_on))
        elif task.id in outside:
            planned.append(Planned(task.id, assignment_of(registry, task, None, None), external=True))
    return planned


def planned_from(record: RunRecord, project: Project, registry: AgentRegistry) -> list[Planned]:
    """The tasks of a stored run, by the graph that it was started with, also where the backlog has changed since."""
    planned: list[Planned] = []
    for task_id, facts in record.shape.items():
        i = project.graph.index.get(task_id)
        task = Task(id=task_id) if i is None else project.tasks[i]
        needs = tuple(facts["needs"])
        planned.append(Planned(task_id, assignment_of(registry, task, None, None), needs, facts["external"]))
    return planned


def check_unchanged(record: RunRecord, shape: Shape) -> None:
    """Refuse to continue a run whose graph is not what it was.

    Raises:
        GraphChanged: lists what changed.
    """
    problems = [Problem(text) for text in changes(record.shape, shape)]
    if not problems:
        return
    raise GraphChanged(
        f"run {record.run_id} cannot be continued, because its tasks have changed since it began: "
        + "; ".join(problem.message for problem in problems[:5]),
        hint=f"end it with `orch cancel {record.run_id}`, then start a new one",
        problems=problems,
    )


def begin(
    run: LiveRun,
    planned: Sequence[Planned],
    standings: Mapping[str, Standing],
    *,
    max_concurrent: int,
    fail_fast: bool,
    force: frozenset[str],
    reopen: frozenset[str],
) -> None:
    """Let a new run happen up to where work would start: what is kept is adopted, what cannot be is blocked."""
    emit = run.recorder.emit
    emit(
        RunStarted,
        tasks=tuple(task.id for task in planned if not task.external),
        upstream=tuple(task.id for task in planned if task.external),
        fingerprint=fingerprint_of(shape_of(planned)),
        max_concurrent=max_concurrent,
        fail_fast=fail_fast,
        seen=seen_in(standings),
    )
    for task in planned:
        standing = standings.get(task.id)
        if task.external and not is_satisfied(standing) and not (standing and is_kept(standing)):
            emit(TaskBlocked, task_id=task.id, reason=OUTSIDE)
        elif standing is not None and (
            task.external or (task.id not in force and is_kept(standing, reopen_failed=task.id in reopen))
        ):
            emit(TaskAdopted, **adoption(standing))
    run.scheduler.settle()


def take_news(
    run: LiveRun,
    planned: Sequence[Planned],
    before: Mapping[str, Standing],
    now: Mapping[str, Standing],
    *,
    force: frozenset[str],
    reopen: frozenset[str],
) -> bool:
    """Let a new run take over what others have ended since they were looked at; its tasks are claimed by now.

    What others still have is adopted when they have ended it.

    Returns:
        Whether that was possible; if not (what was adopted has changed, or what is outside of the run), build it anew.
    """
    held = set(run.plan.held)
    for task in changed(planned, before, now):
        if task.id in held:
            continue
        if task.external or run.plan.state_of(task.id) is not State.WAITING:
            return False
        standing = now.get(task.id)
        if standing and task.id not in force and is_kept(standing, reopen_failed=task.id in reopen):
            run.recorder.emit(TaskAdopted, **adoption(standing))
    run.scheduler.settle()
    return True


def changed(
    planned: Sequence[Planned], before: Mapping[str, Standing], now: Mapping[str, Standing]
) -> Iterator[Planned]:
    """The tasks that stand otherwise than before."""
    for task in planned:
        old, new = before.get(task.id), now.get(task.id)
        if (old and (old.run_id, old.seq)) != (new and (new.run_id, new.seq)):
            yield task


def replay(run: LiveRun, events: Sequence[Event]) -> None:
    """Apply what was stored; nothing is stored again."""
    for event in events:
        run.plan.apply(event)
        run.ledger.apply(event)
    if events:
        run.recorder.go_on_after(events[-1].at)


def missing_of(planned: Sequence[Planned], standings: Mapping[str, Standing]) -> dict[str, str]:
    """The tasks outside the selection that are not done, with how they stand."""
    return {
        task.id: standings[task.id].status.value if task.id in standings else "pending"
        for task in planned
        if task.external and not is_satisfied(standings.get(task.id))
    }
