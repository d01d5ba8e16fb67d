"""The rules of the layout: sizes, what may be written in a file, what is depended on, who stands on which floor."""

import ast
import importlib.metadata
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from orchestration._version import __version__
from scripts import sizes

ROOT = Path(__file__).resolve().parent.parent
SETTINGS: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

CORE = {"anyio", "jinja2", "pydantic", "pyyaml", "rich", "typer"}
CORE_MODULES = {"anyio", "jinja2", "pydantic", "pydantic_core", "yaml", "rich", "typer"}  # pydantic brings its core
OF_API = {"anthropic", "httpx2", "openai", "pydantic_ai"}  # known only where models are asked
OF_SERVE = {"fastapi", "starlette", "uvicorn"}  # known only to the server
OF_NOTEBOOKS = {"jupyter_client", "nbclient", "nbformat"}  # known only to the process that executes notebooks
TYPES_ONLY = {"_typeshed"}  # known to type checkers, never imported when the program runs

# Rooms that decide, and rooms that start in milliseconds: those that exist have to be named in their contract.
DECIDING = {
    "adapters",
    "binding",
    "errors",
    "events",
    "graph",
    "kinds",
    "ledger",
    "models",
    "plan",
    "prices",
    "pricing",
    "protocols",
    "results",
    "retry",
    "shape",
}
STARTING_FAST = {"scripted", "supervisor", "warden", "worker"}

# Put together here, so that this file does not contain what it forbids.
HOSTS = (
    ("pypi", "org"),
    ("python[h]osted", "org"),
    ("registry", "npmjs", "org"),
    ("crates", "io"),
    ("proxy", "golang", "org"),
    ("anaconda", "org"),
)
REGISTRIES = re.compile("|".join(r"\b" + r"\.".join(parts) + r"\b" for parts in HOSTS))
FOLDERS_OF_MACHINES = ("Users", "home", "mnt", "root", "work")
MACHINE_PATHS = re.compile(rf"(?<![\w.~$}}*/-])/(?:{'|'.join(FOLDERS_OF_MACHINES)})/[\w.]+")


def rooms() -> set[str]:
    return {
        path.stem
        for path in (ROOT / "orchestration").iterdir()
        if path.suffix == ".py" or (path / "__init__.py").exists()
    }


def contract(beginning: str) -> dict[str, Any]:
    (found,) = [one for one in SETTINGS["tool"]["importlinter"]["contracts"] if one["name"].startswith(beginning)]
    return dict(found)


