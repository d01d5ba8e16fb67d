"""Files → settings, agents and tasks, checked; whatever is wrong is said with file and line, all of it at once.

The way: `walking` lists the files, `reading` makes text of them, `yamltext` plain values, `taskfiles` drafts of tasks,
`taskcheck` tasks, `crosscheck` looks at all of them together, `lines` finds the lines of what is wrong. `writing` goes
the other way, `schemas` tells editors what may be written; both are imported when they are asked for.
"""

from typing import TYPE_CHECKING

from orchestration.loading.project import STATE_FOLDER, Project, check_fit, find_root, load_project
from orchestration.loading.walking import SETTINGS_FILE

if TYPE_CHECKING:
    from orchestration.loading.instructions import READ_ALREADY, instructions_of, templates_of
    from orchestration.loading.schemas import agent_schema, settings_schema, task_schema
    from orchestration.loading.writing import init_project, next_task_id, write_task

__all__ = [
    "READ_ALREADY",
    "SETTINGS_FILE",
    "STATE_FOLDER",
    "Project",
    "agent_schema",
    "check_fit",
    "find_root",
    "init_project",
    "instructions_of",
    "load_project",
    "next_task_id",
    "settings_schema",
    "task_schema",
    "templates_of",
    "write_task",
]

_HOMES = {
    "READ_ALREADY": "instructions",
    "agent_schema": "schemas",
    "init_project": "writing",
    "instructions_of": "instructions",
    "next_task_id": "writing",
    "settings_schema": "schemas",
    "task_schema": "schemas",
    "templates_of": "instructions",
    "write_task": "writing",
}


def __getattr__(name: str) -> object:
    """Import a name when it is first asked for (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415  # most commands only read

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
