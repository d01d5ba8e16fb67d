"""`orch`: gets the backlog of a project done by agents, as one dependency graph with honest results.

The names below are the public API. Each is imported when it is first used, so that importing the package costs little.
"""

TYPE_CHECKING = False  # taken for True by type checkers; importing `typing` would cost more than all the rest here
if TYPE_CHECKING:
    from orchestration._version import __version__ as __version__
    from orchestration.errors import OrchError as OrchError
    from orchestration.executor import TaskExecutor as TaskExecutor
    from orchestration.kinds import ExecutionStatus as ExecutionStatus
    from orchestration.kinds import Failure as Failure
    from orchestration.kinds import RunStatus as RunStatus
    from orchestration.models import RetryPolicy as RetryPolicy
    from orchestration.models import Task as Task
    from orchestration.orchestrator import ProjectOrchestrator as ProjectOrchestrator
    from orchestration.orchestrator import Selection as Selection
    from orchestration.registry import AgentRegistry as AgentRegistry
    from orchestration.results import ExecutionResult as ExecutionResult
    from orchestration.results import RunResult as RunResult

_HOMES = {
    "AgentRegistry": "registry",
    "ExecutionResult": "results",
    "ExecutionStatus": "kinds",
    "Failure": "kinds",
    "OrchError": "errors",
    "ProjectOrchestrator": "orchestrator",
    "RetryPolicy": "models",
    "RunResult": "results",
    "RunStatus": "kinds",
    "Selection": "orchestrator",
    "Task": "models",
    "TaskExecutor": "executor",
    "__version__": "_version",
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
