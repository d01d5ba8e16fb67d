"""Tasks of pipelines: a function, a command, an agent. What is written is checked here, where the mistake is."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from orchestration.calls import is_async, name_of
from orchestration.errors import UsageError
from orchestration.kinds import OnCrash
from orchestration.models import Agent, RetryPolicy, ShellAgent, Task
from orchestration.steps.around import Around, read_around
from orchestration.steps.functions import FunctionLeaf
from orchestration.steps.reading import checked_function, checked_name, limits, retry_of, seconds
from orchestration.steps.returns import Return, Serializer, Written, read_returns
from orchestration.steps.unit import Leaf

if TYPE_CHECKING:
    from orchestration.pipeline.pipeline import AsyncPipeline, Step

Retry: TypeAlias = RetryPolicy | int | Mapping[str, Any] | None
Seconds: TypeAlias = float | str | None


class _Task:
    """What all tasks have in common."""

    name: str

    def as_async_pipeline(self) -> "AsyncPipeline":
        """A pipeline of this one step, with its name."""
        from orchestration.pipeline.pipeline import AsyncPipeline  # noqa: PLC0415  # pipelines are made of tasks

        return AsyncPipeline(name=self.name, steps=[self])  # type: ignore[list-item]  # every task is a step


_ON_CRASH: Final = (OnCrash.RERUN, OnCrash.FAIL)
"""Nobody can be asked: steps wait for no person."""


@dataclass(kw_only=True)
class _FunctionTask(_Task):
    function: Callable[..., Any] = field(kw_only=False)
    name: str = field(default="", kw_only=False)
    returns: Sequence[Written] = ()
    stream_end_type: str = "done"
    timeout: Seconds = None
    idle_timeout: Seconds = None
    kill_grace: Seconds = None
    retry: Retry = None
    on_failure: "str | Step | None" = None
    on_crash: OnCrash | str = OnCrash.RERUN
    serializer: Serializer | None = None
    recompute: bool = False
    secrets: Sequence[str] = ()
    catalog: Mapping[str, Sequence[str] | str] | None = None
    read_retry: RetryPolicy | None = field(init=False, repr=False)
    around: Around | None = field(init=False, repr=False)
    leaf: FunctionLeaf = field(init=False, repr=False)

    def __post_init__(self) -> None:
        checked_function(self.function, type(self).__name__)
        self.name = checked_name(self.name or _own_name(self.function))
        self._check_kind()
        returns = read_returns(self.returns, self.name, self.serializer)
        if self.recompute:
            returns = tuple(_recomputed(one) for one in returns)
        self.read_retry = retry_of(self.retry, self.name)
        takes = limits(self.name, self.timeout, self.idle_timeout, self.kill_grace)
        self.leaf = FunctionLeaf(self.function, returns, end_type=self.stream_end_type, limits=takes)
        self.on_crash = _on_crash(self.on_crash, self.name)
        self.around = read_around(self.secrets, self.catalog, self.name)

    def _check_kind(self) -> None:
        raise TypeError(f"{type(self).__name__} says which functions it takes")


def _recomputed(one: Return) -> Return:
    return Return(one.name, one.kind, one.serializer, recompute=True) if one.kind == "object" else one


def _own_name(function: Callable[..., Any]) -> str:
    """The function's own name, for a step that is given none; that of a lambda says nothing."""
    name = name_of(function).rpartition(":")[2].rpartition(".")[2]
    if not name.isidentifier():
        raise UsageError(f"the step of {name_of(function)} needs a name", hint="name=…")
    return name


def _on_crash(written: OnCrash | str, where: str) -> OnCrash:
    if written not in _ON_CRASH:
        raise UsageError(f"{where}: on_crash is {written!r:.40}; it can be {', '.join(_ON_CRASH)}")
    return OnCrash(written)


class AsyncPythonTask(_FunctionTask):
    """Awaits an async function, or draws an async generator whose items are streamed as they come.

    Args:
        function: what is called; its parameters are found by name among the run's parameters and earlier returns.
        name: unique among its siblings; the function's own name by default.
        returns: the names under which it passes values on: names, `Return(…)`, or `metric(name)`.
        stream_end_type: the `type` of the item of a generator that carries the returns.
        timeout: seconds (or `30s`, `5m`) from the start of each attempt.
        idle_timeout: seconds from item to item of a generator.
        kill_grace: seconds that it gets to clean up when it is cancelled; 5 by default.
        retry: how many attempts, or a `RetryPolicy`.
        on_failure: what runs instead of the rest when it has failed for good: a later step's name, a step, a pipeline.
        on_crash: what a crash of the process in mid-attempt means: `rerun`, `fail`.
        serializer: keeps returned objects in a durable store (`dumps` and `loads`).
        recompute: returned objects are made again when a durable run is continued.
        secrets: names of secrets that it may see: parameters of these names get them, and `current_step().secrets`.
        catalog: files that it gets from earlier tasks and puts for later ones: `{"get": […], "put": […]}`, patterns.

    Raises:
        UsageError: something of this is not possible; a plain function belongs to `PythonTask`.
    """

    def _check_kind(self) -> None:
        if not is_async(self.function):
            what = f"{name_of(self.function)} is a plain function, which would stop the loop"
            told = f"AsyncPythonTask {self.name}: {what}; use PythonTask, which calls it in a thread"
            raise UsageError(told, hint="use PythonTask, or make it `async def`")


