"""`AsyncPipeline`: what steps there are, and the doors to run them: awaited, streamed, and without a loop."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from orchestration.pipeline.compiling import compiled
from orchestration.results import RunResult
from orchestration.steps.doors import run_here
from orchestration.steps.home import Home
from orchestration.steps.program import UNNAMED, Program
from orchestration.steps.reading import checked_list, checked_name, seconds
from orchestration.steps.running import Options, Store, run_program
from orchestration.steps.telling import told
from orchestration.streams import RunStream

if TYPE_CHECKING:
    from orchestration.models import Settings
    from orchestration.pipeline.composites import Conditional, Loop, Map, Parallel
    from orchestration.pipeline.notebook import NotebookTask
    from orchestration.pipeline.tasks import AgentStep, AsyncPythonTask, PythonTask, ShellTask
    from orchestration.registry import AgentRegistry

Step: TypeAlias = (
    "AsyncPythonTask | PythonTask | ShellTask | AgentStep | NotebookTask"
    " | Parallel | Map | Conditional | Loop | AsyncPipeline"
)


Overrides: TypeAlias = Mapping[str, Mapping[str, Any]]


class AsyncPipeline:
    """Steps, one after the other. It describes only: any number of its runs can go on at once.

    Args:
        steps: tasks, composites and other pipelines; each waits for the one before it.
        name: how runs are called, and its name where it is a step of another pipeline.
        description: for people.
        on_failure: where it is part of another pipeline: what runs instead of the rest there when it has failed.
        registry: the agents that `AgentStep` can name; the built-in ones by default.
        directory: where tasks work: commands and agents, and files of `catalog`; the current folder by default.
        environment: what the allow-list of commands and agents draws from, and where secrets and `ORCH_PRM_…` are
            looked for; this process's own by default.
        settings: limits, prices and where secrets are kept; of the `orchestration.yaml` of the project in which the
            directory is, only `secrets` counts by default.

    Raises:
        UsageError: the steps do not make a pipeline: a name twice, something that is no step.
    """

    def __init__(  # noqa: PLR0913  # one for each thing that can be said of a pipeline
        self,
        steps: "Sequence[Step]",
        name: str = UNNAMED,
        *,
        description: str = "",
        on_failure: "str | Step | None" = None,
        registry: "AgentRegistry | None" = None,
        directory: str | Path | None = None,
        environment: Mapping[str, str] | None = None,
        settings: "Settings | None" = None,
    ) -> None:
        checked_list(steps, "the steps of a pipeline")
        self.name = checked_name(name, "a pipeline")
        self.description = description
        self.on_failure = on_failure
        self.steps = list(steps)
        self.home = Home(directory, registry, settings, environment=environment)
        self.program()

    def program(self) -> Program:
        """What the engine runs, made of the steps as they are now."""
        return compiled(self)

    def as_async_pipeline(self) -> "AsyncPipeline":
        """Itself."""
        return self

    async def execute(  # noqa: PLR0913  # one for each thing that can be said of a run
        self,
        parameters: Mapping[str, Any] | None = None,
        run_id: str | None = None,
        max_concurrent: int | None = None,
        store: Store | None = None,
        *,
        deadline: float | str | None = None,
        parameters_file: str | Path | None = None,
        overrides: Overrides | None = None,
        logs: str | Path | None = None,
    ) -> RunResult:
        """Run it to its end. A step that fails is part of the result, not an exception.

        Args:
            parameters: values that steps find by name.
            run_id: continues the run of this id where the store has it, else the id of the new run.
            max_concurrent: how many steps may run at once; None for no limit.
            store: a store, or the folder of a durable one; in memory by default.
            deadline: seconds (or `30s`, `5m`) after which the run is ended.
            parameters_file: a YAML or JSON file with parameters that are neither given nor in `ORCH_PRM_…` variables.
            overrides: what is different about single steps in this run, by their paths as in `run["p/left/fetch"]`:
                `timeout`, `idle_timeout`, `retry`, `env`, `agent`, `max_concurrent`.
            logs: the folder for the logs of the steps of a run in memory; none are kept by default.

        Returns:
            How it went, with one record for each step.

        Raises:
            OrchError: it could not begin, or the store failed; see `orchestration.steps.running.run_program`.
        """
        options = self._options(run_id, max_concurrent, store, deadline, parameters_file, overrides, logs)
        return await run_program(self.program(), parameters, options)

    def execute_streaming(  # noqa: PLR0913  # as for `execute`
        self,
        parameters: Mapping[str, Any] | None = None,
        run_id: str | None = None,
        max_concurrent: int | None = None,
        store: Store | None = None,
        *,
        deadline: float | str | None = None,
        parameters_file: str | Path | None = None,
        overrides: Overrides | None = None,
        logs: str | Path | None = None,
    ) -> RunStream:
        """The same, watched while it goes on: an async iterator of events, best used as an async context manager.

        Leaving it early cancels the run, records that, and leaves nothing behind. The arguments are those of `execute`.
        """
        options = self._options(run_id, max_concurrent, store, deadline, parameters_file, overrides, logs)
        left: list[RunResult] = []
        options = replace(options, leave=left.append)
        begin = lambda listener: run_program(self.program(), parameters, replace(options, listener=listener))  # noqa: E731
        return RunStream(begin, told, left)

    execute_stream = execute_streaming

    def run(  # noqa: PLR0913  # as for `execute`
        self,
        parameters: Mapping[str, Any] | None = None,
        run_id: str | None = None,
        max_concurrent: int | None = None,
        store: Store | None = None,
        *,
        deadline: float | str | None = None,
        parameters_file: str | Path | None = None,
        overrides: Overrides | None = None,
        logs: str | Path | None = None,
    ) -> RunResult:
        """The same without a loop, for scripts. The arguments are those of `execute`.

        Raises:
            LoopIsRunning: a loop runs in this thread already; says what to await instead.
        """
        options = self._options(run_id, max_concurrent, store, deadline, parameters_file, overrides, logs)
        left: list[RunResult] = []
        options = replace(options, leave=left.append)
        return run_here(
            lambda: run_program(self.program(), parameters, options), instead="await pipeline.execute(…)", left=left
        )

    def _options(
        self,
        run_id: str | None,
        max_concurrent: int | None,
        store: Store | None,
        deadline: float | str | None,
        parameters_file: str | Path | None,
        overrides: Overrides | None,
        logs: str | Path | None,
    ) -> Options:
        return Options(
            run_id,
            max_concurrent,
            seconds(deadline, "deadline"),
            store,
            self.home,
            parameters_file=parameters_file,
            overrides=overrides,
            logs=logs,
        )

    def __repr__(self) -> str:
        """Name and number of steps."""
        return f"<AsyncPipeline {self.name}: {len(self.steps)} steps>"
