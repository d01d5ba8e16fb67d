"""`orch`: gets the backlog of a project done by agents, as one dependency graph with honest results.

The names below are the public API. Each is imported when it is first used, so that importing the package costs little.
"""

TYPE_CHECKING = False  # taken for True by type checkers; importing `typing` would cost more than all the rest here
if TYPE_CHECKING:
    from orchestration._version import __version__ as __version__
    from orchestration.errors import OrchError as OrchError
    from orchestration.executor import TaskExecutor as TaskExecutor
    from orchestration.flow import AsyncFlowExecutor as AsyncFlowExecutor
    from orchestration.flow import Flow as Flow
    from orchestration.flow import FlowExecutor as FlowExecutor
    from orchestration.flow import FlowStep as FlowStep
    from orchestration.flow import load_flow as load_flow
    from orchestration.flow import ref as ref
    from orchestration.kinds import ExecutionStatus as ExecutionStatus
    from orchestration.kinds import Failure as Failure
    from orchestration.kinds import RunStatus as RunStatus
    from orchestration.models import RetryPolicy as RetryPolicy
    from orchestration.models import Task as Task
    from orchestration.orchestrator import ProjectOrchestrator as ProjectOrchestrator
    from orchestration.orchestrator import Selection as Selection
    from orchestration.pipeline import AgentStep as AgentStep
    from orchestration.pipeline import AsyncPipeline as AsyncPipeline
    from orchestration.pipeline import AsyncPythonTask as AsyncPythonTask
    from orchestration.pipeline import Conditional as Conditional
    from orchestration.pipeline import Loop as Loop
    from orchestration.pipeline import Map as Map
    from orchestration.pipeline import NotebookTask as NotebookTask
    from orchestration.pipeline import Parallel as Parallel
    from orchestration.pipeline import PythonTask as PythonTask
    from orchestration.pipeline import ShellTask as ShellTask
    from orchestration.pipeline import task_type as task_type
    from orchestration.registry import AgentRegistry as AgentRegistry
    from orchestration.results import ExecutionResult as ExecutionResult
    from orchestration.results import RunResult as RunResult
    from orchestration.results import StepRecord as StepRecord
    from orchestration.steps.current import current_step as current_step
    from orchestration.steps.returns import Return as Return
    from orchestration.steps.returns import metric as metric

_HOMES = {
    "AgentRegistry": "registry",
    "AgentStep": "pipeline",
    "AsyncFlowExecutor": "flow",
    "AsyncPipeline": "pipeline",
    "AsyncPythonTask": "pipeline",
    "Conditional": "pipeline",
    "ExecutionResult": "results",
    "ExecutionStatus": "kinds",
    "Failure": "kinds",
    "Flow": "flow",
    "FlowExecutor": "flow",
    "FlowStep": "flow",
    "Loop": "pipeline",
    "Map": "pipeline",
    "NotebookTask": "pipeline",
    "OrchError": "errors",
    "Parallel": "pipeline",
    "ProjectOrchestrator": "orchestrator",
    "PythonTask": "pipeline",
    "RetryPolicy": "models",
    "Return": "steps.returns",
    "RunResult": "results",
    "RunStatus": "kinds",
    "Selection": "orchestrator",
    "ShellTask": "pipeline",
    "StepRecord": "results",
    "Task": "models",
    "TaskExecutor": "executor",
    "__version__": "_version",
    "current_step": "steps.current",
    "load_flow": "flow",
    "metric": "steps.returns",
    "ref": "flow",
    "task_type": "pipeline",
}

__all__ = [  # noqa: PLE0604  # the names are those of the table above
    *sorted(_HOMES),
]


def __getattr__(name: str) -> object:
    """Import a public name when it is first asked for (PEP 562)."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415  # nothing is imported before it is needed

    value = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names, imported yet or not."""
    return [*__all__]
