"""Finds the licences of the tree and of what it depends on, and holds them against a list, as a script agent.

Dependencies are read from `pyproject.toml` (extras included) and followed through the metadata of what is installed
for the Python that runs this; what is declared but not installed here is reported as such, not guessed.
"""

import re
import sys
import tomllib
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from agents import spdx
from agents.facts import save
from agents.protocol import answer
from agents.tree import source_tree
from agents.wording import counted

LICENCE_FILE = re.compile(r"(licen[cs]e|copying|unlicense)([.-].*)?", re.IGNORECASE)
REQUIREMENT = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[([^\]]*)\])?[^;]*(?:;(.*))?")
SHORT = 60  # characters: a longer `License` field is the text of the licence, not its name
NOT_INSTALLED = "not installed here"


@dataclass(frozen=True, slots=True)
class Dependency:
    """One distribution that the tree needs, directly or through others."""

    name: str
    version: str
    licence: str
    allowed: bool


def canonical(name: str) -> str:
    """A distribution's name as all its spellings have it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def licence_of_tree(tree: Path) -> dict[str, str | None]:
    """Which licence file the tree has, what its text is, and what `pyproject.toml` says about it."""
    files = sorted(path for path in tree.iterdir() if path.is_file() and LICENCE_FILE.fullmatch(path.name))
    text = files[0].read_bytes().decode("utf-8", "replace") if files else ""
    said = project_of(tree).get("license")
    if isinstance(said, dict):
        said = said.get("text") or said.get("file")
    return {
        "file": files[0].name if files else None,
        "text": spdx.from_text(text) if files else None,
        "declared": str(said) if said else None,
    }


def project_of(tree: Path) -> dict[str, Any]:
    """The `[project]` table of the tree's `pyproject.toml`; empty if there is none that can be read."""
    try:
        table = tomllib.loads((tree / "pyproject.toml").read_text(encoding="utf-8")).get("project", {})
    except (FileNotFoundError, tomllib.TOMLDecodeError, UnicodeDecodeError):
        return {}
    return table if isinstance(table, dict) else {}


def declared(tree: Path) -> list[str]:
    """What the tree says that it needs, extras included."""
    project = project_of(tree)
    extras = project.get("optional-dependencies")
    lists = [project.get("dependencies"), *(extras.values() if isinstance(extras, dict) else ())]
    return [text for texts in lists if isinstance(texts, list) for text in texts if isinstance(text, str)]


def dependencies(requirements: list[str], allowed: Collection[str], own: str) -> list[Dependency]:
    """Everything that the requirements bring along, sorted by name; `own` is the tree's own name."""
    found: dict[str, Dependency] = {}
    waiting = list(requirements)
    while waiting:
        needed = REQUIREMENT.fullmatch(waiting.pop())
        name = canonical(needed[1]) if needed else ""
        if needed is None or name in found or name == canonical(own):
            continue
        try:
            dist = distribution(name)
        except PackageNotFoundError:
            if not needed[3]:  # with a condition it is, most likely, not for this machine
                found[name] = Dependency(name, "", NOT_INSTALLED, allowed=True)
            continue
        licence = licence_of(dist)
        found[name] = Dependency(name, dist.version, licence, allowed=spdx.allows(licence, allowed))
        waiting += requirements_of(dist, needed[2] or "")
    return [found[name] for name in sorted(found)]


def requirements_of(dist: Distribution, extras: str) -> Iterator[str]:
    """What an installed distribution needs, with the extras that were asked for."""
    wanted = {extra.strip().lower() for extra in extras.split(",")}
    for text in dist.requires or []:
        extra = re.search(r"extra\s*==\s*[\"']([^\"']+)", text)
        if extra is None or extra[1].lower() in wanted:
            yield text


def licence_of(dist: Distribution) -> str:
    """The licence that a distribution's metadata names: its expression, else its classifiers, else its free words."""
    about = dist.metadata
    if expressions := about.get_all("License-Expression"):
        return str(expressions[0])
    free = "".join(about.get_all("License") or [])
    classifiers = [line for line in about.get_all("Classifier") or [] if line.startswith("License ::")]
    classes = [line.rpartition(" :: ")[2] for line in classifiers]
    said = [free, *classes] if "\n" not in free and len(free) <= SHORT else classes
    names = [name for one in said if (name := spdx.from_spelling(one)) != spdx.UNKNOWN]
    return names[0] if names else spdx.from_text(free)  # some put the whole text there


def survey(tree: Path, allowed: Collection[str]) -> dict[str, Any]:
    """The facts: the tree's licence, its dependencies with theirs, and which of them the list does not allow."""
    needed = dependencies(declared(tree), allowed, str(project_of(tree).get("name", "")))
    return {
        "tree": licence_of_tree(tree),
        "allowed": sorted(allowed),
        "dependencies": [asdict(one) for one in needed],
        "denied": [asdict(one) for one in needed if not one.allowed],
        "not_installed": [one.name for one in needed if one.licence == NOT_INSTALLED],
    }


def check(inputs: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The sentence and the outputs of this task; its inputs have the list of allowed licences."""
    facts = survey(source_tree(), inputs["allowed"])
    save("licences", facts)
    needed, denied = len(facts["dependencies"]), len(facts["denied"])
    said = f"{counted(needed, 'dependency', 'dependencies')}, {counted(denied, 'licence')} not allowed"
    return said, {"dependencies": needed, "denied": denied, "licence": facts["tree"]["text"] or "none"}


if __name__ == "__main__":
    sys.exit(answer(check))
