"""What the plan knows of a task, and what it asks its caller to do. Both are plain records."""

from dataclasses import dataclass
from typing import TypeAlias

from orchestration.kinds import Priority, RunWhen


@dataclass(frozen=True, slots=True)
class Node:
    """A task as the plan sees it: who it needs, under which policy, and what it uses.

    `weight` is the expected time, in any unit that is the same for all; `limits` are names known to `Limits`;
    `external` marks a task outside of the run's selection, which is looked at and never started.
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


Consequence: TypeAlias = Decide | Ask | Skip | Block | Cancel | Stop


@dataclass(frozen=True, slots=True)
class Startable:
    """A task that may start now, and the number that its attempt has."""

    task_id: str
    attempt: int
