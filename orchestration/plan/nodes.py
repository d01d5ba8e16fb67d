"""What the plan knows of a task, and what it asks its caller to do. Both are plain records."""

from datetime import datetime
from typing import TypeAlias

from orchestration.kinds import Priority, RunWhen
from orchestration.records import dataclass


@dataclass(frozen=True, slots=True)
class Fallback:
    """Who does a task while the account of its own agent is exhausted, and under which limits."""

    agent: str
    limits: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Node:
    """A task as the plan sees it: who it needs, under which policy, and what it uses.

    `weight` is the expected time, in any unit that is the same for all; `limits` are names known to `Limits`;
    `external` marks a task outside of the run's selection, which is looked at and never started; `fallback` is asked
    while one of the limits belongs to an account that is exhausted.

    A task that becomes several gives its limits back, unless it `keeps_limits`: then it uses them until its attempt has
    ended. What becomes of it is asked after every end of a part, or, where it `joins_at_end`, when none is open; where
    it `joins_at_failure` too, it is also asked when a part has failed, once what follows from that was recorded.

    The failure of an `excused` task is its own affair: for those that depend on it, it counts as skipped, and for the
    run as nothing. That of a part is the affair of the task that it is a part of, unless it is `fatal`: then a run that
    fails fast stops at it as at any other.
    """

    id: str
    needs: tuple[str, ...] = ()
    run_when: RunWhen = RunWhen.ALL_SUCCEEDED
    conditional: bool = False
    approve: bool = False
    rank: int = Priority.MEDIUM.rank
    weight: float = 1.0
    limits: tuple[str, ...] = ()
    external: bool = False
    fallback: Fallback | None = None
    keeps_limits: bool = False
    joins_at_end: bool = False
    joins_at_failure: bool = False
    fatal: bool = False
    excused: bool = False


@dataclass(frozen=True, slots=True)
class Decide:
    """Evaluate the task's condition and say so with `condition_decided`."""

    task_id: str


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask a person whether the task may start."""

    task_id: str


@dataclass(frozen=True, slots=True)
class Skip:
    """Record that the task is not to be done."""

    task_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Block:
    """Record that the task can never start."""

    task_id: str
    reason: str
    by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Cancel:
    """Record that a task which is not running will not be done."""

    task_id: str
    cause: str


@dataclass(frozen=True, slots=True)
class Stop:
    """End the running attempt of a task; its end is recorded when it is proved."""

    task_id: str
    cause: str


@dataclass(frozen=True, slots=True)
class Join:
    """Decide what becomes of an expanded task, now that something about its parts has changed."""

    task_id: str


Consequence: TypeAlias = Decide | Ask | Skip | Block | Cancel | Stop | Join


@dataclass(frozen=True, slots=True)
class Startable:
    """A task that may start now, the number that its attempt has, and who does it instead of its own agent.

    `since` is when it could first have started, as far as this process saw it.
    """

    task_id: str
    attempt: int
    agent: str | None = None
    since: datetime | None = None
