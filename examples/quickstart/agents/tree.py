"""The source tree that is surveyed: where it is, which files belong to it, and what kind each file is.

Git decides which files belong, where there is a git checkout and git agrees to read it; elsewhere everything does but
hidden folders and the usual folders of generated files. This project's own results never belong to the tree.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from agents.facts import OUT

SKIPPED = frozenset({"__pycache__", "build", "dist", "node_modules", "venv"})
STATE = Path(".orchestration")
SNIFFED = 8192  # bytes: a file with a zero byte among its first ones is no text, as git sees it too
GIT_SECONDS = 300  # a git that takes longer has met a prompt or a dead disk

KINDS = {
    ".bash": "shell", ".c": "c", ".cc": "c++", ".cfg": "configuration", ".cpp": "c++", ".css": "css", ".go": "go",
    ".h": "c", ".hpp": "c++", ".htm": "html", ".html": "html", ".ini": "configuration", ".java": "java",
    ".js": "javascript", ".json": "json", ".jsx": "javascript", ".md": "markdown", ".markdown": "markdown",
    ".py": "python", ".pyi": "python", ".rb": "ruby", ".rs": "rust", ".rst": "restructuredtext", ".sh": "shell",
    ".sql": "sql", ".toml": "toml", ".ts": "typescript", ".tsx": "typescript", ".yaml": "yaml", ".yml": "yaml",
}  # fmt: skip
SHELLS = ("bash", "dash", "ksh", "sh", "zsh")
INTERPRETERS = dict.fromkeys(SHELLS, "shell") | {"python": "python", "node": "javascript"}


def source_tree() -> Path:
    """The folder named by SOURCE_TREE; without it, the checkout that this example is part of.

    Raises:
        NotADirectoryError: There is no such folder.
    """
    tree = Path(os.environ.get("SOURCE_TREE") or "../..").expanduser().resolve()
    if not tree.is_dir():
        raise NotADirectoryError(f"{tree} is no folder; set SOURCE_TREE to the folder of the sources to survey")
    return tree


def git(tree: Path, *arguments: str) -> bytes:
    """What a git command prints when run in the tree; it may only read, and never asks.

    Raises:
        OSError: There is no git, or git refused; the message is git's own.
    """
    program = shutil.which("git")
    if program is None:
        raise FileNotFoundError("git is not installed")
    # A tree to be surveyed may come from anyone: its settings must not start programs (fsmonitor) while it is read.
    command = [program, "-c", "core.fsmonitor=false", "-c", "core.quotePath=false", "-C", str(tree), *arguments]
    environment = os.environ | {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C.UTF-8"}
    try:
        done = subprocess.run(command, capture_output=True, check=False, env=environment, timeout=GIT_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise TimeoutError(f"git {arguments[0]} did not answer within {GIT_SECONDS} seconds") from error
    if done.returncode:
        first = (done.stderr.decode("utf-8", "replace").strip() or f"git exited with {done.returncode}").splitlines()[0]
        raise OSError(first.removeprefix("fatal: "))
    return done.stdout


def list_files(tree: Path) -> tuple[str, list[str]]:
    """How the files were found (for people), and their paths relative to the tree, sorted."""
    try:
        listing = git(tree, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
        names = [os.fsdecode(name) for name in listing.split(b"\0") if name]
        why = "git ignores this folder"
    except OSError as error:
        names, why = [], str(error)
    how = "listed by git" if names else f"found by walking the folders ({why})"
    names = names or list(_walk(tree))
    own = [path.resolve() for path in (OUT, STATE)]
    return how, sorted({name for name in names if _belongs(tree / name, own)})


def _walk(tree: Path) -> Iterator[str]:
    for folder, folders, files in os.walk(tree):
        folders[:] = [name for name in folders if not name.startswith(".") and name not in SKIPPED]
        yield from ((Path(folder) / name).relative_to(tree).as_posix() for name in files)


def _belongs(path: Path, own: list[Path]) -> bool:
    if path.is_symlink() or not path.is_file():
        return False
    place = path.resolve()
    return not any(place.is_relative_to(folder) for folder in own)


def kind_of(name: str, content: bytes) -> str:
    """What kind a file is, by its ending, else by its first line; `binary` and `other text` are the rest."""
    if b"\0" in content[:SNIFFED]:
        return "binary"
    if known := KINDS.get(PurePosixPath(name).suffix.lower()):
        return known
    first = content[:200].partition(b"\n")[0].decode("ascii", "replace")
    if first.startswith("#!"):
        words = [PurePosixPath(word).name.rstrip("0123456789.") for word in first[2:].split()]
        return next((INTERPRETERS[word] for word in words if word in INTERPRETERS), "other text")
    return "other text"
