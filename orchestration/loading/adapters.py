"""Adapter files → adapters: the presets that ship, and the project's own.

A project's file has to lie inside of the project (links out of it are refused), and is read like every other file of
a project: bounded YAML, and whatever is wrong is told with file, line and field. Each file is read once for a shelf.
"""

import importlib.resources
import os
from pathlib import Path
from typing import Final, Never

from orchestration.adapters import Adapter, parse_adapter
from orchestration.errors import AdapterError, InvalidProject, Problem
from orchestration.graph import nearest
from orchestration.loading.findings import Finding, Refused
from orchestration.loading.reading import read_text
from orchestration.loading.yamlerrors import NotYaml
from orchestration.loading.yamltext import Document, parse
from orchestration.models import PRESETS, CliAgent, Settings

__all__ = ["PRESETS", "AdapterShelf", "load_adapter", "load_preset", "wrong_adapters"]

_SHIPPED: Final = (*PRESETS, "scripted")  # the last one is the form of an agent kind, nobody has to name it
_SUFFIXES: Final = (".yaml", ".yml")
_PACKAGE: Final = "orchestration.adapters"
_FOLDER: Final = "presets"
SEE: Final = "the form of these files is in docs/adapters.md"


class AdapterShelf:
    """The adapters of one project; without a root, only presets and absolute paths are found."""

    def __init__(self, root: Path | None) -> None:
        self._root = None if root is None else root.resolve()
        self._known: dict[str, Adapter] = {}

    def adapter_for(self, agent: CliAgent) -> Adapter:
        """The adapter of an agent.

        Raises:
            InvalidProject: there is none, or its file is wrong; `problems` names file, line and field.
        """
        name = agent.preset or agent.adapter or ""
        if name not in self._known:
            self._known[name] = self._found(name, is_preset=agent.preset is not None)
        return self._known[name]

    def _found(self, name: str, *, is_preset: bool) -> Adapter:
        if name in _SHIPPED:
            return load_preset(name)
        if is_preset:
            hint = nearest(name, PRESETS) or f"presets: {', '.join(PRESETS)}; write `adapter:` for a file of your own"
            _refuse(Problem(f"there is no preset {name!r:.80}", hint=hint))
        if self._root is None:
            return load_adapter(Path(name))
        path = Path(os.path.realpath(self._root / name))
        if not path.is_relative_to(self._root):
            _refuse(Problem("lies outside of the project", name, hint="put the adapter file into the project's folder"))
        if path.suffix not in _SUFFIXES:
            hint = nearest(name, PRESETS) or "name a YAML file of the project, or a preset"
            _refuse(Problem(f"{name!r:.80} is neither a preset nor a YAML file", hint=hint))
        return _read(str(path), name)


def wrong_adapters(root: Path, settings: Settings) -> list[Finding]:
    """What is wrong with the adapters that agents name, each once, and with what agents are set to beyond them.

    What ships is right, and is read only where an agent has settings that it may not know.
    """
    shelf, findings, seen = AdapterShelf(root), [], set[str]()
    for name, agent in settings.agents.items():
        if not isinstance(agent, CliAgent):
            continue
        named = agent.preset or agent.adapter or ""
        if named in PRESETS and not agent.options and "permission" not in agent.model_fields_set:
            continue
        try:
            wrong = shelf.adapter_for(agent).wrong_settings(agent)
            findings += [Finding(what, path=("agents", name, field)) for field, what in wrong]
        except InvalidProject as error:
            field = "preset" if agent.preset else "adapter"
            if named not in seen:
                findings += [_finding(problem, named, ("agents", name, field)) for problem in error.problems]
            seen.add(named)
    return findings


def _finding(problem: Problem, file: str, path: tuple[str, ...]) -> Finding:
    """A problem with a line stands in the adapter's file, one without where the file is named."""
    if problem.line is not None:
        return Finding(problem.message, problem.file, problem.hint, problem.line)
    about = "" if problem.file is None else f"the adapter {file:.200} "
    return Finding(f"{about}{problem.message}", hint=problem.hint, path=path)


def load_adapter(path: Path) -> Adapter:
    """The adapter in a file, wherever it lies.

    Raises:
        InvalidProject: it cannot be read, or is wrong; `problems` names line and field.
    """
    if str(path) in _SHIPPED:
        return load_preset(str(path))
    return _read(str(path), str(path))


def load_preset(name: str) -> Adapter:
    """An adapter that ships, by the name of its file; a project's agents can name those of `PRESETS`."""
    text = importlib.resources.files(_PACKAGE).joinpath(_FOLDER, f"{name}.yaml").read_text(encoding="utf-8")
    return _parsed(text, name, f"preset {name}")


def _read(path: str, shown: str) -> Adapter:
    try:
        text = read_text(path, shown)
    except Refused as refused:
        found = refused.finding
        gone = found.message == "does not exist any more"
        hint = "write it (see docs/adapters.md), or name a file that is there" if gone else found.hint
        _refuse(Problem("does not exist" if gone else found.message, found.file, found.line, hint))
    return _parsed(text, Path(path).stem, shown)


def _parsed(text: str, name: str, shown: str) -> Adapter:
    try:
        document = parse(text, every_line=True)
    except NotYaml as error:
        hint = "put each adapter into a file of its own" if "second document" in error.message else error.hint
        _refuse(Problem(error.message, shown, error.line, hint))
    if not isinstance(document.value, dict):
        _refuse(Problem("an adapter file has `key: value` lines", shown, document.line_of(()) or 1, SEE))
    try:
        return parse_adapter(document.value, name)
    except AdapterError as error:
        _refuse(*_placed(error, document, shown))


def _placed(error: AdapterError, document: Document, shown: str) -> list[Problem]:
    return [
        Problem(problem.message, shown, document.line_of(path), problem.hint or SEE)
        for problem, path in zip(error.problems, error.paths, strict=True)
    ]


def _refuse(*problems: Problem) -> Never:
    first = problems[0]
    if len(problems) == 1:
        raise InvalidProject(first.message, hint=first.hint, file=first.file, line=first.line, problems=problems)
    what = f"{len(problems)} problems in the adapter, first: {first.message}"
    raise InvalidProject(what, hint=first.hint, file=first.file, line=first.line, problems=problems)
