"""How each sample of a document is run for real.

A fence is a sample by its language, and a comment on the line before it says more:

    <!-- file: tasks/A.md -->    the fence is this file of the sample's project
    <!-- continues -->           same project, and for Python the same names, as the sample before
    <!-- prints -->              what the sample before printed
    <!-- pytest -->              a file (with `file: …`) that is run by pytest
    <!-- notebook -->            a cell: it may await at its top level
    <!-- task -->                some fields of a task; <!-- settings --> some keys of orchestration.yaml

Several are divided by `;`. A `python` fence is run by a new interpreter, in a folder of its own; a `console` fence is
run line by line (`$ …`) by a shell there, and what stands below a command is what it printed. In what is printed, `…`
stands for any text of a line, and a line `…` for any lines. A command that fails has to be followed by `$ echo $?`.

Edges survived: a sample that hangs, one that ends the interpreter before those that continue it, output in the middle
of which a run's id stands.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby, pairwise
from pathlib import Path
from typing import Final

from tests.docs.pages import ROOT, Fence

LIMIT: Final = 60  # seconds for one sample: far more than any needs, also on a busy machine
RUN: Final = frozenset({"python", "console", "pytest"})
BETWEEN: Final = "\x1e"  # printed between the Python samples of one process

_DRIVER: Final = f"""\
import ast, asyncio, json, sys
names = {{"__name__": "__main__"}}
for file, line, source, is_cell in json.load(sys.stdin):
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT if is_cell else 0
    value = eval(compile("\\n" * line + source, file, "exec", flags), names)
    if is_cell:
        with asyncio.Runner() as runner:
            runner.run(value)
    print({BETWEEN!r}, flush=True)
"""


def stories_of(fences: Sequence[Fence]) -> list[list[Fence]]:
    """The samples that are run, each with those that continue it, and with the files that it needs."""
    return [story for story in _chained(fences) if any(_kind(fence) in RUN for fence in story)]


def projects_of(fences: Sequence[Fence]) -> list[list[Fence]]:
    """The files of samples that are a project's settings and tasks, one list for each project."""
    chains = [[fence for fence in chain if "file" in fence.marks] for chain in _chained(fences)]
    return [files for files in chains if any(fence.language in {"yaml", "markdown"} for fence in files)]


def _chained(fences: Sequence[Fence]) -> list[list[Fence]]:
    chains: list[list[Fence]] = []
    for fence in fences:
        if fence.language not in {"python", "console"} and not fence.marks.keys() & {"file", "prints"}:
            continue
        if not fence.marks.keys() & {"continues", "prints"}:
            chains.append([fence])
        elif chains:
            chains[-1].append(fence)
        else:
            raise fence.breaks("there is no sample before it")
    return chains


def _kind(fence: Fence) -> str:
    """How a fence of a story is dealt with."""
    if "prints" in fence.marks:
        return "prints"
    if "file" in fence.marks:
        return "pytest" if "pytest" in fence.marks else "file"
    return fence.language


def run_story(story: Sequence[Fence], folder: Path) -> None:
    """Write the files of a story, run its samples in order, and compare what they print.

    Python samples with nothing but printed text between them share their names.

    Raises:
        BrokenSample: one fails, or prints something else than the document says.
    """
    expected = {before.line: fence for before, fence in pairwise(story) if "prints" in fence.marks}
    samples = [fence for fence in story if "prints" not in fence.marks]
    for kind, group in groupby(samples, key=_kind):
        fences = list(group)
        if kind == "python":
            printed = _run_python(fences, folder)
        else:
            printed = {fence.line: _DEEDS[kind](fence, folder) for fence in fences}
        for fence in fences:
            if wanted := expected.get(fence.line):
                compare(wanted, wanted.text, printed[fence.line])


def write(fence: Fence, folder: Path) -> str:
    path = folder / fence.marks["file"]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(fence.text, encoding="utf-8")
    return ""


