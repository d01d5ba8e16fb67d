"""Scripts of `kind: scripted` agents: those in files are read, and all of them are checked before anything runs.

A file has to lie inside of the project (links out of it are refused); it is YAML, or JSON, which is YAML too. After
this an agent has its steps with it, so that whoever plays them needs neither the file nor YAML. What is wrong with a
script is told with its file and line, like everything else that a user has written.
"""

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestration.loading.findings import FieldPath, Finding, Refused
from orchestration.loading.reading import read_text
from orchestration.loading.scalars import numbers_in
from orchestration.loading.yamlerrors import NotYaml
from orchestration.loading.yamltext import Document, parse
from orchestration.models import ScriptedAgent, Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestration.scripted import Wrong

_STEP = re.compile(r"\[(\d+)\]|([^.\[\]]+)")


def with_scripts(root: Path, settings: Settings) -> tuple[Settings, list[Finding]]:
    """The settings in which every scripted agent has its steps, and what is wrong with scripts.

    An agent whose script is wrong stays as it was; the findings are grave.
    """
    findings: list[Finding] = []
    agents = dict(settings.agents)
    for name, agent in settings.agents.items():
        if isinstance(agent, ScriptedAgent):
            try:
                agents[name] = _ready(root, name, agent)
            except _Wrong as wrong:
                findings += wrong.findings
    return settings.model_copy(update={"agents": agents}), findings


class _Wrong(Exception):  # as the other errors of the project are called
    def __init__(self, *findings: Finding) -> None:
        super().__init__()
        self.findings = findings


def _ready(root: Path, name: str, agent: ScriptedAgent) -> ScriptedAgent:
    if agent.file is None:
        script = numbers_in(list(agent.script))
        _check(script, lambda wrong: Finding(wrong.problem, hint=wrong.hint, path=("agents", name, *_path(wrong))))
        return agent.model_copy(update={"script": tuple(script)})
    document = _read(root, name, agent.file)
    script = numbers_in(document.value)
    _check(script, lambda wrong: _in_file(wrong, agent.file or "", document))
    steps = script if isinstance(script, list) else [script]
    return agent.model_copy(update={"script": tuple(steps), "file": None})


def _check(script: Any, told: "Callable[[Wrong], Finding]") -> None:  # noqa: ANN401  # whatever was written
    from orchestration.scripted import problems_of  # noqa: PLC0415  # only projects that have such agents pay for it

    if problems := problems_of(script):
        raise _Wrong(*map(told, problems))


def _in_file(wrong: "Wrong", file: str, document: Document) -> Finding:
    path = _path(wrong)[1:]
    if not isinstance(document.value, list):  # one step that stands for the list
        path = path[1:]
    return Finding(f"{wrong.where}: {wrong.problem}", file, wrong.hint, document.line_of(path), path)


def _path(wrong: "Wrong") -> FieldPath:
    return tuple(int(number) if number else key for number, key in _STEP.findall(wrong.where))


def _read(root: Path, name: str, file: str) -> Document:
    def refused(message: str, hint: str) -> _Wrong:
        return _Wrong(Finding(message, hint=hint, path=("agents", name, "file")))

    path = os.path.realpath(root / file)
    if not Path(path).is_relative_to(root.resolve()):
        raise refused(f"{file:.200} lies outside of the project", "put the script into the project's folder")
    try:
        return parse(read_text(path, file), every_line=True)
    except Refused as error:
        message = error.finding.message.replace("any more", "").strip()
        raise refused(
            f"the script {file:.200} {message}", error.finding.hint or "name a file of the project"
        ) from error
    except NotYaml as error:
        raise _Wrong(Finding(error.message, file, error.hint, error.line)) from error
