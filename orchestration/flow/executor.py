"""Executors of flows: the capacity, the threads, the tools and the cache that the runs of one executor share."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestration.calls import MAX_THREADS, Threads, begin_anew_in_children, giving_way
from orchestration.errors import UsageError
from orchestration.flow.compiling import Compiler
from orchestration.flow.door import Door
from orchestration.flow.flow import Flow
from orchestration.flow.waiting import Waiting
from orchestration.plan import Limits
from orchestration.protocols import Listener
from orchestration.results import RunResult
from orchestration.steps.caching import Cache, FolderRows
from orchestration.steps.crew import CAPACITY, IN_THREADS
from orchestration.steps.doors import ended, refuse_in_loop, running_loop
from orchestration.steps.home import Home
from orchestration.steps.program import Program
from orchestration.steps.reading import (
    checked_count,
    checked_folder,
    checked_function,
    checked_mapping,
    checked_name,
    seconds,
)
from orchestration.steps.running import Options, Store, caps_of_threads, run_program
from orchestration.steps.telling import told
from orchestration.streams import RunStream

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop


class AsyncFlowExecutor:
    """Runs flows; at most `max_concurrent` steps at once, in all of its runs together.

    Args:
        max_concurrent: how many steps may run at once; None for no limit.
        tools: name → function, for steps that name a tool.
        store: a store, or the folder of a durable one; in memory by default.
        cache: a folder for what steps with `cache=True` have come to; in memory by default.
        directory: where the files are that steps make and files of `catalog` come from and go to; the current folder by
            default. In the project in which it lies is said where secrets are kept.
        max_threads: how many plain functions may run at once, abandoned ones included; by default 64, or as many as
            steps may.

    Raises:
        UsageError: a limit is not possible, a tool is none, or a folder is none.
    """

    def __init__(
        self,
        max_concurrent: int | None = None,
        *,
        tools: Mapping[str, Callable[..., Any]] | None = None,
        store: Store | None = None,
        cache: str | Path | None = None,
        directory: str | Path | None = None,
        max_threads: int | None = None,
    ) -> None:
        checked_count(max_concurrent, "max_concurrent")
        checked_count(max_threads, "max_threads")
        self.max_concurrent = max_concurrent
        self._store = store
        self._threads = Threads(max_threads or max(MAX_THREADS, max_concurrent or 0))
        self._together = _Together(max_concurrent, self._threads)
        self._tools: dict[str, Callable[..., Any]] = {}
        checked_mapping(tools or {}, "tools")
        for name, function in (tools or {}).items():
            self.register(name, function)
        rows = None if cache is None else FolderRows(checked_folder(cache, "cache"))
        self._home = Home(directory)
        self._cache = Cache(rows)
        self._compiler = Compiler(self._tools, self._cache, self._home.directory)
        begin_anew_in_children(self)

    def begin_anew(self) -> None:
        """Nothing goes on any more: the loop is closed, or is that of the process from which this one was forked."""
        self._together = _Together(self.max_concurrent, self._threads)
        self._cache.forget_unfinished()

    @property
    def abandoned(self) -> list[str]:
        """The calls of plain functions that still run though nobody waits for them: `run/step/attempt function`."""
        return self._threads.abandoned

    def register(self, name: str, function: Callable[..., Any]) -> None:
        """Let steps name a function as their tool; one of that name before is replaced."""
        self._tools[checked_name(name, "a tool")] = checked_function(function, f"tool {name}")

    def program(self, flow: Flow) -> Program:
        """What the engine runs; raises UsageError where a step cannot be done."""
        return self._compiler.program(flow)

    async def execute(
        self,
        flow: Flow,
        inputs: Mapping[str, Any] | None = None,
        deadline: float | str | None = None,
        *,
        run_id: str | None = None,
        parameters_file: str | Path | None = None,
    ) -> RunResult:
        """Run a flow to its end. A step that fails is part of the result, not an exception.

        Args:
            flow: what is run.
            inputs: values that steps find by name.
            deadline: seconds (or `30s`, `5m`) after which the run is ended: what runs, waits for its turn or for its
                next attempt.
            run_id: continues the run of this id where the store has it, else the id of the new run.
            parameters_file: a YAML or JSON file with inputs that are neither given nor in `ORCH_PRM_…` variables.

        Returns:
            How it went, with one record for each step.

        Raises:
            OrchError: it could not begin, or the store failed; see `orchestration.steps.running.run_program`.
        """
        return await self.drive(flow, inputs, deadline, run_id, parameters_file)

    def stream(
        self,
        flow: Flow,
        inputs: Mapping[str, Any] | None = None,
        deadline: float | str | None = None,
        *,
        run_id: str | None = None,
        parameters_file: str | Path | None = None,
    ) -> RunStream:
        """The same, watched while it goes on: an async iterator of events, best used as an async context manager."""
        left: list[RunResult] = []
        run = partial(self.drive, flow, inputs, deadline, run_id, parameters_file, leave=left.append)
        return RunStream(run, told, left)

    async def drive(
        self,
        flow: Flow,
        inputs: Mapping[str, Any] | None,
        deadline: float | str | None,
        run_id: str | None,
        parameters_file: str | Path | None,
        listener: Listener | None = None,
        *,
        leave: Callable[[RunResult], None] | None = None,
    ) -> RunResult:
        """Behind all doors: `execute`, with `listener` told of what happens, and `leave` of a run that is cancelled."""
        within = seconds(deadline, "deadline")
        program = self.program(flow)
        with self._in_one_loop() as together, together.waiting.entered() as depth:
            options = Options(
                run_id=run_id,
                max_concurrent=self.max_concurrent,
                deadline=within,
                store=self._store,
                home=self._home,
                threads=self._threads,
                limits=together.limits,
                in_threads=self._limit_of_threads(together.limits, depth),
                listener=listener,
                leave=leave,
                around=partial(together.waiting.running, depth),
                parameters_file=parameters_file,
            )
            return await run_program(program, inputs, options)

    def _limit_of_threads(self, limits: Limits, depth: int) -> str:
        """The name of the limit of steps in threads, another one inside of runs: their steps wait, and give way."""
        name = f"{IN_THREADS} of runs inside of {depth}" if depth else IN_THREADS
        if depth and limits.is_limited(IN_THREADS) and not limits.is_limited(name):
            limits.set_cap(name, self._threads.limit)
        return name

    @contextmanager
    def _in_one_loop(self) -> Iterator["_Together"]:
        """Refuse runs in several loops at once, which cannot share anything; those of a closed loop go on no more."""
        loop, together = running_loop(), self._together
        if together.runs and together.loop is not loop:
            if not (together.loop and together.loop.is_closed()):
                hint = "make an executor for each loop, or use FlowExecutor in threads"
                raise UsageError("runs of this executor go on in another loop", hint=hint)
            self.begin_anew()
            together = self._together
        together.loop = loop
        together.runs += 1
        try:
            yield together
        finally:
            together.runs -= 1


class _Together:
    """What the runs of one executor share while they go on in one loop."""

    __slots__ = ("limits", "loop", "runs", "waiting")

    def __init__(self, max_concurrent: int | None, threads: Threads) -> None:
        caps = {} if max_concurrent is None else {CAPACITY: max_concurrent}
        self.limits = Limits(caps | caps_of_threads(max_concurrent, threads))
        self.waiting = Waiting(max_concurrent)
        self.loop: AbstractEventLoop | None = None
        self.runs = 0


class FlowExecutor:
    """The same without a loop, for scripts and threads. The arguments are those of `AsyncFlowExecutor`.

    Runs in several threads share its capacity as well: their steps run in one loop, in a thread that lasts as long.
    """

    def __init__(self, max_concurrent: int | None = None, **options: Any) -> None:  # noqa: ANN401  # those of the other one
        """Make the executor that does it."""
        self._executor = AsyncFlowExecutor(max_concurrent, **options)
        self._door = Door()

    @property
    def abandoned(self) -> list[str]:
        """See `AsyncFlowExecutor.abandoned`."""
        return self._executor.abandoned

    def register(self, name: str, function: Callable[..., Any]) -> None:
        """Let steps name a function as their tool."""
        self._executor.register(name, function)

    def run(
        self,
        flow: Flow,
        inputs: Mapping[str, Any] | None = None,
        deadline: float | str | None = None,
        *,
        run_id: str | None = None,
        parameters_file: str | Path | None = None,
    ) -> RunResult:
        """Run a flow to its end, as `AsyncFlowExecutor.execute` does.

        Raises:
            LoopIsRunning: a loop runs in this thread already; says what to await instead.
        """
        refuse_in_loop(instead="await AsyncFlowExecutor(…).execute(flow, …)")
        left: list[RunResult] = []
        run = partial(self._executor.drive, flow, inputs, deadline, run_id, parameters_file, leave=left.append)
        with giving_way():
            return ended(lambda: self._door.run(run), left)
