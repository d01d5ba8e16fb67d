"""A project's own words to agents: its instructions (`AGENTS.md`), and how work of each type is done.

Instructions are handed over as they are. An agent program that reads such a file by itself must not get it twice, so
files are left out that it reads anyway: under that name, as a link to the same file, or because a file that it reads
imports them (`@AGENTS.md` in a `CLAUDE.md`).

Types come from small files that ship, and from `prompts/<type>.md` in the project, which win; an empty file there
switches a type off. Survives: folders and pipes named like files, files of any size, unreadable ones, bytes that are no
UTF-8, other files in a folder that happens to be called `prompts`. Links that lead out of the project are refused.
"""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from orchestration import prompts
from orchestration.errors import InvalidProject, Problem
from orchestration.loading.findings import Finding, Refused
from orchestration.loading.reading import read_text
from orchestration.models import Settings

MAX_INSTRUCTIONS: Final = 256 * 1024
"""Characters of all instructions together: they go into every prompt, and agents' own limits are lower still."""

MAX_TEMPLATE: Final = 64 * 1024
"""Characters of one type's text; it goes into every prompt of that type."""

MAX_TYPES: Final = 200
"""Types of a project: labels name them, and nobody tells more of them apart."""

READ_ALREADY: Final[Mapping[str, tuple[str, ...]]] = {
    "claude-code": ("CLAUDE.md", ".claude/CLAUDE.md", "CLAUDE.local.md"),
    "codex": ("AGENTS.md", "AGENTS.override.md"),
    "opencode": ("AGENTS.md",),
}
"""Preset → the files that its program reads by itself, for `instructions_of`."""

_SHIPPED: Final = Path(prompts.__file__).parent / "types"
_OUTSIDE: Final = "leads out of the project"
_OUTSIDE_HINT: Final = "keep a copy inside of the project"
_SUFFIX: Final = ".md"
_IMPORT: Final = re.compile(r"^[ \t]*(?:[-*][ \t]+)?@(?:\./)?([\w./-]*[\w-])[ \t]*$", re.MULTILINE)


def instructions_of(root: Path, settings: Settings, *, read_already: Iterable[str] = ()) -> str:
    """The project's instructions for an agent.

    Args:
        root: The project's folder.
        settings: They name the files; the default one need not exist.
        read_already: Names of files in the project that the agent reads by itself.

    Returns:
        The text of all files that are left, each under its name if there are several; empty where there are none.

    Raises:
        InvalidProject: A file that was named does not exist or cannot be read, or one leads out of the project.
    """
    real = os.path.realpath(root)
    known = set(_known(real, read_already))
    needed = "instructions" in settings.model_fields_set
    texts: dict[str, str] = {}
    for shown in settings.instructions:
        path = str(Path(real, shown))
        if not needed and not os.path.lexists(path):
            continue
        inside = _inside(real, path, shown)
        if inside not in known:
            known.add(inside)
            texts[shown] = _text(inside, shown).strip()
    told = {shown: text for shown, text in texts.items() if text}
    if len(told) > 1:
        return _bounded("\n\n".join(f"From `{shown}`:\n\n{text}" for shown, text in told.items()))
    return _bounded(next(iter(told.values()), ""))


def templates_of(root: Path, settings: Settings) -> dict[str, str]:
    """How work of each type is done: what ships, and what the project says instead or besides.

    Raises:
        InvalidProject: The folder or a file in it leads out of the project or cannot be read, or a folder that was
            named does not exist.
    """
    return shipped_templates() | {kind: text for kind, text in _own(root, settings) if kind}


def shipped_templates() -> dict[str, str]:
    """The types that ship."""
    return {file.stem: file.read_text(encoding="utf-8") for file in sorted(_SHIPPED.glob(f"*{_SUFFIX}"))}


def _own(root: Path, settings: Settings) -> Iterator[tuple[str, str]]:
    real = os.path.realpath(root)
    folder = str(Path(real, settings.prompts))
    needed = "prompts" in settings.model_fields_set
    if not needed and not Path(folder).is_dir():
        return
    try:
        names = sorted(file.name for file in Path(_inside(real, folder, settings.prompts)).iterdir())
    except OSError as error:
        raise _invalid(
            f"cannot be read: {(error.strerror or '').lower()}", settings.prompts, "make the folder"
        ) from None
    wanted = [name for name in names if name.lower().endswith(_SUFFIX) and not name.startswith(".")]
    for name in wanted[:MAX_TYPES]:
        shown = f"{settings.prompts}/{name}"
        text = _text(_inside(real, f"{folder}/{name}", shown), shown)
        if len(text) <= MAX_TEMPLATE:
            yield name[: -len(_SUFFIX)].lower(), text
        elif needed:
            raise _invalid(f"is over {MAX_TEMPLATE} characters", shown, "say it in fewer words")


def _known(real: str, names: Iterable[str]) -> Iterator[str]:
    """The files that an agent reads by itself: those with these names, and what these import."""
    for name in names:
        path = os.path.realpath(Path(real, name))
        yield path
        try:
            imported = _IMPORT.findall(read_text(path, name))
        except Refused:
            continue
        yield from (os.path.realpath(Path(path).parent / found) for found in imported)


def _inside(real: str, path: str, shown: str) -> str:
    """Where a path leads, which has to be inside of the project."""
    target = os.path.realpath(path)
    if target != real and not target.startswith(real.rstrip("/") + "/"):
        raise _invalid(_OUTSIDE, shown, _OUTSIDE_HINT)
    return target


def _text(path: str, shown: str) -> str:
    try:
        return read_text(path, shown)
    except Refused as refused:
        raise _from(refused.finding) from None


def _bounded(text: str) -> str:
    if len(text) <= MAX_INSTRUCTIONS:
        return text
    return f"{text[:MAX_INSTRUCTIONS]}\n\n[{len(text) - MAX_INSTRUCTIONS} characters left out]"


def _invalid(what: str, shown: str, hint: str) -> InvalidProject:
    return _from(Finding(what, shown, hint))


def _from(finding: Finding) -> InvalidProject:
    problem = Problem(finding.message, finding.file, finding.line, finding.hint)
    return InvalidProject(finding.message, hint=finding.hint, file=finding.file, line=finding.line, problems=[problem])
