"""What a row of the table of bad inputs is made of, and how its files come into being."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final


@dataclass(frozen=True, slots=True)
class Link:
    """A symbolic link; `target` as it is written into it."""

    target: str


@dataclass(frozen=True, slots=True)
class Pipe:
    """A named pipe that nobody writes to."""


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder where a file is expected."""


Entry = str | bytes | Link | Pipe | Folder


@dataclass(frozen=True, slots=True)
class Expected:
    """A problem: where, and words of its message and hint."""

    file: str | None
    line: int | None
    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class BadInput:
    """A project with its problems."""

    name: str
    files: Mapping[str, Entry]
    problems: tuple[Expected, ...]


def lay_out(root: Path, files: Mapping[str, Entry]) -> None:
    """Make the files below `root`."""
    for name, entry in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        match entry:
            case str():
                path.write_bytes(entry.encode())
            case bytes():
                path.write_bytes(entry)
            case Link():
                path.symlink_to(entry.target)
            case Pipe():
                os.mkfifo(path)
            case Folder():
                path.mkdir()


def task_row(name: str, yaml: str, *problems: tuple[int | None, str, str]) -> BadInput:
    """A row with the one file `tasks/a.yaml`; each problem is line, message, hint."""
    found = tuple(Expected("tasks/a.yaml", line, message, hint) for line, message, hint in problems)
    return BadInput(name, {"tasks/a.yaml": yaml}, found)


def settings_row(name: str, yaml: str, *problems: tuple[int | None, str, str]) -> BadInput:
    """A row with the one file `orchestration.yaml`."""
    found = tuple(Expected("orchestration.yaml", line, message, hint) for line, message, hint in problems)
    return BadInput(name, {"orchestration.yaml": yaml}, found)


def file_row(name: str, files: Mapping[str, Entry], *problems: tuple[str, int | None, str, str]) -> BadInput:
    """A row with any files."""
    return BadInput(name, files, tuple(Expected(*problem) for problem in problems))


LAUGHS: Final = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [{', '.join(['*' + chr(97 + i)] * 10)}]\n" for i in range(9)
)
CHAIN: Final = "metadata:\n  - &a0 [x]\n" + "".join(f"  - &a{i + 1} [*a{i}]\n" for i in range(2000))