class PythonTask(_FunctionTask):
    """Calls a plain function, or draws a plain generator, in one of a bounded number of threads.

    A thread cannot be ended: at its timeout the step has failed, is recorded as abandoned, keeps its slot until the
    function returns, and what it returns then is refused. The arguments are those of `AsyncPythonTask`.
    """

    def _check_kind(self) -> None:
        if is_async(self.function):
            told = f"PythonTask {self.name}: {name_of(self.function)} is an async function; use AsyncPythonTask"
            raise UsageError(told, hint="use AsyncPythonTask")


@dataclass(kw_only=True)
class DoneByOthers(_Task):
    """What all tasks have in common that are done in processes of their own."""

    returns: Sequence[Written] = ()
    timeout: Seconds = None
    idle_timeout: Seconds = None
    kill_grace: Seconds = None
    retry: Retry = None
    on_failure: "str | Step | None" = None
    on_crash: OnCrash | str = OnCrash.RERUN
    verify: Sequence[str] | str = ()
    deliverables: Sequence[str] | str = ()
    env: Mapping[str, str] = field(default_factory=dict)
    pass_env: Sequence[str] = ()
    secrets: Sequence[str] = ()
    catalog: Mapping[str, Sequence[str] | str] | None = None
    read_retry: RetryPolicy | None = field(init=False, repr=False)
    around: Around | None = field(init=False, repr=False)
    leaf: Leaf = field(init=False, repr=False)

    def _read(self, name: str, description: str, agent: Agent | str | None) -> None:
        task, returns = self._task(name, description)
        from orchestration.steps.agents import AgentLeaf  # noqa: PLC0415  # pipelines of functions need nothing of it

        self.leaf = AgentLeaf(task, agent, returns)

    def _task(self, name: str, description: str) -> "tuple[Task, tuple[Return, ...]]":
        self.name = checked_name(name)
        returns = read_returns(self.returns, name)
        self.read_retry = retry_of(self.retry, name)
        self.on_crash = _on_crash(self.on_crash, name)
        seconds(self.timeout, f"{name}: timeout")
        self.around = read_around(self.secrets, self.catalog, name)
        from orchestration.steps.agents import checked_task  # noqa: PLC0415  # as above

        fields = ("timeout", "idle_timeout", "kill_grace", "verify", "deliverables", "env", "pass_env", "secrets")
        written = {one: getattr(self, one) for one in fields}
        return checked_task({"id": "step", "title": name, "description": description, **written}, name), returns


@dataclass
class ShellTask(DoneByOthers):
    """Runs a command line in a process of its own, which ends with all that it starts.

    What is known is given by variables: `ORCH_PRM_name` (text as it is, everything else as JSON), and all of it in the
    file that `$ORCH_INPUTS` names. It passes values on by `name=value` lines in the file `$ORCH_OUTPUT`; one declared
    return without such a line is what it printed, without the line break at its end.

    Args:
        name: unique among its siblings.
        command: as in a terminal; never a template.
        verify: commands that all have to exit with 0 for it to be done.
        deliverables: files that have to be there afterwards.
        env: variables beside those that every command gets; values may be templates (`{{ parameters.x }}`).
        pass_env: names of variables of this process that it may see.
        secrets: names of secrets that it may see, as variables.
        catalog: files that it gets from earlier tasks and puts for later ones: `{"get": […], "put": […]}`, patterns.
    """

    name: str
    command: str

    def __post_init__(self) -> None:
        """Check what is written; raises UsageError."""
        if not str(self.command).strip():
            raise UsageError(f"ShellTask {self.name!r:.100}: the command is empty")
        self._read(self.name, self.command, ShellAgent())


@dataclass
class AgentStep(DoneByOthers):
    """Has an agent of the registry do something: an agent program, a model, a script, a function.

    Args:
        name: unique among its siblings.
        agent: the name of an agent, or an agent; without one, whom the registry recommends.
        prompt: what is to be done; a template, which knows `{{ parameters.name }}` (parameters and earlier returns).
        returns: names that the agent passes on; one that it does not name is its answer.
    """

    name: str
    agent: Agent | str | None = None
    prompt: str = ""

    def __post_init__(self) -> None:
        """Check what is written; raises UsageError."""
        self._read(self.name, self.prompt, self.agent)
