"""A folder → a project that can be run, or everything that is wrong with it, each with file and line.

Figures: 10,000 task files take at most 1.3 times what PyYAML's `CSafeLoader` alone takes for them. Python's cyclic
garbage collector is off meanwhile: nothing here makes cycles, and it would walk over all tasks again and again.
"""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from orchestration.errors import InvalidProject, NoProject, Problem
from orchestration.garbage import uncollected
from orchestration.graph import Graph
from orchestration.loading.crosscheck import (
    Placed,
    graph_of,
    unique,
    wrong_dependencies,
    wrong_names,
    wrong_texts,
)
from orchestration.loading.findings import Finding
from orchestration.loading.lines import with_lines
from orchestration.loading.places import TaskPlaces
from orchestration.loading.settings import SettingsCatch, read_settings
from orchestration.loading.sharing import Sharing
from orchestration.loading.taskcheck import checked
from orchestration.loading.taskfiles import read_task_file
from orchestration.loading.unknown import bounded
from orchestration.loading.walking import SETTINGS_FILE, file_order, find_task_files
from orchestration.models import Settings, Task
from orchestration.records import dataclass

STATE_FOLDER: Final = ".orchestration"


@dataclass(frozen=True, slots=True)
class Project:
    """A backlog with its settings, checked.

    Attributes:
        root: the project's folder, resolved.
        settings: what `orchestration.yaml` says, or the defaults.
        tasks: in declaration order, which is the order of files and within them of tasks.
        places: task id → file (relative to the root) and line where it stands.
        warnings: what is suspicious but can be run.
        graph: who depends on whom, by position in `tasks`.
        problems: what makes it unfit to be run; empty unless it was loaded with `check=False`.
    """

    root: Path
    settings: Settings
    tasks: tuple[Task, ...]
    places: Mapping[str, tuple[str, int]]
    warnings: tuple[Problem, ...]
    graph: Graph
    problems: tuple[Problem, ...] = ()

    @property
    def state_folder(self) -> Path:
        """Where the state of runs is kept."""
        return self.root / STATE_FOLDER


def find_root(start: Path) -> Path:
    """The nearest folder, from `start` upward, that has an `orchestration.yaml` or a state folder.

    Where there is none, `start` itself will do if it has a backlog: everything else has defaults.

    Raises:
        NoProject: there is none.
    """
    here = start.resolve()
    for folder in (here, *here.parents):
        if os.path.lexists(folder / SETTINGS_FILE) or (folder / STATE_FOLDER).is_dir():
            return folder
    if (here / "tasks").is_dir():
        return here
    what = f"no {SETTINGS_FILE} and no {STATE_FOLDER}/ in {here} or any folder above it"
    raise NoProject(what, hint="make a project here with `orch init`, or name its folder with -C")


def load_project(root: Path, *, check: bool = True) -> Project:
    """Load the settings and all tasks of the project at `root`.

    Args:
        root: the project's folder; it need not have an `orchestration.yaml`.
        check: whether the project must be fit to be run. Without, what is wrong is in `Project.problems` and left out
            of the rest, for commands that only show or add something.

    Raises:
        NoProject: `root` is no folder.
        InvalidProject: `problems` has everything that was found, sorted by file and line.
    """
    root = root.resolve()
    if not root.is_dir():
        raise NoProject(f"{root} is no folder", hint="name the folder of a project with -C")
    with uncollected():
        project = _loaded(root)
    if check:
        check_fit(project)
    return project


def check_fit(project: Project) -> None:
    """Refuse a project that is not fit to be run.

    Raises:
        InvalidProject: carries all of its problems.
    """
    if project.problems:
        raise _invalid(project.problems)


def _loaded(root: Path) -> Project:
    catch = read_settings(root)
    files, wrong_places = find_task_files(root, catch.settings.tasks, required=catch.names_tasks)
    findings = [*catch.findings, *wrong_places]
    placed: list[Placed] = []
    lost: set[str] = set()
    sharing = Sharing()
    for file in files:
        found = read_task_file(file)
        findings += found.findings
        lost |= found.lost
        for draft in found.drafts:
            task, wrong, is_whole = checked(draft)
            findings += wrong
            if not is_whole:
                lost.add(str(draft.fields.get("id")))
            if task is not None:
                placed.append(Placed(sharing.with_shared(task), draft.file, draft.line, draft.path, is_whole))
    placed, doubles = unique(placed)
    findings += doubles
    findings += wrong_dependencies(placed, lost)
    findings += wrong_names(placed, catch)
    findings += wrong_texts(placed, catch)
    graph, knots = graph_of(placed)
    findings += knots
    if not all(one.is_whole for one in placed):
        placed = [one for one in placed if one.is_whole]
        graph, _ = graph_of(placed)
    return _assembled(root, catch, placed, graph, with_lines(bounded(findings), root, files))


def _assembled(
    root: Path,
    catch: SettingsCatch,
    placed: list[Placed],
    graph: Graph,
    findings: list[Finding],
) -> Project:
    return Project(
        root=root,
        settings=catch.settings,
        tasks=tuple(one.task for one in placed),
        places=TaskPlaces(graph.index, ((one.file, one.line) for one in placed)),
        warnings=_problems(finding for finding in findings if not finding.grave),
        graph=graph,
        problems=_problems(finding for finding in findings if finding.grave),
    )


def _problems(findings: Iterable[Finding]) -> tuple[Problem, ...]:
    found = (Problem(finding.message, finding.file, finding.line, finding.hint) for finding in findings)
    return tuple(sorted(found, key=lambda one: (file_order(one.file or ""), one.line or 0)))


def _invalid(problems: tuple[Problem, ...]) -> InvalidProject:
    first = problems[0]
    if len(problems) == 1:
        return InvalidProject(first.message, hint=first.hint, file=first.file, line=first.line, problems=problems)
    files = len({problem.file for problem in problems})
    return InvalidProject(
        f"{len(problems):,} problems in {files:,} {'file' if files == 1 else 'files'}, first at {first.place}: "
        f"{first.message}",
        hint="mend them, then look again with `orch validate`",
        problems=problems,
    )
