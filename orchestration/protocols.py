"""The seams of the engine, each of one to three methods, and the records that cross them.

Whoever does work (`Executor`), has it done elsewhere (`Backend`), keeps what happened (`EventLog`, `RunBook`,
`CommandTable`) or listens (`Listener`) is known to the engine only by these names; the real ones and their twins in
`testing` pass the same contract tests.
"""

from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import field
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Protocol, TypeAlias, cast

from orchestration.events import Event, TaskChunk
from orchestration.kinds import ExecutionStatus, RunStatus
from orchestration.masking import Masker
from orchestration.models import Agent, Task
from orchestration.records import dataclass
from orchestration.results import Outcome, Usage

Listener: TypeAlias = Callable[[Event | TaskChunk], Awaitable[None] | None]
"""Told of every event after it is durable, and of every chunk as it comes; awaiting in it slows the sender down."""

Report: TypeAlias = Callable[[Any, str | None], Awaitable[None] | None]
"""Given to an executor: `report(item, stream)` passes an item of live output on; `stream` is stdout, stderr or None."""


@dataclass(frozen=True, slots=True)
class Session:
    """An agent's session that an attempt is to go on with; `totals` is what it had used of models before."""

    session_id: str
    totals: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Start:
    """What is to be started for an attempt: a program with its arguments, the folder, and all that it may see."""

    argv: tuple[str, ...]
    directory: Path
    environment: Mapping[str, str] = field(repr=False)


Rewrite: TypeAlias = Callable[[Start], Start]
"""What a backend makes of a command: given what would be started here, it says what is to be started instead."""


def ignore(_: object) -> None:
    """Nobody wants to know."""


@dataclass(frozen=True, slots=True)
class Work:
    """One attempt, with everything that an executor needs and nothing that it could write to but its own folder.

    `prompt` is the exact text for whoever does the work; `environment` is all that a child may see; `folder` is the
    attempt's own (made only when something is written to it); the limits are seconds, None for no limit.
    `upstream` maps each dependency to `{status, output, outputs}`. `session` is to be resumed, where the agent can.
    `keys` are variables for the agent alone, which checks do not see; `masker` hides secrets in everything that is kept
    or shown. An executor tells `spent` what the attempt has used so far, whenever it knows more, and, when it is
    cancelled, `keep` what can be said of the attempt nevertheless. One that has to abandon what it cannot end gives
    `abandon` what can be awaited for its real end.

    `backend` names who has the attempt done, None for nobody: it is done here. With a `rewrite`, an executor starts
    nothing for the agent but what that makes of its commands; one that cannot do so refuses the work.
    """

    run_id: str
    task: Task
    agent_name: str
    agent: Agent
    attempt: int
    slot: int
    prompt: str
    directory: Path
    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    upstream: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    inputs: Mapping[str, Any] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    timeout: float | None = None
    idle_timeout: float | None = None
    kill_grace: float = 5.0
    keys: Mapping[str, str] = field(default_factory=dict, repr=False)
    session: Session | None = None
    masker: Masker | None = None
    spent: Callable[[Usage], None] = ignore
    keep: Callable[[Outcome], None] = ignore
    abandon: Callable[[Awaitable[Any]], None] = ignore
    backend: str | None = None
    rewrite: Rewrite | None = None

    @property
    def agent_environment(self) -> dict[str, str]:
        """All that the agent itself may see: what every command of the attempt sees, and its keys."""
        return {**self.environment, **self.keys}


class Reporting(Protocol):
    """Takes what an attempt yields and uses while it goes on."""

    def __call__(self, item: Any, stream: str | None) -> Awaitable[None] | None:  # noqa: ANN401  # any item
        """Pass an item of live output on; what is returned, if anything, is to be awaited before the next."""
        ...

    @property
    def is_ending(self) -> bool:
        """Whether the attempt is to end: a cancellation that comes then is meant for it, and not for a part of it."""
        ...

    def spent(self, usage: Usage) -> None:
        """The attempt has used so much so far."""
        ...


