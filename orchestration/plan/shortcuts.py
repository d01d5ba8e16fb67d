"""The two events that nearly all are, an attempt's start and its good end, each applied at one stroke.

Both do what `rules.legal_move`, `Book.record_task` and `Agenda.follow` do for any event, where nothing is special about
the task: no look into the table of moves, no rule by its type, no note by its type. A function returns False, and has
changed nothing, where something may be special, or the event may not be legal; then the long way decides and tells.
Whether both ways come to the same is tested by property.
"""

from typing import Final

from orchestration.events import TaskCompleted, TaskStarted
from orchestration.plan.agenda import Agenda
from orchestration.plan.book import Book, Phase
from orchestration.plan.states import State
from orchestration.plan.verdicts import Verdict

_WAITING, _RUNNING, _SUCCEEDED = State.WAITING, State.RUNNING, State.SUCCEEDED
_OPEN, _START = Phase.OPEN, Verdict.START
"""Bound once: until Python 3.12, finding a member in its class takes longer than all that is done with it here."""


def start(book: Book, agenda: Agenda, event: TaskStarted) -> bool:
    """Begin the next attempt of a waiting task that only its dependencies have kept; False for anything else."""
    i: Final = book.graph.index.get(event.task_id)
    if i is None or event.seq != book.seq + 1 or event.run_id != book.run_id or book.phase is not _OPEN:
        return False
    if book.state[i] is not _WAITING or book.ends.verdicts[i] is not _START or not book.plain[i]:
        return False
    if event.attempt != book.attempts[i] + 1 or book.stop_cause is not None or book.cancels:
        return False
    book.seq, book.last_at = event.seq, event.at
    book.state[i] = _RUNNING
    book.attempts[i] = event.attempt
    book.in_attempt[i] = True
    if book.due:
        book.due.pop(i, None)
    agenda.ready.start(i, event.agent)
    return True


def complete(book: Book, agenda: Agenda, event: TaskCompleted) -> bool:
    """End the running attempt of a task well; False for anything else."""
    i: Final = book.graph.index.get(event.task_id)
    if i is None or event.seq != book.seq + 1 or event.run_id != book.run_id or book.phase is not _OPEN:
        return False
    if book.state[i] is not _RUNNING or event.attempt != book.attempts[i]:
        return False
    book.seq, book.last_at = event.seq, event.at
    book.state[i] = _SUCCEEDED
    book.in_attempt[i] = False
    agenda.ready.end(i)
    if book.parent or book.cancels or book.due or agenda.held or agenda.stopping is not None:
        book.settle(i, _SUCCEEDED, 1)
        agenda.held.pop(i, None)
        return True
    book.left -= 1
    needed_by = book.graph.needed_by
    first, end = needed_by.starts[i], needed_by.starts[i + 1]
    if first < end:
        for j in book.ends.succeed(needed_by.numbers[first:end]):
            if book.plain[j] and book.ends.verdicts[j] is _START and book.state[j] is _WAITING:
                agenda.ready.push(j, event.at)  # what `consequences` would come to
            else:
                book.mark_changed(j)
    return True
