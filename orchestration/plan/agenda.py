"""What is to be done now, seeing what has happened: consequences to be recorded, tasks to be started.

All of it follows from the book and from what this process wishes (holds, a stop), so nothing here needs to be stored:
whoever replays a run's events gets the same agenda. It looks only at tasks that changed.

A stop waits until nothing else follows, so that each task gets the reason that is true of it: what depends on a failure
is blocked by it, and only the rest is cancelled. So does the question what a failed part means for a task that is told
of failures at once. A task that `always` runs is spared, and begins when those it waits
for have ended, however. What comes back while the run is being stopped (a retry, an answer) is cancelled too.
"""

from orchestration.events import TaskEvent, TaskStarted
from orchestration.kinds import RunWhen
from orchestration.plan.book import Book, Phase
from orchestration.plan.limits import Limits
from orchestration.plan.nodes import Ask, Block, Cancel, Consequence, Decide, Join, Skip, Startable, Stop
from orchestration.plan.ready import Ready
from orchestration.plan.states import FINAL, State
from orchestration.plan.verdicts import Verdict
from orchestration.records import maker

_WAITING, _RUNNING, _RETRYING, _EXPANDED = State.WAITING, State.RUNNING, State.RETRYING, State.EXPANDED
_WAIT, _START, _SKIP, _BLOCK = Verdict
_OPEN, _PAUSED = Phase.OPEN, Phase.PAUSED
"""Bound once: until Python 3.12, finding a member in its class takes longer than all that is done with it here."""

_startable = maker(Startable)


