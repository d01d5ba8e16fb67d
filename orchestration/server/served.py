"""The project that is served: its files as they are now, its state, the runs that were started here, and their end.

The server lives long, and the files of the project change meanwhile. So the project is loaded again, in a thread, when
its files are not what they were, and whenever a run is started; runs that go on keep what they began with. All of them
share one store and one book of live processes, and end with the server.
"""

import asyncio
import logging
import os
from collections.abc import AsyncGenerator, Coroutine, Mapping
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Any, Final, TypeAlias

import anyio

from orchestration.errors import OrchError, RequestRefused
from orchestration.events import Event, TaskChunk, TaskStarted
from orchestration.loading import Project
from orchestration.loading.walking import SETTINGS_FILE, find_task_files
from orchestration.orchestrator import ProjectOrchestrator
from orchestration.orchestrator.looking import find_run
from orchestration.process import LiveChildren
from orchestration.protocols import Listener, RunRecord
from orchestration.results import RunResult
from orchestration.scheduler import cancel_all
from orchestration.server.cursor import Cursor
from orchestration.server.feed import LEAST_BETWEEN_LOOKS, Chunks, Feed, Told
from orchestration.server.schemas import StartRun

MAX_RUNS: Final = 100
"""Runs that go on here at once; each may have as many tasks at work as it likes."""

PATIENCE_FOR_LOOKS: Final = 20.0
"""Seconds in which the end of a run is learned when the server ends; a machine that is not busy takes a tenth."""
PATIENCE_FOR_READERS: Final = 2.0
"""Seconds in which those who read a run that has ended may read its last events when the server ends."""

SECONDS_BETWEEN_STOPS: Final = 0.2

TOLD_BY_ITEMS: Final = frozenset({"cli", "scripted", "api"})
"""Kinds of agents whose output is a protocol: what is told live of them are the items that were made of it."""

Files: TypeAlias = tuple[tuple[str, int, int], ...]

_LOG: Final = logging.getLogger(__name__)


