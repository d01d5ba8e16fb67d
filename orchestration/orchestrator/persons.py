"""What keeps tasks from being begun now: another run has them, or a person has to answer first.

Which run would be continued decides of that: another one, with other tasks, would begin them anew.
"""

from collections.abc import Mapping, Sequence
from dataclasses import field

from orchestration.executor import Planned
from orchestration.kinds import ExecutionStatus
from orchestration.ledger import Ledger
from orchestration.models import HybridAgent
from orchestration.orchestrator.lastword import Books
from orchestration.records import dataclass


@dataclass(frozen=True, slots=True)
class Kept:
    """Tasks that are not begun now.

    Attributes:
        claimed: task → the run that goes on and has it.
        asked: task → the part of it that a person is asked about, or itself.
    """

    claimed: Mapping[str, str] = field(default_factory=dict)
    asked: Mapping[str, str] = field(default_factory=dict)


async def kept(books: Books, planned: Sequence[Planned], *, force: bool) -> Kept:
    """What keeps tasks of a selection; with `force` a run begins them all anew."""
    return Kept(books.holders, {} if force else await _asked(books, planned))


async def _asked(books: Books, planned: Sequence[Planned]) -> dict[str, str]:
    record = books.continued([task.id for task in planned if not task.external])
    if record is None:
        return {}
    book = await books.of_run(record.run_id)
    waiting = ((task.id, _asked_first(task, book)) for task in planned if not task.external)
    return {task_id: part for task_id, part in waiting if part is not None}


def _asked_first(task: Planned, book: Ledger) -> str | None:
    """What a person is asked about before anything of the task goes on; None where something of it could start."""
    if book.status_of(task.id) is ExecutionStatus.NEEDS_INPUT:
        return task.id
    todo = [part for part in book.parts_of(task.id) if not book.status_of(part).is_final]
    asking = [part for part in todo if book.status_of(part) is ExecutionStatus.NEEDS_INPUT]
    agent = task.assignment.agent
    one_by_one = isinstance(agent, HybridAgent) and agent.strategy == "chain"
    return asking[0] if asking and (one_by_one or asking == todo) else None
