"""Settings → the task files of a project, each once, in the order that is the order of declaration.

Order: by path, folder by folder, with numbers compared as numbers (`TASK-2` before `TASK-10`), ties by code point; the
same on every machine. Survives: hidden files and folders (ignored), links that lead in circles or to a file that is
listed anyway (read once, under its own name), links out of the project (refused), folders that are named like files,
pipes and devices, folders that may not be read or vanish meanwhile, and names that are not UTF-8.
"""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from orchestration.loading.findings import Finding
from orchestration.records import dataclass

SUFFIXES: Final = (".md", ".yaml", ".yml")
"""Endings of task files, in any case."""

SETTINGS_FILE: Final = "orchestration.yaml"
_DIGITS: Final = re.compile(r"([0-9]+)")
_OUTSIDE_HINT: Final = "keep the tasks of a project inside of it"


@dataclass(frozen=True, slots=True)
class TaskFile:
    """A file to be read from `path`, which is called `shown` (relative to the project's root) wherever it is named."""

    path: str
    shown: str

    @property
    def is_markdown(self) -> bool:
        """Whether front matter is looked for."""
        return self.shown.lower().endswith(".md")


def file_order(shown: str) -> tuple[list[str | int], str]:
    """The key by which files are sorted."""
    folder, slash, name = shown.rpartition("/")
    stem = name.rpartition(".")[0] or name
    parts: list[str | int] = list(_DIGITS.split(f"{folder}{slash}{stem}".replace("/", "\0")))
    parts[1::2] = map(int, parts[1::2])
    return parts, shown


def find_task_files(root: Path, wanted: Sequence[str], *, required: bool) -> tuple[list[TaskFile], list[Finding]]:
    """List the task files below (or at) each of the `wanted` places, with everything that is wrong with the places.

    Args:
        root: the project's root, resolved.
        wanted: folders or files, relative to the root.
        required: whether a place that does not exist is an error; the default place need not exist.
    """
    walk = _Walk(str(root))
    for i, place in enumerate(wanted):
        walk.start(place, i, required=required)
    walk.follow_links()
    return sorted(walk.files.values(), key=lambda file: file_order(file.shown)), walk.findings


class _Walk:
    """One walk over folders: what was found, which folders were seen, and which links wait until the real ones were."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._seen: set[str] = set()
        self._links: list[tuple[str, str]] = []
        self.files: dict[str, TaskFile] = {}
        self.findings: list[Finding] = []

    def start(self, place: str, number: int, *, required: bool) -> None:
        path = os.path.normpath(Path(self._root, place))
        real = os.path.realpath(path)
        at = (SETTINGS_FILE, ("tasks", number)) if required else (place, ())
        if not self._is_inside(path) or not self._is_inside(real):
            self._note(Finding(f"the task folder {place:.80} is outside of the project", hint=_OUTSIDE_HINT), at)
        elif Path(real).is_dir():
            self._folder(path, real)
        elif not os.path.lexists(path):
            hint = "make the folder, or add a first task with `orch add`"
            self._note(Finding(f"the task folder {place:.80} does not exist", hint=hint, grave=required), at)
        elif path.lower().endswith(SUFFIXES):
            self._file(path, real)
        else:
            hint = f"name a folder, or a file that ends with {', '.join(SUFFIXES)}"
            self._note(Finding(f"{place:.80} is not a folder of task files", hint=hint), at)

    def follow_links(self) -> None:
        """Look behind links to folders, after everything that has a name of its own."""
        while self._links:
            path, real = self._links.pop(0)
            if Path(real).is_dir():
                self._folder(path, real)
            else:
                self._file(path, real)

    def _folder(self, path: str, real: str) -> None:
        todo = [(path, real)]
        while todo:
            path, real = todo.pop()
            if real in self._seen:
                continue
            self._seen.add(real)
            try:
                with os.scandir(path) as entries:
                    todo += [inner for entry in entries if (inner := self._entry(entry, real))]
            except OSError as error:
                reason = (error.strerror or str(error)).lower()
                self.findings.append(
                    Finding(f"the folder cannot be read: {reason}", self._shown(path), "make it readable"),
                )

    def _entry(self, entry: os.DirEntry[str], real_parent: str) -> tuple[str, str] | None:
        """Take note of what an entry is; returns it if it is a folder to be walked."""
        if entry.name.startswith("."):
            return None
        is_task = entry.name.lower().endswith(SUFFIXES)
        if entry.is_symlink():
            self._link(entry.path, is_task=is_task)
        elif entry.is_dir(follow_symlinks=False):
            if not is_task:
                return entry.path, f"{real_parent}/{entry.name}"
            what = "is a folder, but named like a task file"
            self.findings.append(Finding(what, self._shown(entry.path), "rename the folder"))
        elif is_task and (entry.name != SETTINGS_FILE or real_parent != self._root):
            self._file(entry.path, f"{real_parent}/{entry.name}")
        return None

    def _link(self, path: str, *, is_task: bool) -> None:
        real = os.path.realpath(path)
        if not is_task and not Path(real).is_dir():
            return
        if self._is_inside(real):
            self._links.append((path, real))
        else:
            self.findings.append(Finding("is a link that leads out of the project", self._shown(path), _OUTSIDE_HINT))

    def _file(self, path: str, real: str) -> None:
        self.files.setdefault(real, TaskFile(path, self._shown(path)))

    def _is_inside(self, real: str) -> bool:
        return real == self._root or real.startswith(self._root.rstrip("/") + "/")

    def _shown(self, path: str) -> str:
        inner = path[len(self._root) :].lstrip("/")
        return inner.encode(errors="surrogateescape").decode(errors="backslashreplace") or "."

    def _note(self, finding: Finding, at: tuple[str, tuple[str | int, ...]]) -> None:
        self.findings.append(finding.within(*at))
