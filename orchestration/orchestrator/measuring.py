"""The heaviest path through a stored run: through its tasks, and through the parts that its steps became.

Who waits for whom was stored with the run; what a step became is told by its events. Of a step that became several its
own duration says nothing: the parts may have waited for each other's slots in it.
"""

from collections.abc import Iterable, Mapping, Sequence

from orchestration.events import Event, TaskExpanded
from orchestration.graph import Graph
from orchestration.ledger import Ledger
from orchestration.protocols import RunRecord


def heaviest_path(record: RunRecord, events: Iterable[Event], ledger: Ledger) -> float:
    """The seconds of the longest chain of tasks that waited for each other; of a task of the backlog, its own count."""
    tasks = [task_id for task_id in ledger.tasks if task_id in record.shape]
    seconds = {task_id: ledger.seconds_of(task_id) for task_id in ledger.listed()}
    written = {task_id: task_id for task_id in tasks}
    parts = {} if record.is_of_backlog else _parts(events, written)
    for path, own in reversed(parts.items()):  # what is inside of others became several after these
        needs = {part: _siblings(path, _needs(record, written[part])) for part in own}
        is_loop = record.shape[written[path]]["kind"] == "loop"  # whose rounds follow each other without waiting
        seconds[path] = sum(seconds[part] for part in own) if is_loop else _through(needs, seconds)
    return _through({task_id: _needs(record, task_id) for task_id in tasks}, seconds)


def _parts(events: Iterable[Event], written: dict[str, str]) -> dict[str, list[str]]:
    """What steps became, the outer ones first; where each stands in what was written is added to `written`."""
    parts: dict[str, list[str]] = {}
    for event in events:
        if isinstance(event, TaskExpanded):
            own = parts.setdefault(event.task_id, [])
            for item in event.items:
                if item["id"] not in written:
                    written[item["id"]] = f"{written[event.task_id]}/{item['unit']}"
                    own.append(item["id"])
    return parts


def _needs(record: RunRecord, place: str) -> Sequence[str]:
    needs: Sequence[str] = record.shape[place]["needs"]
    return needs


def _siblings(path: str, names: Iterable[str]) -> list[str]:
    return [f"{path}/{name}" for name in names]


def _through(needs: Mapping[str, Sequence[str]], seconds: Mapping[str, float]) -> float:
    """The heaviest path through those that are there."""
    graph = Graph.build([(one, [need for need in own if need in needs]) for one, own in needs.items()])
    return graph.critical_path([seconds[one] for one in needs])[1]