class Served:
    """One project.

    Args:
        root: its folder.
        environment: what the children of its runs draw from.
        children: every live process tree, and who ends them if this process dies.

    Raises:
        InvalidProject: it is not fit to be run now.
    """

    def __init__(self, root: Path, environment: Mapping[str, str], children: LiveChildren) -> None:
        """Load it; nothing is written."""
        self._environment = environment
        self._children = children
        self._orchestrator = ProjectOrchestrator(root, environment=environment, children=children)
        self._files = _files_of(self._orchestrator.project)
        self._loading = asyncio.Lock()
        self._runs: dict[asyncio.Task[RunResult], ProjectOrchestrator] = {}
        self._feeds: dict[str, Feed] = {}
        self._is_ending = False
        self._cause = "the server ends"
        self.store = self._orchestrator.store
        self.asked_to_end = asyncio.Event()

    # -- the project --------------------------------------------------------------------------------------------

    @property
    def as_it_was(self) -> ProjectOrchestrator:
        """The project as it was loaded last: for what is about runs, and not about files."""
        return self._orchestrator

    async def now(self, *, anew: bool = False) -> ProjectOrchestrator:
        """The project as its files are now.

        Raises:
            InvalidProject: they are not fit to be run.
        """
        async with self._loading:
            project = self._orchestrator.project
            files = await asyncio.to_thread(_files_of, project)
            if anew or files != self._files:
                self._orchestrator = await asyncio.to_thread(self._load, project.root)
                self._files = files
            return self._orchestrator

    def _load(self, root: Path) -> ProjectOrchestrator:
        return ProjectOrchestrator(root, store=self.store, environment=self._environment, children=self._children)

    # -- runs ---------------------------------------------------------------------------------------------------

    async def start(self, order: StartRun) -> RunRecord:
        """Start a run, or continue the open one of these tasks; return when its first event is durable.

        Where nothing is to be done, that is the run that says so already.

        Raises:
            RequestRefused: the server is ending, or does too much already.
            OrchError: what kept it from beginning.
        """
        orchestrator = await self.now(anew=True)
        if self._is_ending:
            raise RequestRefused(503, "the server is ending")
        if len(self._runs) >= MAX_RUNS:
            raise RequestRefused(503, f"{MAX_RUNS} runs go on already", hint="wait for one of them, or cancel one")
        began: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        def hear(event: Event | TaskChunk) -> None:
            if not began.done():
                began.set_result(event.run_id)
            self._nudge(event.run_id)

        run = asyncio.create_task(_run(orchestrator, order, hear), name="run of the server")
        self._runs[run] = orchestrator
        try:
            either: list[asyncio.Future[Any]] = [run, began]
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if run.done() and not began.done():
                del self._runs[run]  # it is told here why
            else:
                run.add_done_callback(self._note_end)
        return await self.run(began.result() if began.done() else run.result().run_id)

    def _note_end(self, run: "asyncio.Task[RunResult]") -> None:
        del self._runs[run]
        error = None if run.cancelled() else run.exception()
        if isinstance(error, OrchError):
            _LOG.warning("a run could not go on: %s", error)
        elif error is not None:
            _LOG.error("a run has failed by a fault of orch", exc_info=error)
        elif not run.cancelled():
            self._nudge(run.result().run_id)

    def _nudge(self, run_id: str) -> None:
        feed = self._feeds.get(run_id)
        if feed is not None:
            feed.nudge()

    async def run(self, run_id: str) -> RunRecord:
        """The run with this id.

        Raises:
            UnknownRun: there is none.
        """
        return await find_run(self.store, run_id)

    @property
    def readers(self) -> int:
        """How many follow a run now."""
        return sum(feed.readers for feed in self._feeds.values())

    # -- reading ------------------------------------------------------------------------------------------------

    async def follow(self, run_id: str, after: Cursor, chunks: Chunks) -> AsyncGenerator[Told, None]:
        """A run as it happens, behind a place."""
        record = await self.run(run_id)
        with suppress(OrchError):  # agents may have been added since; what cannot be read now is as it was
            await self.now()
        feed = self._feeds.get(run_id)
        if feed is None:
            feed = self._feeds[run_id] = self._feed_of(record)
        feed.readers += 1
        feed.begin()
        try:
            async with aclosing(feed.follow(after, chunks)) as telling:
                async for told in telling:
                    yield told
        finally:
            feed.readers -= 1
            if not feed.readers:
                self._feeds.pop(run_id, None)
                await feed.end()

    def _feed_of(self, record: RunRecord) -> Feed:
        project = self._orchestrator.project
        agents = dict(self._orchestrator.registry.items())

        def tells_text(event: TaskStarted) -> bool:
            agent = agents.get(event.agent or "")
            kind = record.shape.get(event.task_id, {}).get("kind") if agent is None else agent.kind
            return kind not in TOLD_BY_ITEMS

        return Feed(record.run_id, self.store, project.state_folder / "runs" / record.run_id, tells_text)

    # -- the end ------------------------------------------------------------------------------------------------

    def stop(self, cause: str, *, now: bool = False) -> None:
        """End all runs that were started here, gracefully or at once, and then the server."""
        self._is_ending = True
        self._cause = cause
        for orchestrator in {self._orchestrator, *self._runs.values()}:
            orchestrator.stop(cause, now=now)
        self.asked_to_end.set()

    async def end(self) -> None:
        """Wait until all runs have ended and were read, then end all reading."""
        while self._runs:
            await asyncio.wait(self._runs, timeout=SECONDS_BETWEEN_STOPS)
            for orchestrator in self._runs.values():
                orchestrator.stop(self._cause)  # it may have been about to begin a run when it was asked first
        with anyio.move_on_after(PATIENCE_FOR_LOOKS):
            for feed in list(self._feeds.values()):
                await feed.catch_up()
        with anyio.move_on_after(PATIENCE_FOR_READERS):
            while any(feed.is_over for feed in self._feeds.values()):  # noqa: ASYNC110  # each leaves by itself
                await asyncio.sleep(LEAST_BETWEEN_LOOKS)
        for feed in self._feeds.values():
            feed.close()

    async def aclose(self) -> None:
        """Close the state; what was acknowledged is durable."""
        await cancel_all(self._runs)
        await self._orchestrator.aclose()


def _run(orchestrator: ProjectOrchestrator, order: StartRun, hear: Listener) -> Coroutine[Any, Any, RunResult]:
    return orchestrator.run_batch(
        max_concurrent=order.max_concurrent,
        fail_fast=order.fail_fast,
        selection=order.selection,
        agent=order.agent,
        mode=order.mode,
        timeout=order.timeout,
        budget=order.budget,
        force=order.force,
        backend=order.backend,
        listener=hear,
    )


def _files_of(project: Project) -> Files:
    """What the project was written in: each file with its size and when it was changed."""
    found, _ = find_task_files(project.root, project.settings.tasks, required=False)
    paths = [str(project.root / SETTINGS_FILE), *(file.path for file in found)]
    return tuple(_facts(path) for path in paths)


def _facts(path: str) -> tuple[str, int, int]:
    try:
        there = os.stat(path)  # noqa: PTH116  # of thousands of files at each look
    except OSError:
        return path, -1, -1
    return path, there.st_size, there.st_mtime_ns
