"""What the tests of pipelines share: steps that do little, a gauge of how many run at once, a look at who is left."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from orchestration import AsyncPipeline, AsyncPythonTask
from orchestration.results import RunResult

PATIENCE = 30.0
"""Seconds after which something that a test waits for is taken not to happen; far more than it needs."""


class Gauge:
    """Counts how many of its steps run at once, and how often they ran."""

    def __init__(self, seconds: float = 0.01) -> None:
        self.seconds = seconds
        self.lock = threading.Lock()
        self.running = self.peak = self.calls = 0

    def _enter(self) -> None:
        with self.lock:
            self.running += 1
            self.calls += 1
            self.peak = max(self.peak, self.running)

    def _leave(self) -> None:
        with self.lock:
            self.running -= 1

    async def wait(self) -> None:
        self._enter()
        try:
            await asyncio.sleep(self.seconds)
        finally:
            self._leave()

    def block(self) -> None:
        self._enter()
        time.sleep(self.seconds)
        self._leave()


class Hanging:
    """A step that hangs until it is cancelled, and knows when it began and how it ended."""

    def __init__(self, clean_up: float = 0.0) -> None:
        self.began = asyncio.Event()
        self.clean_up = clean_up
        self.cancelled_at: float | None = None
        self.ended = 0

    async def hang(self) -> None:
        self.began.set()
        try:
            await asyncio.sleep(PATIENCE)
        except asyncio.CancelledError:
            self.cancelled_at = time.monotonic()
            raise
        finally:
            await asyncio.sleep(self.clean_up)
            self.ended += 1

    async def stream(self) -> Any:  # noqa: ANN401  # an async generator
        yield "first"
        await self.hang()


async def nothing() -> None:
    """Do nothing."""


def pipeline_of(*steps: Any, **options: Any) -> AsyncPipeline:  # noqa: ANN401  # steps of any kind
    """A pipeline of these steps; async functions become tasks."""
    return AsyncPipeline([AsyncPythonTask(step) if callable(step) else step for step in steps], **options)


def statuses(run: RunResult) -> dict[str, str]:
    """How each step ended, by its path."""
    return {result.task_id: result.status.value for result in run.results}


@contextmanager
def nothing_left() -> Iterator[None]:
    """See to it that what is done meanwhile leaves no task of the loop and no thread."""
    tasks, threads = asyncio.all_tasks(), set(threading.enumerate())
    yield
    assert asyncio.all_tasks() == tasks
    left = set(threading.enumerate()) - threads
    for thread in left:  # one that has given its result waits a moment for another function
        thread.join(10.0)
    assert not [thread for thread in left if thread.is_alive()]


async def add(x: int, y: int = 1) -> int:
    return x + y


async def echo(x: Any) -> Any:  # noqa: ANN401  # any value
    return x


async def made_of(step: Any, **parameters: Any) -> RunResult:  # noqa: ANN401  # any step, any values
    """Run one step."""
    return await pipeline_of(step).execute(parameters)


def returning(value: Any, **options: Any) -> AsyncPythonTask:  # noqa: ANN401  # any value
    """A step that returns a value."""

    async def give() -> Any:  # noqa: ANN401  # as above
        return value

    return AsyncPythonTask(give, **options)
