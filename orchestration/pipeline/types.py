"""Types of tasks by their names: ours, and those that other packages add."""

from collections.abc import Callable
from importlib import import_module
from typing import Any, Final

from orchestration import plugins
from orchestration.errors import UsageError
from orchestration.graph import nearest
from orchestration.plugins import TASKS, BrokenPlugin

BUILT_IN: Final = {
    "python": "orchestration.pipeline.tasks:PythonTask",
    "async_python": "orchestration.pipeline.tasks:AsyncPythonTask",
    "shell": "orchestration.pipeline.tasks:ShellTask",
    "agent": "orchestration.pipeline.tasks:AgentStep",
    "notebook": "orchestration.pipeline.notebook:NotebookTask",
}
"""Name → `module:class`; a plug-in cannot take them over."""


def task_type(name: str) -> Callable[..., Any]:
    """The class of tasks of this name; its objects are steps of pipelines.

    Raises:
        UsageError: there is no such type.
        BrokenPlugin: another package gives it, and it cannot be used.
    """
    if name in BUILT_IN:
        module, _, own = BUILT_IN[name].partition(":")
        found: Callable[..., Any] = getattr(import_module(module), own)
        return found
    plugin = plugins.find(TASKS, name)
    if plugin is None:
        known = [*BUILT_IN, *plugins.names(TASKS)]
        hint = nearest(name, known) or f"known types: {', '.join(known)}"
        raise UsageError(f"there is no type of tasks {name[:80]!r}", hint=hint)
    loaded = plugin.load()
    if not callable(loaded):
        raise BrokenPlugin(f"{plugin.told} is no type of tasks: it cannot be called")
    return loaded  # type: ignore[no-any-return]  # it can be called
