"""Events of one run on their way: numbered, checked, applied, stored, told. In that order, always.

`emit` numbers an event, lets the plan check it and applies it to plan and ledger in one step, without awaiting, so that
no two decisions can rest on the same facts. What was emitted travels to the store together with the next commit (see
`commits`), in the same order; only when that is durable is anybody told, or anything begun because of it.

The clock is the event loop's, put on the epoch once: a step of the wall clock cannot reorder events, and a test can
run in virtual time. A run that is continued goes on after its last event (`go_on_after`), so that a clock that was set
back between two lives of it makes no retry wait for hours; what the wall clock names from outside is translated
(`meant`).
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from orchestration.events import Event, TaskChunk, TaskCompleted, TaskStarted
from orchestration.ledger import Ledger
from orchestration.plan import Plan, Startable
from orchestration.protocols import EventLog, Listener
from orchestration.records import maker
from orchestration.results import Outcome
from orchestration.scheduler.clock import clock_of
from orchestration.scheduler.commits import Commits


class Recorder:
    """The one hand that writes a run's plan, ledger and log.

    Args:
        plan: replayed or new; from here on nobody else applies events to it.
        ledger: fed with the same events as the plan.
        listener: told of each event once it is durable, in order, and of each chunk as it comes.
        clock: what the clock on the wall shows, in seconds since the epoch.
    """

    def __init__(
        self, plan: Plan, ledger: Ledger, listener: Listener | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        """Must be made inside the loop that will run the plan."""
        self.plan = plan
        self.ledger = ledger
        self._listener = listener
        self._time = clock_of(asyncio.get_running_loop())
        self._clock = clock
        self._epoch = clock() - self._time()
        self._commits = Commits(plan.run_id, listener)
        self._make_start, self._make_success = maker(TaskStarted), maker(TaskCompleted)

    def emit(self, kind: type[Event], /, **fields: Any) -> None:  # noqa: ANN401  # the event's own fields
        """Let an event happen; it is stored with the next commit.

        Raises:
            IllegalEvent: it cannot happen now; nothing has changed.
        """
        plan = self.plan
        event = kind(run_id=plan.run_id, seq=plan.book.seq + 1, at=self.at(), **fields)
        plan.apply(event)
        self.ledger.apply(event)
        self._commits.batch.append(event)

    def emit_start(self, start: Startable, agent: str | None, slot: int, now: float) -> None:
        """Let an attempt begin `now`: `emit` for one of the two events that nearly all events are."""
        plan, ledger, task_id, at = self.plan, self.ledger, start.task_id, datetime.fromtimestamp(now, UTC)
        seq, queued_at = plan.book.seq + 1, start.since or ledger.started_at
        event = self._make_start(plan.run_id, seq, at, task_id, start.attempt, agent, slot, queued_at)
        plan.start(event)
        ledger.start(event)
        self._commits.batch.append(event)

    def emit_success(self, start: Startable, agent: str | None, seconds: float, outcome: Outcome) -> None:
        """Let an attempt end well: `emit` for the other one."""
        plan, task_id, at = self.plan, start.task_id, datetime.fromtimestamp(self._epoch + self._time(), UTC)
        seq = plan.book.seq + 1
        event = self._make_success(plan.run_id, seq, at, task_id, start.attempt, agent, seconds, outcome)
        plan.complete(event)
        self.ledger.complete(event)
        self._commits.batch.append(event)

    @property
    def pending(self) -> Sequence[Event]:
        """What was emitted and not yet given to a log."""
        return self._commits.batch

    def take(self) -> list[Event]:
        """The pending events; whoever takes them stores and tells them."""
        batch, self._commits.batch = self._commits.batch, []
        return batch

    def commit(self, log: EventLog, is_alone: Callable[[], bool] = lambda: False) -> Awaitable[None]:
        """Have the pending events stored now; when the answer was awaited, all events so far are durable and told.

        Args:
            log: where they go.
            is_alone: whether nobody else of the run is at work, so that nothing would come along if this waited.

        Raises:
            Exception: what made an earlier commit fail; nothing can be recorded after it.
        """
        return self._commits.commit(log, is_alone)

    def may_wait(self, log: EventLog) -> bool:
        """Whether events need not be stored before anything follows from them, but with any later commit."""
        return self._commits.may_wait(log)

    async def tell(self, events: Sequence[Event]) -> None:
        """Tell the listener of durable events."""
        slow = self._commits.tell(events)
        if slow is not None:
            await slow

    async def wait_for_landing(self) -> None:
        """Wait until no commit is under way, whatever comes of it."""
        await self._commits.wait_for_landing()

    def tell_chunk(self, start: Startable, number: int, item: Any, stream: str | None) -> Awaitable[None] | None:  # noqa: ANN401  # any item
        """Pass a chunk of an attempt on at once; chunks are not stored among the events."""
        chunk = TaskChunk(self.plan.run_id, start.task_id, start.attempt, number, self.at(), item, stream)
        return self._listener(chunk) if self._listener is not None else None

    def now(self) -> float:
        """Seconds since the epoch, by a clock that never steps."""
        return self._epoch + self._time()

    def go_on_after(self, moment: datetime) -> None:
        """Let no time be before that of an event that was stored."""
        self._epoch = max(self._epoch, moment.timestamp() - self._time())

    def meant(self, moment: float) -> float:
        """A moment by the clock on the wall, such as an agent names, by ours: as far ahead as it is there."""
        return moment - self._clock() + self.now()

    def loop_time(self, moment: float) -> float:
        """A moment of `now()` as the loop's own time."""
        return moment - self._epoch

    def at(self) -> datetime:
        """Now, as events carry it."""
        return datetime.fromtimestamp(self._epoch + self._time(), UTC)