def _run_python(fences: Sequence[Fence], folder: Path) -> dict[int, str]:
    """Run samples in one new interpreter, in which a warning is an error; returns what each printed.

    A warning that comes too late to be raised, such as that of a coroutine which nobody awaited, is one too.
    """
    samples = [(fence.document, fence.line, fence.text, "notebook" in fence.marks) for fence in fences]
    done = _run(fences[0], [sys.executable, "-W", "error", "-c", _DRIVER], folder, json.dumps(samples))
    printed = done.stdout.split(f"{BETWEEN}\n")  # one more than there are samples, unless one of them has exited
    if done.returncode or len(printed) < len(fences) or "Exception ignored" in done.stderr:
        broken = fences[min(len(printed), len(fences)) - 1]
        raise broken.breaks(f"it ended with exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return {fence.line: text for fence, text in zip(fences, printed, strict=False)}


def _run_pytest(fence: Fence, folder: Path) -> str:
    write(fence, folder)
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", fence.marks["file"]]
    done = _run(fence, command, folder)
    if done.returncode:
        raise fence.breaks(f"its tests fail\n{done.stdout}{done.stderr}")
    return done.stdout


def _run_console(fence: Fence, folder: Path) -> str:
    """Run the commands of a fence one after the other."""
    code, done = 0, None
    for command, output in commands_of(fence):
        if code and "$?" not in command:
            raise fence.breaks(f"a command before `{command}` ended with exit code {code}, and no `$ echo $?` shows it")
        done = _run(fence, ["sh", "-c", f"exec 2>&1; (exit {code}); {command}"], folder)
        code = done.returncode
        if output:
            compare(fence, output, done.stdout, command)
    if done and code:
        raise fence.breaks(f"its last command ended with exit code {code}, and no `$ echo $?` shows it\n{done.stdout}")
    return ""


def commands_of(fence: Fence) -> list[tuple[str, str]]:
    """The commands of a console, each with what it printed."""
    parts = re.split(r"^\$ ", fence.text, flags=re.MULTILINE)
    if parts[0].strip() or len(parts) == 1:
        raise fence.breaks("a console begins with a line `$ command`")
    pairs = (part.partition("\n") for part in parts[1:])
    return [(command, output) for command, _, output in pairs]


def _run(fence: Fence, command: Sequence[str], folder: Path, text: str = "") -> subprocess.CompletedProcess[str]:
    """Run a program as a reader would who has installed `orch`, in a folder of their own."""
    paths = [str(Path(sys.executable).parent), os.environ["PATH"]]
    environment = {**os.environ, "PATH": os.pathsep.join(paths), "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}
    try:
        return subprocess.run(
            command,
            cwd=folder,
            env=environment,
            input=text,
            capture_output=True,
            encoding="utf-8",
            timeout=LIMIT,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise fence.breaks(f"it did not end within {LIMIT} s") from error


_DEEDS: Final[Mapping[str, Callable[[Fence, Path], str]]] = {
    "file": write,
    "pytest": _run_pytest,
    "console": _run_console,
}


def compare(fence: Fence, expected: str, actual: str, what: str = "the sample") -> None:
    """Hold what was printed against what the document shows.

    Raises:
        BrokenSample: they differ.
    """
    if not matches(expected, actual):
        raise fence.breaks(f"{what} does not print this:\n{expected}\nbut this:\n{actual}")


def matches(expected: str, actual: str) -> bool:
    """Whether a text is the expected one, in which `…` stands for anything; blanks at line ends do not count."""
    pattern = ""
    for line in expected.rstrip().split("\n"):
        if line.strip() == "…":
            pattern += r"(?:[^\n]*\n)*?"
        else:
            pattern += r"[^\n]*?".join(re.escape(part) for part in line.rstrip().split("…")) + r"[ \t]*\n"
    return re.fullmatch(pattern, f"{actual.rstrip()}\n") is not None
