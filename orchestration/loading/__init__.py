"""Files → settings, agents and tasks, checked; whatever is wrong is said with file and line, all of it at once.

The way: `walking` lists the files, `reading` makes text of them, `yamltext` plain values, `taskfiles` drafts of tasks,
`taskcheck` tasks, `crosscheck` looks at all of them together, `lines` finds the lines of what is wrong. `writing` goes
the other way, `schemas` tells editors what may be written.
"""

from orchestration.loading.instructions import READ_ALREADY, instructions_of, templates_of
from orchestration.loading.project import STATE_FOLDER, Project, find_root, load_project
from orchestration.loading.schemas import agent_schema, settings_schema, task_schema
from orchestration.loading.walking import SETTINGS_FILE
from orchestration.loading.writing import init_project, next_task_id, write_task

__all__ = [
    "READ_ALREADY",
    "SETTINGS_FILE",
    "STATE_FOLDER",
    "Project",
    "agent_schema",
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
