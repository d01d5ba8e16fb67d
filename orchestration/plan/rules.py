"""Which event may follow now. Refusing changes nothing, and what is not refused can be applied.

Three rules for every event: it is this run's next one, its word stands in the table for the state that its task is in,
and the run is in a phase in which it can happen. Then each type has its own: attempts are numbered without a gap and
never overlap, and nothing begins before the plan itself would let it begin.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from orchestration.errors import IllegalEvent
from orchestration.events import (
    AccountPaused,
    AttemptEnd,
    AttemptInterrupted,
    ConditionDecided,
    Event,
    LimitsChanged,
    RetryScheduled,
    RunCompleted,
    RunError,
    RunPaused,
    RunResumed,
    RunStarted,
    TaskCancelled,
    TaskCompleted,
    TaskError,
    TaskEvent,
    TaskExpanded,
    TaskInputGiven,
    TaskNeedsInput,
    TaskStarted,
    UsageRecorded,
)
from orchestration.kinds import RunWhen
from orchestration.plan.book import Book, Phase
from orchestration.plan.states import ROWS, TRANSITIONS, State, word_of
from orchestration.plan.verdicts import Verdict

_OPEN, _PAUSED, _RETRYING = Phase.OPEN, Phase.PAUSED, State.RETRYING
"""Bound once: until Python 3.12, finding a member in its class takes longer than all that is done with it here."""

_GOING: Final = frozenset({Phase.OPEN, Phase.PAUSED})
_RUN_PHASES: Final[Mapping[type[Event], frozenset[Phase]]] = {
    RunStarted: frozenset({Phase.NEW}),
    RunResumed: frozenset({Phase.OPEN, Phase.PAUSED, Phase.ENDED}),
    RunPaused: frozenset({Phase.OPEN, Phase.ENDED}),
    RunError: _GOING,
    RunCompleted: _GOING,
    AccountPaused: _GOING,
    LimitsChanged: _GOING,
}
"""In which phases each event about the run is possible; an ended run in which a task was opened again can pause."""

_OUTSIDE: Final = "it is outside of the run's selection"


def refuse_illegal(book: Book, event: Event) -> None:
    """Refuse an event that cannot follow.

    Raises:
        IllegalEvent: says which rule it breaks.
    """
    if isinstance(event, TaskEvent):
        legal_move(book, event)
    else:
        _refuse_other(book, event)
        _refuse_run(book, event)


def _refuse_other(book: Book, event: Event) -> None:
    if event.seq != book.seq + 1 or event.run_id != book.run_id:
        raise IllegalEvent(f"{event.type} {event.run_id}/{event.seq} cannot follow {book.run_id}/{book.seq}")


def _refuse_run(book: Book, event: Event) -> None:
    if book.phase not in _RUN_PHASES[type(event)]:
        raise IllegalEvent(f"{event.type} is not possible while the run is {book.phase.value}")
    if isinstance(event, RunCompleted) and book.left:
        raise IllegalEvent(f"{event.type} is not possible while {book.left} tasks have not ended")
    if isinstance(event, AccountPaused) and event.until is None:
        raise IllegalEvent(f"{event.type} names no time")
    if isinstance(event, RunPaused):
        if running := book.state.count(State.RUNNING):
            raise IllegalEvent(f"{event.type} is not possible while {running} tasks are running")
        if book.phase is Phase.ENDED and not book.left:
            raise IllegalEvent(f"{event.type} is not possible while the run is ended and no task was opened again")


def legal_move(book: Book, event: TaskEvent) -> tuple[int, State, State]:
    """The index of the task of an event that can follow, and the states from and to which this moves it.

    Raises:
        IllegalEvent: it cannot; says which rule it breaks.
    """
    if event.seq != book.seq + 1 or event.run_id != book.run_id:
        _refuse_other(book, event)
    i = book.graph.index.get(event.task_id)
    if i is None:
        raise IllegalEvent(f"{event.type}: the run has no task {event.task_id}")
    before = book.state[i]
    row, rule = _BY_TYPE[type(event)]
    after = (TRANSITIONS.get(word_of(event), {}) if row is None else row).get(before)
    if after is None:
        raise IllegalEvent(f"{word_of(event)} is not possible while {event.task_id} is {before}")
    phase = book.phase
    if phase is not _OPEN and phase is not _PAUSED and not (phase is Phase.ENDED and _reopens(event)):
        raise IllegalEvent(f"{word_of(event)} is not possible while the run is {phase.value}")
    if rule is not None and (broken := rule(book, i, event)) is not None:
        raise IllegalEvent(f"{word_of(event)} of {event.task_id}: {broken}")
    return i, before, after


def _reopens(event: TaskEvent) -> bool:
    return isinstance(event, TaskInputGiven) and event.action == "retry"


def _start(book: Book, i: int, event: TaskStarted) -> str | None:
    node = book.nodes[i]
    if event.attempt != book.attempts[i] + 1:
        broken = f"attempt {event.attempt} cannot follow {book.attempts[i]}"
    elif book.phase is not _OPEN:
        broken = f"nothing starts while the run is {book.phase.value}"
    elif node.external:
        broken = _OUTSIDE
    elif book.stop_cause is not None and node.run_when is not RunWhen.ALWAYS:
        broken = f"the run is being stopped ({book.stop_cause})"
    elif i in book.cancels:
        broken = "it is to be cancelled"
    elif not (i in book.due if book.state[i] is _RETRYING else book.may_start(i)):
        broken = "it may not start yet"
    else:
        return None
    return broken


def _about_open_attempt(book: Book, i: int, event: TaskEvent) -> str | None:
    """What ends an attempt or asks for input in it names it; where none is open, none is named."""
    open_attempt = book.attempts[i] if book.in_attempt[i] else None
    return None if event.attempt == open_attempt else f"it is about attempt {event.attempt}, not {open_attempt}"


def _end(book: Book, i: int, event: AttemptEnd) -> str | None:
    """What was expanded ends after its last part."""
    broken = _about_open_attempt(book, i, event)
    if broken is None and book.parts and book.state[i] is State.EXPANDED and book.has_open_parts(i):
        return "parts of it have not ended"
    return broken


def _expand(book: Book, i: int, event: TaskExpanded) -> str | None:
    """New parts have names of their own, and wait for nothing but each other."""
    names: set[str] = set()
    for item in event.items:
        name = item.get("id")
        if not isinstance(name, str) or name in book.graph.index or name in names:
            return f"a part needs a name of its own, which {name!r} is not"
        if not names.issuperset(item.get("needs", ())):
            return f"{name} waits for what is not among the parts before it"
        names.add(name)
    return _about_open_attempt(book, i, event)


def _ask(book: Book, i: int, event: TaskNeedsInput) -> str | None:
    if book.state[i] is State.WAITING and book.ends.verdicts[i] is not Verdict.START:
        return "its dependencies do not let it start"
    if book.state[i] is State.EXPANDED and book.has_open_parts(i):
        return "parts of it have not ended"
    if event.result is not None and not book.attempts[i]:
        return "nothing of it was done"
    return _OUTSIDE if book.nodes[i].external else _about_open_attempt(book, i, event)


def _decide(book: Book, i: int, _: ConditionDecided) -> str | None:
    if not book.nodes[i].conditional:
        return "it has no condition"
    if book.ends.verdicts[i] is not Verdict.START:
        return "its dependencies do not let it start"
    return _OUTSIDE if book.nodes[i].external else None


def _answer(book: Book, i: int, event: TaskInputGiven) -> str | None:
    if event.action == "approve" and event.attempt is not None:
        last = book.attempts[i]  # ended already where a person has done what a crash had cut off
        return None if last and event.attempt == last else f"it is about attempt {event.attempt}, not {last or None}"
    if event.action in {"retry", "approve"} and book.in_attempt[i]:
        return f"attempt {book.attempts[i]} has not ended"
    if event.action == "retry" and i in book.parent:
        return "it is a part of another task"
    return None


def _schedule(_: Book, __: int, event: RetryScheduled) -> str | None:
    return "it names no time" if event.due_at is None else None


_RULES: Final[Mapping[type[TaskEvent], Callable[[Book, int, Any], str | None]]] = {
    TaskStarted: _start,
    UsageRecorded: _about_open_attempt,
    TaskExpanded: _expand,
    TaskCompleted: _end,
    TaskError: _end,
    TaskCancelled: _end,
    AttemptInterrupted: _about_open_attempt,
    TaskNeedsInput: _ask,
    ConditionDecided: _decide,
    TaskInputGiven: _answer,
    RetryScheduled: _schedule,
}
"""What each type asks for beyond the table; an answer says which rule is broken."""

_BY_TYPE: Final = {kind: (row, _RULES.get(kind)) for kind, row in ROWS.items()}
"""All that can be known by the type alone, found at once."""
