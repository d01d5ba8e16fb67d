"""`AsyncPipeline`: what steps there are, and the doors to run them: awaited, streamed, and without a loop."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from orchestration.pipeline.compiling import compiled
from orchestration.protocols import Listener
from orchestration.results import RunResult
from orchestration.steps.doors import run_here
from orchestration.steps.home import Home
from orchestration.steps.program import Program
from orchestration.steps.reading import checked_list, checked_name, seconds
from orchestration.steps.running import Options, Store, run_program
from orchestration.steps.telling import told
from orchestration.streams import RunStream

if TYPE_CHECKING:
    from orchestration.pipeline.composites import Conditional, Loop, Map, Parallel
    from orchestration.pipeline.tasks import AgentStep, AsyncPythonTask, PythonTask, ShellTask
    from orchestration.registry import AgentRegistry

Step: TypeAlias = (
    "AsyncPythonTask | PythonTask | ShellTask | AgentStep | Parallel | Map | Conditional | Loop | AsyncPipeline"
)


class AsyncPipeline:
    """Steps, one after the other. It describes only: any number of its runs can go on at once.

    Args:
        steps: tasks, composites and other pipelines; each waits for the one before it.
        name: how runs are called, and its name where it is a step of another pipeline.
        description: for people.
        on_failure: where it is a step of another pipeline: what runs instead of the rest when it has failed.
        registry: the agents that `AgentStep` can name; the built-in ones by default.
        directory: where commands and agents work; the current folder by default.
        environment: what the allow-list of commands and agents draws from; this process's own by default.

    Raises:
        UsageError: the steps do not make a pipeline: a name twice, something that is no step.
    """

    def __init__(
        self,
        steps: "Sequence[Step]",
        name: str = "pipeline",
        *,
        description: str = "",
        on_failure: "str | Step | None" = None,
        registry: "AgentRegistry | None" = None,
        directory: str | Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        checked_list(steps, "the steps of a pipeline")
        self.name = checked_name(name, "a pipeline")
        self.description = description
        self.on_failure = on_failure
        self.steps = list(steps)
        self.home = Home(directory, registry, environment=environment)
        self.program()

    def program(self) -> Program:
        """What the engine runs, made of the steps as they are now."""
        return compiled(self)

    def as_async_pipeline(self) -> "AsyncPipeline":
        """Itself."""
        return self

    async def execute(
        self,
        parameters: Mapping[str, Any] | None = None,
        run_id: str | None = None,
        max_concurrent: int | None = None,
        store: Store | None = None,
        *,
        deadline: float | str | None = None,
    ) -> RunResult:
        """Run it to its end. A step that fails is part of the result, not an exception.

        Args:
            parameters: values that steps find by name.
            run_id: continues the run of this id where the store has it, else the id of the new run.
            max_concurrent: how many steps may run at once; None for no limit.
            store: a store, or the folder of a durable one; in memory by default.
            deadline: seconds (or `30s`, `5m`) after which the run is ended.

        Returns:
            How it went, with one record for each step.

        Raises:
            OrchError: it could not begin, or the store failed; see `orchestration.steps.running.run_program`.
        """
        return await self._run(parameters, run_id, max_concurrent, store, deadline, None)

    def execute_streaming(
        self,
        parameters: Mapping[str, Any] | None = None,
        run_id: str | None = None,
        max_concurrent: int | None = None,
        store: Store | None = None,
        *,
        deadline: float | str | None = None,
    ) -> RunStream:
        """The same, watched while it goes on: an async iterator of events, best used as an async context manager.

        Leaving it early cancels the run, records that, and leaves nothing behind. The arguments are those of `execute`.
        """
        left: list[RunResult] = []
        run = partial(self._run, parameters, run_id, max_concurrent, store, deadline, leave=left.append)
        return RunStream(run, told, left)

    execute_stream = execute_streaming

    def run(
        self,
        parameters: Mapping[str, Any] | None = None,
        run_id: str | None = None,
        max_concurrent: int | None = None,
        store: Store | None = None,
        *,
        deadline: float | str | None = None,
    ) -> RunResult:
        """The same without a loop, for scripts. The arguments are those of `execute`.

        Raises:
            LoopIsRunning: a loop runs in this thread already; says what to await instead.
        """
        return run_here(
            lambda: self.execute(parameters, run_id, max_concurrent, store, deadline=deadline),
            instead="await pipeline.execute(…)",
        )

    async def _run(
        self,
        parameters: Mapping[str, Any] | None,
        run_id: str | None,
        max_concurrent: int | None,
        store: Store | None,
        deadline: float | str | None,
        listener: Listener | None,
        *,
        leave: Callable[[RunResult], None] | None = None,
    ) -> RunResult:
        ends = seconds(deadline, "deadline")
        options = Options(run_id, max_concurrent, ends, store, self.home, listener=listener, leave=leave)
        return await run_program(self.program(), parameters, options)

    def __repr__(self) -> str:
        """Name and number of steps."""
        return f"<AsyncPipeline {self.name}: {len(self.steps)} steps>"
