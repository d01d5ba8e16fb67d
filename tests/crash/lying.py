"""A store that does what it was asked and then says that it failed, or says so and does nothing, as it is drawn."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Final

from orchestration import ProjectOrchestrator
from orchestration.errors import StoreError
from orchestration.events import Event, TaskChunk, to_dict
from orchestration.protocols import RunRecord
from orchestration.store.sqlite import SqliteStore
from tests.crash import backlogs, checking

RARELY: Final = 4
"""Every few answers there is a lie, one of at most so many, so that a run comes some way and rarely to its end."""
LIVES: Final = 60
"""Runs after which one has to be through; in the second half of them nobody lies any more."""
AFTER: Final = "it was done, and this says that it was not"
BEFORE: Final = "it was not even tried"


@dataclass(frozen=True, slots=True)
class Lived:
    """What came of a backlog on a lying store: in how many runs, after how many lies, and what is wrong."""

    lives: int
    lies: int
    wrong: Sequence[str]


class LyingStore(SqliteStore):
    """The real store, whose answers to writers cannot be trusted.

    Args:
        folder: the state folder.
        random: draws which answers are lies, and which of them come before the deed; None for a store that never lies.
    """

    def __init__(self, folder: Path, random: Random | None) -> None:
        super().__init__(folder)
        self._random = random
        self._honest = random.randrange(RARELY) if random else 0
        self.lies: list[str] = []

    def append(self, run_id: str, events: Sequence[Event]) -> Awaitable[None]:
        """Queue the events, or not."""
        lie = self._drawn()
        if lie == BEFORE:
            return asyncio.ensure_future(_fail(lie))
        return asyncio.ensure_future(_answer(super().append(run_id, events), lie))

    async def open_run(self, record: RunRecord, events: Sequence[Event]) -> None:
        """Add a run, or not."""
        await self._perhaps(lambda: super(LyingStore, self).open_run(record, events))

    async def claim(self, run_id: str, task_ids: Sequence[str]) -> Mapping[str, str]:
        """Take the tasks, or not."""
        refused: Mapping[str, str] = {}

        async def take() -> None:
            nonlocal refused
            refused = await super(LyingStore, self).claim(run_id, task_ids)

        await self._perhaps(take)
        return refused

    async def _perhaps(self, deed: Callable[[], Awaitable[None]]) -> None:
        lie = self._drawn()
        if lie == BEFORE:
            await _fail(lie)
        await _answer(deed(), lie)

    def _drawn(self) -> str | None:
        if self._random is None:
            return None
        self._honest -= 1
        if self._honest >= 0:
            return None
        self._honest = self._random.randrange(RARELY)
        self.lies.append(self._random.choice([AFTER, BEFORE]))
        return self.lies[-1]


async def _answer(done: Awaitable[None], lie: str | None) -> None:
    await done
    if lie is not None:
        await _fail(lie)


async def _fail(lie: str) -> None:
    raise StoreError(lie, hint="run the same command again")


async def lived(folder: Path, seed: int) -> Lived:
    """Run the small backlog again and again, in this process, until it is through; then verify."""
    random = Random(seed)  # noqa: S311  # a draw for a test
    project = backlogs.small(folder)
    told: list[dict[str, Any]] = []
    lies, lives, wrong = 0, 0, []

    def hear(event: Event | TaskChunk) -> None:
        if not isinstance(event, TaskChunk):
            told.append(to_dict(event))

    while lives < LIVES:
        lives += 1
        store = LyingStore(project.root / ".orchestration", random if lives < LIVES / 2 else None)
        async with ProjectOrchestrator(project.root, store=store) as orchestrator:
            error = await _failure_of(orchestrator, hear)
        await store.close()
        lies += len(store.lies)
        if error is None:
            break
        if error not in {AFTER, BEFORE} or not store.lies:
            wrong.append(f"it failed for another reason: {error}")
    return Lived(lives, lies, [*wrong, *checking.complaints(project.root, backlogs.SMALL, told)])


async def _failure_of(orchestrator: ProjectOrchestrator, hear: Callable[[Event | TaskChunk], None]) -> str | None:
    """Run everything; returns what the store said against it, None when the run came to its end."""
    try:
        await orchestrator.run_batch(listener=hear)
    except StoreError as error:
        return error.message
    return None