def our_files() -> list[Path]:
    """The files that git has or would take."""
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("this copy of the sources is not a git checkout")
    listing = [git, "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, check=True, capture_output=True).stdout.decode().split("\0")
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


def lines_that_match(pattern: re.Pattern[str]) -> list[str]:
    found = []
    for path in our_files():
        text = path.read_bytes().decode("utf-8", errors="replace")
        found += [
            f"{path.relative_to(ROOT)}:{number}: {match[0]}"
            for number, line in enumerate(text.splitlines(), start=1)
            if (match := pattern.search(line))
        ]
    return found


def imported_modules(folder: str) -> Iterator[tuple[Path, str]]:
    for path in sorted((ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                yield from ((path, alias.name.partition(".")[0]) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                yield path, node.module.partition(".")[0]


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return dict(line.split("==") for line in lines if line and not line.startswith("#"))


def declared() -> list[Requirement]:
    project = SETTINGS["project"]
    texts = [*project["dependencies"], *SETTINGS["build-system"]["requires"]]
    for extra in project["optional-dependencies"].values():
        texts += extra
    return [found for found in map(Requirement, texts) if found.name != project["name"]]  # one extra may need another


def test_no_file_and_no_function_is_too_long() -> None:
    assert sizes.problems(ROOT) == []


def test_what_is_too_long_is_named_with_its_place(tmp_path: Path) -> None:
    room = tmp_path / "orchestration"
    room.mkdir()
    (room / "wide.sql").write_text("select 1;\n" * 401)
    (room / "exact.sql").write_text("select 1;\n" * 400)
    (room / "deep.py").write_text('def long():\n    """Docstring."""\n' + "    x = 1\n" * 61)
    (room / "near.py").write_text('def near():\n    """Docstring."""\n' + "    x = 1\n" * 60)

    assert sizes.problems(tmp_path) == [
        "orchestration/wide.sql: 401 lines; at most 400",
        "orchestration/deep.py:1: long has 61 lines; at most 60",
        "2 of 2 bodies have more than 30 lines: orchestration/deep.py:1 long, orchestration/near.py:1 near",
    ]


def test_no_file_names_the_host_of_a_package_registry() -> None:
    assert lines_that_match(REGISTRIES) == []


def test_no_file_names_a_path_of_one_machine() -> None:
    assert lines_that_match(MACHINE_PATHS) == []


@pytest.mark.parametrize("path", [f"{folder}/ada/.cache" for folder in FOLDERS_OF_MACHINES])
def test_a_path_of_a_machine_is_recognised_and_a_relative_one_is_not(path: str) -> None:
    assert MACHINE_PATHS.search(f"see /{path}")
    assert not MACHINE_PATHS.search(f"see ./{path} or $HOME/{path} or docs/{path}")


def test_the_core_depends_on_what_is_declared_and_nothing_else() -> None:
    assert {canonicalize_name(Requirement(text).name) for text in SETTINGS["project"]["dependencies"]} == CORE


@pytest.mark.parametrize("folder", sizes.PACKAGES)
def test_the_packages_import_the_standard_library_the_core_and_themselves(folder: str) -> None:
    known = sys.stdlib_module_names | CORE_MODULES | TYPES_ONLY | set(sizes.PACKAGES)
    unknown = [(path, name) for path, name in imported_modules(folder) if name not in known]
    allowed = [(path, name) for path, name in unknown if name in OF_API and path.name.startswith("_api_")]
    allowed += [(path, name) for path, name in unknown if name in OF_SERVE and path.parent.name == "server"]
    allowed += [(path, name) for path, name in unknown if name in OF_NOTEBOOKS and path.parent.name == "notebooks"]
    assert [f"{path.relative_to(ROOT)}: {name}" for path, name in unknown if (path, name) not in allowed] == []


def test_what_is_declared_is_pinned_to_a_version_that_it_allows() -> None:
    pinned = {canonicalize_name(name): version for name, version in pins().items()}
    for requirement in declared():
        assert requirement.specifier.contains(pinned[canonicalize_name(requirement.name)]), requirement


def test_all_that_an_installation_brings_along_is_pinned() -> None:
    pinned = {canonicalize_name(name) for name in pins()}
    waiting, seen = [(requirement.name, set(requirement.extras)) for requirement in declared()], set()
    while waiting:
        name, extras = waiting.pop()
        if canonicalize_name(name) in seen:
            continue
        seen.add(canonicalize_name(name))
        for text in importlib.metadata.requires(name) or []:
            needed = Requirement(text)
            if needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in {"", *extras}):
                waiting.append((needed.name, set(needed.extras)))
    assert seen == pinned


def test_constraints_are_sorted_exact_versions() -> None:
    lines = [
        line for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines() if not line.startswith("#")
    ]
    assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.]*", line)] == []
    names = [line.partition("==")[0].lower() for line in lines]
    assert names == sorted(names)


@pytest.mark.parametrize("package", sizes.PACKAGES)
def test_the_packages_say_that_they_are_typed(package: str) -> None:
    assert (ROOT / package / "py.typed").is_file()


def test_the_version_stands_in_one_place() -> None:
    assert SETTINGS["project"]["dynamic"] == ["version"]
    assert importlib.metadata.version("orch-tasks") == __version__


def test_reading_the_version_imports_nothing_heavy() -> None:
    code = "import sys; import orchestration._version; print(*sys.modules)"
    command = [sys.executable, "-c", code]
    loaded = set(subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout.split())
    assert {name for name in loaded if name.startswith("orchestration")} == {"orchestration", "orchestration._version"}
    assert not loaded & {"asyncio", "importlib.metadata", "pydantic", "rich", "sqlite3", "typer", "typing", "yaml"}


def test_rooms_that_decide_and_rooms_that_start_fast_are_held_to_it() -> None:
    deciding = set(contract("what decides")["source_modules"])
    fast = set(contract("what must start")["source_modules"])
    assert {f"orchestration.{room}" for room in DECIDING & rooms()} <= deciding
    assert {f"orchestration.{room}" for room in STARTING_FAST & rooms()} <= fast
