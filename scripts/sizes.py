"""Holds files and functions to a size that can be read in one sitting.

A file of code has at most 400 lines, a function body at most 60, and of the bodies in the two packages at most a tenth
have more than 30. A body is counted without its docstring; a function inside a function is also counted by itself.
Prints one line per offender and exits 1 if there is any.
"""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("orchestration", "cli")
FOLDERS = (*PACKAGES, "tests", "bench", "examples", "scripts", ".ci")
SUFFIXES = frozenset({".py", ".sh", ".sql", ""})  # without a suffix: the scripts

FILE_LINES = 400
BODY_LINES = 60
COMFORTABLE_BODY_LINES = 30
SHARE_OF_LONG_BODIES = 0.1


@dataclass(frozen=True, slots=True)
class Body:
    """The body of one function."""

    file: Path
    line: int
    name: str
    lines: int


def code_files(root: Path, folders: tuple[str, ...] = FOLDERS) -> Iterator[Path]:
    """Yield the files of code under `root`, in a fixed order; what starts with a dot below a folder is not ours."""
    for folder in folders:
        for path in sorted((root / folder).rglob("*")):
            hidden = any(part.startswith((".", "__pycache__")) for part in path.relative_to(root / folder).parts)
            if path.is_file() and path.suffix in SUFFIXES and not hidden:
                yield path


def bodies(file: Path) -> Iterator[Body]:
    """Yield the function bodies of a Python file.

    Raises:
        SyntaxError: The file is not Python.
    """
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"), str(file))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[1:] if ast.get_docstring(node, clean=False) is not None else node.body
            lines = (node.end_lineno or 0) - first[0].lineno + 1 if first else 0
            yield Body(file, node.lineno, node.name, lines)


def problems(root: Path) -> list[str]:
    """Say what under `root` is too long, one sentence each."""
    found = []
    for file in code_files(root):
        lines = len(file.read_bytes().splitlines())
        if lines > FILE_LINES:
            found.append(f"{file.relative_to(root)}: {lines} lines; at most {FILE_LINES}")
    every = [body for file in code_files(root) if file.suffix == ".py" for body in bodies(file)]
    found += [
        f"{body.file.relative_to(root)}:{body.line}: {body.name} has {body.lines} lines; at most {BODY_LINES}"
        for body in every
        if body.lines > BODY_LINES
    ]
    ours = [body for body in every if body.file.relative_to(root).parts[0] in PACKAGES]
    long = [body for body in ours if body.lines > COMFORTABLE_BODY_LINES]
    if len(long) > SHARE_OF_LONG_BODIES * len(ours):
        names = ", ".join(f"{body.file.relative_to(root)}:{body.line} {body.name}" for body in long)
        found.append(f"{len(long)} of {len(ours)} bodies have more than {COMFORTABLE_BODY_LINES} lines: {names}")
    return found


if __name__ == "__main__":
    offenders = problems(ROOT)
    print("\n".join(offenders))
    sys.exit(bool(offenders))