class Agenda:
    """What follows from one book."""

    __slots__ = ("_book", "_failing", "_nodes", "_told", "_unwanted", "held", "ready", "stopping", "suspended")

    def __init__(self, book: Book, limits: Limits) -> None:
        """Nothing is held or stopped."""
        remaining = book.graph.longest_remaining([node.weight for node in book.nodes])
        self._book = book
        self._nodes = book.nodes
        self.held: dict[int, str] = {}
        self.ready = Ready(book, remaining, limits, self.held, self._is_hindered)
        self.stopping: str | None = None
        self.suspended = False
        self._unwanted: dict[int, None] = {}
        self._failing: dict[int, None] = {}
        self._told: dict[int, int] = {}

    # -- after an event -----------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Look at everything anew, because the run started or goes on."""
        self.ready.clear()
        self.stopping, self.suspended, self.ready.is_careful = None, False, False
        self._unwanted.clear()
        self._failing.clear()
        self._told.clear()
        for i, due_at in self._book.due.items():
            if i not in self.held:
                self.ready.push_at(i, due_at)

    def follow(self, i: int, before: State, after: State, event: TaskEvent) -> None:
        """Take note of where an event has moved a task."""
        if after is _RUNNING:
            if before is not _RUNNING:
                self.ready.start(i, event.agent if isinstance(event, TaskStarted) else None)
            return
        if before is _RUNNING or before is _EXPANDED:
            node = self._nodes[i]
            if (node.limits or node.fallback is not None) and self._gives_back(i, before, after):
                self.ready.end(i)
        elif after is not before:
            self.ready.drop(i)
        if after is _RETRYING:
            due_at = self._book.due.get(i)
            if due_at is not None:
                self.ready.push_at(i, due_at)
        elif self.held and after in FINAL:
            self.held.pop(i, None)

    def _gives_back(self, i: int, before: State, after: State) -> bool:
        """Whether a task that ran, or was expanded, no longer uses its limits."""
        if self._nodes[i].keeps_limits:
            return after is not _EXPANDED
        return before is _RUNNING

    # -- consequences -------------------------------------------------------------------------------------------

    def consequences(self) -> list[Consequence]:
        """What is to be recorded or ended because of what happened, no task twice."""
        book = self._book
        found: list[Consequence] = []  # made by its name alone, as `list[Consequence]()` takes ten times as long
        if not (book.changed or book.everything_changed or self._failing or self._unwanted):
            return found
        phase = book.phase
        if phase is _OPEN or phase is _PAUSED:
            for i in book.take_changed():
                self._examine(i, found)
            if self._failing and not found:
                failing, self._failing = self._failing, {}
                found += [Join(self._nodes[i].id) for i in failing if self._book.state[i] is State.EXPANDED]
            if self._unwanted and not found:
                unwanted, self._unwanted = self._unwanted, {}
                for i in unwanted:
                    self._dismiss(i, found)
        return found

    @property
    def _hinders_any(self) -> bool:
        """Whether any task may be kept by more than its dependencies, its condition and whoever is asked for it."""
        return bool(self.held or self._book.cancels) or self.stopping is not None

    def _examine(self, i: int, found: list[Consequence]) -> None:
        book = self._book
        state, node = book.state[i], self._nodes[i]
        if state is _WAITING and book.plain[i] and book.ends.verdicts[i] is _START and not self._hinders_any:
            self.ready.push(i, book.last_at)  # nearly always
            return
        if state in FINAL or node.external:
            return
        if state is State.EXPANDED:
            self._examine_expanded(i, found)
            return
        decided = book.ends.verdicts[i] if state is _WAITING else _WAIT
        if decided is _BLOCK:
            found.append(self._block(i))
        elif decided is _SKIP:
            about = "failed" if node.run_when is RunWhen.ANY_FAILED else "was done"
            found.append(Skip(node.id, f"nothing it depends on {about}"))
        elif self.cause_against(i) is not None:
            self._unwanted[i] = None
        elif decided is _START:
            self._prepare(i, found)
        elif state is _WAITING:
            self.ready.drop(i)  # a dependency's end was taken back

    def _examine_expanded(self, i: int, found: list[Consequence]) -> None:
        if self.cause_against(i) is not None:
            self._unwanted[i] = None
        elif not (self._nodes[i].joins_at_end and self._book.has_open_parts(i)):
            found.append(Join(self._nodes[i].id))
        elif self._nodes[i].joins_at_failure:
            self._failing[i] = None

    def _prepare(self, i: int, found: list[Consequence]) -> None:
        """Ask for what a task still needs that its dependencies let start, or queue it."""
        book, node = self._book, self._nodes[i]
        if i in self.held:
            return
        if node.conditional:
            condition = book.conditions.get(i)
            if condition is None:
                found.append(Decide(node.id))
                return
            if condition.value is None:
                found.append(Block(node.id, f"its condition cannot be evaluated: {condition.error}", ()))
                return
            if not condition.value:
                found.append(Skip(node.id, "its condition is false"))
                return
        if node.approve and i not in book.approved:
            found.append(Ask(node.id))
        else:
            self.ready.push(i, book.last_at)

    def _block(self, i: int) -> Block:
        book = self._book
        by = [j for j in book.graph.needs[i] if book.is_dead_end(j)]
        told = ", ".join(f"{book.graph.ids[j]}, which is {self._how_it_is(j)}" for j in by)
        return Block(self._nodes[i].id, f"depends on {told}", tuple(book.graph.ids[j] for j in by))

    def _how_it_is(self, i: int) -> str:
        state = self._book.state[i]
        outside = self._nodes[i].external and state is State.BLOCKED
        return "not done, and no part of this run" if outside else state.value

    # -- stopping and holding -----------------------------------------------------------------------------------

    def cause_against(self, i: int) -> str | None:
        """Why the task is to be ended or not to be begun, None where nothing speaks against it."""
        cancels = self._book.cancels
        if cancels:
            if i in cancels:
                return cancels[i]
            for parent in self._book.above(i):
                if parent in cancels:
                    return cancels[parent]
        return None if self.stopping is None or self._nodes[i].run_when is RunWhen.ALWAYS else self.stopping

    def _dismiss(self, i: int, found: list[Consequence]) -> None:
        cause, state, task_id = self.cause_against(i), self._book.state[i], self._nodes[i].id
        if cause is None or state in FINAL or self._nodes[i].external:
            return
        if state is State.EXPANDED and self._book.has_open_parts(i):
            return  # it is looked at again when the last of them has ended
        if state is State.EXPANDED and self._failed_by_itself(i):
            found.append(Join(task_id))
        elif state is not State.RUNNING:
            found.append(Cancel(task_id, cause))
        elif self._told.get(i) != self._book.attempts[i]:
            self._told[i] = self._book.attempts[i]
            found.append(Stop(task_id, cause))

    def _failed_by_itself(self, i: int) -> bool:
        """Whether a part has failed of a task that is told of that, so that it is no mere victim of a stop."""
        book = self._book
        if not self._nodes[i].joins_at_failure or i in book.cancels:
            return False
        return any(book.state[j] is State.FAILED and not self._nodes[j].excused for j in book.parts.get(i, ()))

    def stop(self, cause: str) -> None:
        """Let nothing new start and end what runs, except tasks that always run."""
        if self.stopping is None:
            self.stopping, self.ready.is_careful = cause, True  # a cause may have no words
            self._unwanted |= dict.fromkeys(i for i, state in enumerate(self._book.state) if state not in FINAL)

    def hold(self, i: int, reason: str) -> None:
        """Keep a task from starting."""
        self.held[i] = reason
        self.ready.drop(i)

    def release(self, i: int) -> None:
        """Let a held task start when it may."""
        self.held.pop(i, None)
        if self._book.state[i] is State.RETRYING and i in self._book.due:
            self.ready.push_at(i, self._book.due[i])
        else:
            self._book.mark_changed(i)

    # -- what may start -----------------------------------------------------------------------------------------

    def next_startable(self, now: float) -> Startable | None:
        """The task to start next."""
        if self._book.phase is not _OPEN or self.suspended:
            return None
        ready = self.ready
        i = ready.pop(now)
        if i is None:
            return None
        agent = ready.agent_of(i) if ready.elsewhere else None
        return _startable(self._nodes[i].id, self._book.attempts[i] + 1, agent, ready.since[i])

    @property
    def has_ready(self) -> bool:
        """Whether some task could start, were there room."""
        return not self.suspended and self.ready.has_any()

    def could_start(self, now: float) -> bool:
        """Whether `next_startable` would find a task."""
        return self._book.phase is _OPEN and not self.suspended and self.ready.has_room(now)

    def _is_hindered(self, i: int) -> bool:
        return i in self.held or self.cause_against(i) is not None