@dataclass(frozen=True, slots=True)
class Expansion:
    """The task becomes several: each item has an `id` that is new in the run, the ids it `needs`, and who does it."""

    template: str
    items: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Drop:
    """These parts of a task are not needed any more; what runs of them is to be ended."""

    task_ids: tuple[str, ...]
    cause: str


Decision: TypeAlias = Outcome | Expansion | Drop
"""What becomes of an expanded task: it has come to an end, it becomes more, or some of it is not needed any more."""


class Doer(Protocol):
    """Gets the tasks of one run done, for the scheduler, which knows neither agents nor files."""

    def perform(
        self, task_id: str, attempt: int, slot: int, report: Reporting, agent: str | None = None
    ) -> Outcome | Expansion | Awaitable[Outcome | Expansion]:
        """One attempt with all that belongs to it; a failing agent is an outcome. Cancelled: ends what it started.

        `agent` does it instead of the task's own. What it comes to may be there at once; else it is to be awaited.
        """
        ...

    def join(self, task_id: str) -> Decision | None:
        """What is to become of an expanded task, now that its parts are as they are; None for nothing yet."""
        ...

    def decide(self, task_id: str) -> bool:
        """The value of the task's condition now; raises TemplateError when it cannot be evaluated."""
        ...

    def salvage(self, task_id: str, attempt: int) -> Outcome:
        """What can be said of an attempt that was cut off: where its logs are."""
        ...

    async def wait_for_return(self, task_id: str, attempt: int) -> None:
        """Wait until the thread of an abandoned attempt has returned."""
        ...


class Executor(Protocol):
    """Does one attempt. A failing agent is an outcome; only a fault of ours raises."""

    async def execute(self, work: Work, report: Report) -> Outcome:
        """Do the work; when cancelled, first end everything that was started, then let the cancellation out."""
        ...


class Backend(Protocol):
    """Where attempts run, if it is not here: has the same commands started otherwise, or does attempts in its own way.

    For the first it calls `here`, who would do the attempt without it, with a `Work` that has a `rewrite`
    (`orchestration.backends.Wrapping` does that): logs, limits, masking and the proof that nothing is left stay those
    of `here`. For the second it is to the attempt what an executor is, and leaves `here` alone.
    """

    async def execute(self, work: Work, report: Report, here: Executor) -> Outcome:
        """Have an attempt done; what holds for executors holds for it, whoever it calls."""
        ...


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A run as the store's own table knows it; `shape` is the graph that its fingerprint was made of.

    The tasks of a `batch` are those of the backlog, and how they end is how they stand; the steps of other kinds of
    runs are known in their run only.
    """

    run_id: str
    status: RunStatus
    created_at: datetime
    updated_at: datetime
    tasks: tuple[str, ...]
    shape: Mapping[str, Any] = field(default_factory=dict)
    last_seq: int = 0
    kind: str = "batch"

    @property
    def is_of_backlog(self) -> bool:
        """Whether its tasks are those of the backlog."""
        return self.kind == "batch"


@dataclass(frozen=True, slots=True)
class Standing:
    """A task's latest end in any run, with what a later run needs to adopt it."""

    task_id: str
    run_id: str
    seq: int
    status: ExecutionStatus
    at: datetime
    event: Event


@dataclass(frozen=True, slots=True)
class Owner:
    """A process, named for good: its number is given out again, its time of birth in that boot is not.

    `born` is in ticks since the boot, `boot_id` the kernel's name of the boot; None and empty where no system tells.
    """

    pid: int
    born: int | None = None
    boot_id: str = ""


@dataclass(frozen=True, slots=True)
class Claim:
    """Which run may work on a task; `owner` is who took it, `since` when, both None in a state of before that was kept.

    Whether it holds is another question: that is so while somebody owns the run.
    """

    task_id: str
    run_id: str
    owner: Owner | None = None
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class CommandRow:
    """A command from another terminal, waiting for the run's owner; `answer` is None until it was dealt with."""

    number: int
    run_id: str
    task_id: str | None
    action: str
    body: Mapping[str, Any]
    answer: Mapping[str, Any] | None = None


