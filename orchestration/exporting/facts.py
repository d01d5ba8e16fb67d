"""What programs are told about runs and tasks: the data of envelopes, the same by `--json` and from the server."""

from typing import TYPE_CHECKING, Any

from orchestration.kinds import ExecutionStatus

if TYPE_CHECKING:  # `orch list` pays for nothing that it does not need
    from collections.abc import Iterable, Mapping, Sequence

    from orchestration.loading import Project
    from orchestration.models import Task
    from orchestration.protocols import Claim, RunRecord
    from orchestration.results import ExecutionResult


def run_facts(record: "RunRecord", *, live: bool) -> dict[str, Any]:
    """A run as a list of runs has it; `live` says whether somebody drives it now."""
    return {
        "run_id": record.run_id,
        "status": record.status.value,
        "live": live,
        "created_at": record.created_at.isoformat(),
        "updated_at": record.updated_at.isoformat(),
        "kind": record.kind,
        "tasks": list(record.tasks),
        "last_seq": record.last_seq,
    }


def status_facts(results: "Sequence[ExecutionResult]", live: "Mapping[str, Sequence[Claim]]") -> dict[str, Any]:
    """How far the backlog is, which runs go on, and who drives them."""
    return {
        "counts": counts_of(results),
        "live_runs": list(live),
        "owners": [_owner(claims) for claims in live.values() if claims],
        "tasks": [result.to_dict() for result in results],
    }


def _owner(claims: "Sequence[Claim]") -> dict[str, Any]:
    """Who drives a live run, and what it has still to end."""
    first = claims[0]
    return {
        "run_id": first.run_id,
        "pid": first.owner.pid if first.owner else None,
        "since": first.since.isoformat() if first.since else None,
        "tasks": [claim.task_id for claim in claims],
    }


def counts_of(results: "Iterable[ExecutionResult]") -> dict[str, int]:
    """How many tasks are in each state that occurs."""
    counts: dict[str, int] = {}
    for result in results:
        counts[result.status.value] = counts.get(result.status.value, 0) + 1
    return counts


def status_of(results: "Mapping[str, ExecutionResult]", task: "Task") -> ExecutionStatus:
    """The state of a task; what nobody has looked at is pending."""
    return results[task.id].status if task.id in results else ExecutionStatus.PENDING


def task_facts(project: "Project", task: "Task", results: "Mapping[str, ExecutionResult]") -> dict[str, Any]:
    """A task as a list of tasks has it."""
    file, line = project.places[task.id]
    return {
        "id": task.id,
        "title": task.title,
        "status": status_of(results, task).value,
        "priority": task.priority.value,
        "phase": task.phase,
        "labels": list(task.labels),
        "agent": task.agent,
        "depends_on": list(task.depends_on),
        "estimate_hours": task.estimate_hours,
        "file": file,
        "line": line,
    }


def task_details(project: "Project", task: "Task", results: "Mapping[str, ExecutionResult]") -> dict[str, Any]:
    """Everything about one task: what is written, who needs it, how it stands."""
    result = results.get(task.id)
    needed_by = project.graph.needed_by[project.graph.index[task.id]]
    return {
        **task.model_dump(mode="json", exclude_unset=False),
        **task_facts(project, task, results),
        "needed_by": [project.graph.ids[i] for i in needed_by],
        "result": result.to_dict() if result else None,
    }
