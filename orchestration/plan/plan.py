"""The plan of one run. State moves only through `apply`, and only along the table in `states`.

The idea is ninja's: the plan answers "what may start now?", somebody else does it and tells what happened. It is
driven by events alone, so that replaying a run's stored events gives the same plan as living through them; "now" is an
argument. `check(event)` refuses an event that cannot follow and changes nothing; after a passed check `apply(event)`
cannot fail. This is the door; behind it `book` keeps what happened, `rules` say what may, `agenda` what follows, and
`ready` who is next.

What follows from an event (skips, blocks, conditions to evaluate, attempts to stop) is not done here either:
`consequences()` returns it, and the caller answers with events.

Edges it survives: a dependency that ends twice (its first end was taken back by a retry), a dependant whose policy is
satisfied before all dependencies ended, a task that is cancelled while it waits in a ready queue, a task held because
another run works on it, limits shared with other plans, a stop in the middle of everything, events that a crash cut
off from what was to follow them, and a million tasks: inside there are lists by index, and nothing that is done for one
event grows with the number of tasks.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

from orchestration.events import (
    AccountPaused,
    Event,
    LimitsChanged,
    RunResumed,
    RunStarted,
    TaskCompleted,
    TaskEvent,
    TaskExpanded,
    TaskStarted,
)
from orchestration.graph import Graph
from orchestration.kinds import RunStatus
from orchestration.plan.agenda import Agenda
from orchestration.plan.book import Book, Phase
from orchestration.plan.limits import Limits
from orchestration.plan.nodes import Consequence, Node, Startable
from orchestration.plan.rules import legal_move, refuse_illegal
from orchestration.plan.states import FINAL, State
from orchestration.plan.verdicts import Verdict

_WAITING, _RUNNING, _SUCCEEDED = State.WAITING, State.RUNNING, State.SUCCEEDED
_OPEN, _START = Phase.OPEN, Verdict.START
"""Bound once: until Python 3.12, finding a member in its class takes longer than all that is done with it here."""


class Plan:
    """The state of one run over its tasks, in declaration order.

    Args:
        run_id: events of other runs are refused.
        nodes: the tasks; ids that `needs` names and that are missing make a `GraphError`.
        limits: shared with other plans of this process, or its own.
        graph: the nodes' graph, if the caller has it already; it grows with the plan.
        expand: the nodes of the parts that an event tells of; without it, parts are plain.

    Attributes:
        book: what has happened, to be looked at; only events change it.
    """

    __slots__ = ("_agenda", "_expand", "book", "graph", "limits", "nodes", "run_id")

    def __init__(
        self,
        run_id: str,
        nodes: Sequence[Node],
        limits: Limits | None = None,
        graph: Graph | None = None,
        expand: Callable[[TaskExpanded], Sequence[Node]] | None = None,
    ) -> None:
        """Every task waits; nothing has happened yet."""
        self.run_id = run_id
        self.nodes = list(nodes)
        self.graph = graph or Graph.build((node.id, node.needs) for node in nodes)
        self.limits = limits or Limits()
        self._expand = expand or _plain_parts
        self.book = Book(run_id, self.nodes, self.graph)
        self._agenda = Agenda(self.book, self.limits)

    # -- events -------------------------------------------------------------------------------------------------

    def check(self, event: Event) -> None:
        """Refuse an event that cannot follow.

        Raises:
            IllegalEvent: says which rule it breaks; the plan is as it was.
        """
        refuse_illegal(self.book, event)

    def apply(self, event: Event) -> None:
        """Let an event happen; after a passed check this cannot fail.

        Raises:
            IllegalEvent: as `check`.
        """
        if type(event) is TaskCompleted:
            self.complete(event)
        elif type(event) is TaskStarted:
            self.start(event)
        elif isinstance(event, TaskEvent):
            self.apply_the_long_way(event)
        else:
            self.check(event)
            self._apply_run(event)

    def start(self, event: TaskStarted) -> None:
        """`apply` for one of the two events that nearly all are: at one stroke, where only dependencies kept the task.

        This and `complete` do what the long way does for any event. Where something may be special, or the event may
        not be legal, that decides and tells.
        """
        book = self.book
        i = book.graph.index.get(event.task_id)
        if i is None or event.seq != book.seq + 1 or event.run_id != book.run_id or book.phase is not _OPEN:
            return self.apply_the_long_way(event)
        if book.state[i] is not _WAITING or book.ends.verdicts[i] is not _START or not book.plain[i]:
            return self.apply_the_long_way(event)
        if event.attempt != book.attempts[i] + 1 or book.stop_cause is not None or book.cancels:
            return self.apply_the_long_way(event)
        book.seq, book.last_at = event.seq, event.at
        book.state[i] = _RUNNING
        book.attempts[i] = event.attempt
        book.in_attempt[i] = True
        if book.due:
            book.due.pop(i, None)
        self._agenda.ready.start(i, event.agent)
        return None

    def complete(self, event: TaskCompleted) -> None:
        """`apply` for the other one, the good end of an attempt that runs."""
        book, agenda = self.book, self._agenda
        i = book.graph.index.get(event.task_id)
        if i is None or event.seq != book.seq + 1 or event.run_id != book.run_id or book.phase is not _OPEN:
            return self.apply_the_long_way(event)
        if book.state[i] is not _RUNNING or event.attempt != book.attempts[i]:
            return self.apply_the_long_way(event)
        book.seq, book.last_at = event.seq, event.at
        book.state[i] = _SUCCEEDED
        book.in_attempt[i] = False
        agenda.ready.end(i)
        if book.parent or book.cancels or book.due or agenda.held or agenda.stopping is not None:
            book.settle(i, _SUCCEEDED, 1)
            agenda.held.pop(i, None)
            return None
        book.left -= 1
        needed_by = book.graph.needed_by
        first, end = needed_by.starts[i], needed_by.starts[i + 1]
        if first < end:
            for j in book.ends.succeed(needed_by.numbers[first:end]):
                if book.plain[j] and book.ends.verdicts[j] is _START and book.state[j] is _WAITING:
                    agenda.ready.push(j, event.at)  # what `consequences` would come to
                else:
                    book.mark_changed(j)
        return None

    def apply_the_long_way(self, event: TaskEvent) -> None:
        """`apply` for any event about a task."""
        book = self.book
        i, before, after = legal_move(book, event)
        book.record_task(i, before, after, event)
        self._agenda.follow(i, before, after, event)
        if type(event) is TaskExpanded:
            self._grow(i, event)
        if book.stop_cause is not None:
            self._agenda.stop(book.stop_cause)

    def _apply_run(self, event: Event) -> None:
        book = self.book
        book.record_run(event)
        if isinstance(event, AccountPaused) and event.until is not None:
            self.limits.pause(f"account {event.account}", event.until.timestamp(), exhausted=event.exhausted)
        elif isinstance(event, LimitsChanged):
            self.limits.set_cap(event.limit_name, event.limit)
        elif isinstance(event, RunStarted | RunResumed):
            self._agenda.begin()
        if book.stop_cause is not None:
            self._agenda.stop(book.stop_cause)

    def _grow(self, i: int, event: TaskExpanded) -> None:
        new = self._expand(event)
        self.nodes.extend(new)
        self.graph.grow([(node.id, node.needs) for node in new])
        self._agenda.ready.grow(i, len(new))
        self.book.grow(i, len(new))

    def consequences(self) -> list[Consequence]:
        """What is to be done because of what happened; to be asked again after the answers were applied."""
        return self._agenda.consequences()

    # -- what may start -----------------------------------------------------------------------------------------

    def next_startable(self, now: float) -> Startable | None:
        """The task to start next, seconds since the epoch given.

        It counts as handed out, and its limits as used, until `task_started` or another event moves it, or it is held.
        """
        return self._agenda.next_startable(now)

    def could_start(self, now: float) -> bool:
        """Whether `next_startable` would find a task; nothing is handed out."""
        return self._agenda.could_start(now)

    @property
    def has_ready(self) -> bool:
        """Whether some task could start now, were there room in its limits."""
        return self._agenda.has_ready

    def wake_at(self, now: float = 0.0) -> float | None:
        """When the next retry is due or pause ends, in seconds since the epoch; None when nothing waits for a time."""
        return None if self._agenda.suspended else self._agenda.ready.wake_at(now)

    @property
    def has_waiting(self) -> bool:
        """Whether any task may wait for room in its limits, or for a time."""
        return self._agenda.ready.has_waiting

    @property
    def waits_for_times(self) -> bool:
        """Whether `wake_at` may know of a moment."""
        return self._agenda.ready.waits_for_times or self.limits.pauses_any

    # -- what this process wishes -------------------------------------------------------------------------------

    def stop(self, cause: str) -> None:
        """Let nothing new start and end what runs, except tasks that run always; `consequences` says what to do.

        Not an event: it ends with this process. A second cause changes nothing.
        """
        self._agenda.stop(cause)

    def suspend(self) -> None:
        """Let nothing new start, and leave the rest as it is; not an event, as it ends with this process."""
        self._agenda.suspended = True

    def hold(self, task_id: str, reason: str) -> None:
        """Keep a task from starting, because another run works on it; not an event, as it ends with this process."""
        self._agenda.hold(self.graph.index[task_id], reason)

    def release(self, task_id: str) -> None:
        """Let a held task start when it may."""
        self._agenda.release(self.graph.index[task_id])

    @property
    def held(self) -> list[str]:
        """The ids of held tasks."""
        return [self.graph.ids[i] for i in self._agenda.held]

    @property
    def has_held(self) -> bool:
        """Whether some task waits only because another run works on it."""
        return bool(self._agenda.held)

    @property
    def stopping(self) -> str | None:
        """Why nothing new starts, None while the run goes on."""
        return self._agenda.stopping

    # -- how far the run is -------------------------------------------------------------------------------------

    @property
    def phase(self) -> Phase:
        """How far the run as a whole is."""
        return self.book.phase

    @property
    def seq(self) -> int:
        """The number of the last event."""
        return self.book.seq

    @property
    def fail_fast(self) -> bool:
        """Whether the first failure stops the run."""
        return self.book.fail_fast

    @property
    def is_over(self) -> bool:
        """Whether every task of the run is in a final state."""
        return self.book.left == 0

    def final_status(self) -> RunStatus:
        """What the run came to, once it is over."""
        book, nodes = self.book, self.nodes
        if not book.faulted and self.count(State.SUCCEEDED) == len(nodes):  # nearly always
            return RunStatus.SUCCESS
        own = {
            State.SKIPPED if state is State.FAILED and nodes[i].excused else state
            for i, state in enumerate(book.state)
            if not nodes[i].external and i not in book.parent
        }
        if self.book.faulted:
            return RunStatus.FAILED
        if self.stopping is not None and self.book.stop_cause is None and State.CANCELLED in own:
            return RunStatus.CANCELLED
        if own & {State.FAILED, State.BLOCKED}:
            return RunStatus.FAILED
        return RunStatus.CANCELLED if State.CANCELLED in own else RunStatus.SUCCESS

    def count(self, state: State) -> int:
        """How many tasks are in the state, those outside the selection included."""
        return self.book.state.count(state)

    def is_part(self, task_id: str) -> bool:
        """Whether the task came in as a part of another one."""
        return self.graph.index[task_id] in self.book.parent

    def parts_of(self, task_id: str) -> list[str]:
        """The parts of an expanded task, those of earlier attempts too."""
        return [self.graph.ids[i] for i in self.book.parts.get(self.graph.index[task_id], ())]

    def all_within(self, task_id: str) -> list[str]:
        """The task, its parts, and theirs."""
        i = self.graph.index[task_id]
        return [self.graph.ids[j] for j in (i, *self.book.below(i))]

    def tasks_in(self, *states: State) -> Iterator[str]:
        """The run's own tasks in these states, in declaration order; a walk over all tasks, unless there are none."""
        left = sum(map(self.book.state.count, set(states)))
        for i, state in enumerate(self.book.state):
            if not left:
                return
            if state in states:
                left -= 1
                if not self.nodes[i].external:
                    yield self.nodes[i].id

    # -- how far a task is --------------------------------------------------------------------------------------

    def state_of(self, task_id: str) -> State:
        """The task's state; KeyError for an unknown id."""
        return self.book.state[self.graph.index[task_id]]

    def attempts_of(self, task_id: str) -> int:
        """How many attempts have begun."""
        return self.book.attempts[self.graph.index[task_id]]

    def tries_of(self, task_id: str) -> int:
        """How many attempts count against the task's `retry.max`: those since it was last reopened."""
        return self.book.tries(self.graph.index[task_id])

    def attempt_of(self, task_id: str) -> int | None:
        """The number of the attempt that has begun and not ended, None when there is none."""
        return self.book.open_attempt(self.graph.index[task_id])

    def explain(self, task_id: str) -> str:
        """Why a task that has not ended does not go on, as the end of a sentence; empty where nothing keeps it."""
        i, book = self.graph.index[task_id], self.book
        state, node = book.state[i], self.nodes[i]
        if state in FINAL or state is State.RUNNING or self._agenda.ready.is_handed_out(i):
            return ""
        if i in self._agenda.held:
            return self._agenda.held[i]
        if state is State.NEEDS_INPUT:
            return "waits for a person"
        if self._agenda.ready.waits_for_time(i):
            return f"may be tried again at {book.due[i].isoformat(timespec='seconds')}"
        waits_for: list[int] = []
        if state is State.WAITING and book.ends.are_open(i):
            waits_for = [j for j in book.graph.needs[i] if book.state[j] not in FINAL]
        elif state is State.EXPANDED:
            waits_for = [j for j in book.parts.get(i, ()) if book.state[j] not in FINAL]
        if waits_for:
            return f"waits for {', '.join(book.graph.ids[j] for j in waits_for)}"
        return self._explain_limits(node)

    def _explain_limits(self, node: Node) -> str:
        now = self.book.last_at.timestamp() if self.book.last_at else 0.0
        until = self.limits.paused_until(node.limits, now)
        if until is not None:
            moment = datetime.fromtimestamp(until, UTC).isoformat(timespec="seconds")
            return f"waits for its account, which has reached its limit, until {moment}"
        full = self.limits.full(node.limits)
        return f"waits for {full}, which is in full use" if full else ""


def _plain_parts(event: TaskExpanded) -> list[Node]:
    return [Node(item["id"], tuple(item.get("needs", ()))) for item in event.items]
