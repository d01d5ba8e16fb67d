"""New files in a project: a first one, and one for each new task. Nothing that exists is ever written over.

Two people who add a task at the same moment get two files or one error, never one file with half of each: a file is
created only if it is not there, and one that could not be written whole is taken away again.
"""

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import ValidationError

from orchestration.errors import InvalidProject, NoProject, Problem, UsageError
from orchestration.loading.project import Project
from orchestration.loading.scalars import plain
from orchestration.loading.taskcheck import wrong_templates
from orchestration.loading.unknown import unknown_in_task
from orchestration.loading.walking import SETTINGS_FILE, find_task_files
from orchestration.loading.wording import findings_of
from orchestration.models import BUILT_IN_AGENTS, Agent, Settings, Task

TASK_FOLDER: Final = "tasks"
_NUMBERED: Final = re.compile(r"TASK-0*([0-9]{1,9})", re.IGNORECASE)
_WIDTH: Final = 3
_LINE_ENDS: Final = re.compile("[\x85\u2028\u2029\ufeff]")

_SETTINGS: Final = """\
# The settings of this project's tasks. Every key is optional; what stands here behind a # is the default or an example.

# name: my-project
# tasks: [tasks]            # folders or files with tasks
# max_concurrent: 3         # how many tasks run at once
# default_agent: interactive
# timeout: 30m              # for each try at a task; no limit unless given
# kill_grace: 5s            # between asking a process to end and killing it
# retry: 3                  # tries of a task that fails, the first included; one unless given
# env: {LOG_LEVEL: info}    # variables for all tasks
# pass_env: [NPM_TOKEN]     # variables of yours that tasks may see
# pools: {gpu: 1}           # a task with `uses: [gpu]` waits for its turn

# agents:                   # who does the tasks; `shell` and `interactive` exist without being written
#   tester:
#     kind: shell
#     command: make test
#     capabilities: [test]  # does tasks with such a label that name no agent
"""

_EXAMPLE: Final = {
    "title": "Count the lines of the project",
    "agent": "shell",
    "labels": ["example"],
    "description": "find . -type f -not -path '*/.*' -exec cat {} + | wc -l",
}


def next_task_id(project: Project) -> str:
    """The first number after all that are taken, as `TASK-007`; numbers of files that cannot be read count too."""
    files, _ = find_task_files(project.root, (*project.settings.tasks, TASK_FOLDER), required=False)
    names = [*project.places, *(Path(file.shown).stem for file in files)]
    taken = [int(found[1]) for name in names if (found := _NUMBERED.fullmatch(name))]
    return f"TASK-{max(taken, default=0) + 1:0{_WIDTH}}"


def write_task(
    root: Path,
    fields: Mapping[str, Any],
    *,
    folder: str = TASK_FOLDER,
    agents: Mapping[str, Agent] = BUILT_IN_AGENTS,
) -> Path:
    """Write a task as a Markdown file of its own, named after its id.

    Args:
        root: the project's folder.
        fields: of the task, `id` among them; the description becomes the body.
        folder: where the project's tasks are, relative to the root.
        agents: those of the project, which decide whether its texts are templates.

    Returns:
        The new file.

    Raises:
        InvalidProject: the fields do not make a task that could be run.
        UsageError: there is such a file already, or it cannot be written.
    """
    task = _valid(fields, agents)
    place = (root.resolve() / folder).resolve()
    if not place.is_relative_to(root.resolve()):
        raise UsageError(f"the folder {folder} is outside of the project", hint="write tasks inside of the project")
    path = place / f"{task.id}.md"
    front = {key: value for key, value in _plain(fields).items() if key != "description"}
    body = str(fields.get("description") or "").strip("\n")
    try:
        _create(path, f"---\n{_header(front)}---\n" + (f"\n{body}\n" if body else ""))
    except UnicodeEncodeError as error:
        hint = "say it in UTF-8; files of tasks are text"
        raise UsageError(f"{path} cannot be written: it would hold bytes that are no text", hint=hint) from error
    return path


def _header(front: Mapping[str, Any]) -> str:
    """YAML that reads back as it was; the few characters that some take for the end of a line are escaped."""
    for readable in (True, False):
        text = yaml.dump(front, None, _Dumper, default_flow_style=None, sort_keys=False, allow_unicode=readable)
        if not _LINE_ENDS.search(text):
            break
    return text


class _Dumper(yaml.SafeDumper):
    """Puts text in quotes where the loader, which differs a little from YAML 1.1, would take it for a number."""


def _as_text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    text.encode()  # half of a character would be escaped, and no reader takes that back
    style = None if type(plain(text)) is str else "'"
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style)


_Dumper.add_representer(str, _as_text)


def init_project(root: Path) -> list[Path]:
    """Make a folder a project: settings with every default shown, and an example where there is no task yet.

    Returns:
        The files that were written; none where it was a project already.

    Raises:
        NoProject: the folder cannot be made or is a file.
        UsageError: a file cannot be written.
    """
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise NoProject(f"{root} cannot be made a project: {error.strerror}", hint="choose another folder") from error
    root, written = root.resolve(), []
    if not os.path.lexists(root / SETTINGS_FILE):
        _create(root / SETTINGS_FILE, _SETTINGS)
        written.append(root / SETTINGS_FILE)
        places: Iterable[str] = Settings().tasks
        files, _ = find_task_files(root, [*places], required=False)
        if not files and not os.path.lexists(root / TASK_FOLDER / "TASK-001.md"):
            written.append(write_task(root, {"id": "TASK-001", **_EXAMPLE}))
    return written


def _valid(fields: Mapping[str, Any], agents: Mapping[str, Agent]) -> Task:
    data = dict(fields)
    findings = [*unknown_in_task(data)]
    try:
        task = Task.model_validate(data)
    except ValidationError as error:
        findings = [*findings_of(error, data), *findings]
    else:
        findings += wrong_templates(task, agents)
    problems = [Problem(finding.message, hint=finding.hint) for finding in findings]
    if any("\0" in str(value) for value in data.values()):
        problems.append(Problem("a task holds a NUL character", hint="remove it; files of tasks are text"))
    if problems:
        raise InvalidProject(problems[0].message, hint=problems[0].hint, problems=problems)
    return task


def _plain(value: Any) -> Any:  # noqa: ANN401  # whatever a task's field may hold
    """The same in the types that YAML has, without what is not given."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, str) else value


def _create(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8", newline="\n") as file:
            try:
                file.write(text)
                file.flush()
            except BaseException:
                path.unlink()
                raise
    except FileExistsError as error:
        hint = "choose another id, or change that file" if path.suffix == ".md" else "change it, or remove it first"
        raise UsageError(f"{path} exists already", hint=hint) from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise UsageError(f"{path} cannot be written: {reason}", hint="make the folder writable") from error