class Ready:
    """An answer that is there already: to await it does not suspend, and who knows that need not await it."""

    __slots__ = ("_error",)

    def __init__(self, error: BaseException | None = None) -> None:
        """It is done, or refused with an error."""
        self._error = error

    def result(self) -> None:
        """Raise the error, if there is one."""
        if self._error is not None:
            raise self._error

    def __await__(self) -> Generator[Any, None, None]:
        self.result()
        return cast("Generator[Any, None, None]", iter(()))  # an empty iterator costs a third of a generator


DONE: Final = Ready()


class EventLog(Protocol):
    """Keeps events. An awaited `append` is durable, whole, and the only one with its sequence numbers.

    One into which nobody can look, and that ends with its run, says so by a true attribute `is_private`: it need not
    have anything before it happens. One for which a transaction takes longer than a turn of the event loop says so by a
    true attribute `is_dear`, also where it answers at once: what happens in one turn then goes to it together.
    """

    def append(self, run_id: str, events: Sequence[Event]) -> Awaitable[None]:
        """Queue the events of one run for one transaction, with the standings and claims that follow from them.

        They are in the queue, in order, when the call returns; they are durable when the answer has been awaited.
        Whoever gives up waiting does not undo them. The answer of a log that need not wait is `Ready`; a future with an
        attribute `at_once` calls that with itself as soon as it is done, before those who wait for it.

        Raises:
            OutcomeTaken: a sequence number or an attempt's outcome exists already; nothing was written.
            StoreError: it could not be made durable.
        """
        ...

    async def events(self, run_id: str, since: int = 0) -> Sequence[Event]:
        """The run's events with `seq > since`, in order."""
        ...


class RunBook(Protocol):
    """Knows which runs there are, who has which task, and how each task stands."""

    async def open_run(self, record: RunRecord, events: Sequence[Event]) -> None:
        """Add a run with its first events in one transaction."""
        ...

    async def runs(self) -> Sequence[RunRecord]:
        """All runs, newest first."""
        ...

    async def standings(self, task_ids: Sequence[str] | None = None) -> Mapping[str, Standing]:
        """The latest end of each task that ever ended, by id."""
        ...


class Claims(Protocol):
    """Which run may work on which task; a claim ends with its task's end or adoption in that run, or with its run."""

    async def claim(self, run_id: str, task_ids: Sequence[str]) -> Mapping[str, str]:
        """Take each task unless a live run has it; returns task → run for those that another live run has."""
        ...

    async def claims(self) -> Mapping[str, Claim]:
        """All claims by task, those of dead runs too."""
        ...

    async def release(self, run_id: str) -> None:
        """Give back whatever the run still claims."""
        ...

    def own(self, run_id: str) -> AbstractContextManager[None]:
        """Hold the run's owner lock.

        Raises:
            RunOwned: another live owner holds it.
        """
        ...


class CommandTable(Protocol):
    """Commands from other terminals to the owner of a run."""

    async def submit(self, run_id: str, task_id: str | None, action: str, body: Mapping[str, Any]) -> int:
        """Leave a command; returns its number."""
        ...

    async def commands(self, run_id: str) -> Sequence[CommandRow]:
        """The run's commands that nobody answered yet, oldest first."""
        ...

    async def answer(self, number: int, answer: Mapping[str, Any]) -> None:
        """Say what came of a command."""
        ...


class RunStore(EventLog, RunBook, Claims, CommandTable, Protocol):
    """All of it in one place: `store.sqlite` and its twin `store.memory`."""

    async def answered(self, number: int) -> Mapping[str, Any] | None:
        """What came of a command, None while nobody answered."""
        ...

    def is_live(self, run_id: str) -> bool:
        """Whether a live process owns the run."""
        ...

    async def close(self) -> None:
        """End the writer; what was acknowledged is durable."""
        ...
