"""What decides whether a task is done, whatever its agent says: commands, files that must exist, promised values.

All checks run, also after one has failed, because together they are the evidence for the next attempt. Setup commands
run before the agent does, and the first that fails is the last.

Edges survived: commands that hang (each has the task's timeout), that print without end (the last part is kept, the
whole is in a log up to its bound), that are empty or not there; deliverables given as patterns, as folders, as links to
nothing, or outside of the folder that the task works in, where nobody's files are looked at.
"""

import asyncio
import os
from collections.abc import Iterable, Mapping
from glob import has_magic
from pathlib import Path
from typing import Any, Final

from orchestration.errors import AgentMissing, UsageError
from orchestration.process import Command, EndedBy, LiveChildren, ProcessEnd, Stream, run_process
from orchestration.process.command_line import command_line
from orchestration.protocols import Work
from orchestration.results import CheckResult

MAX_LOG: Final = 16 * 1024
"""Bytes of what a command printed that its result carries: the end, where the reason stands."""

MAX_CHECK_LOG: Final = 4 * 1024 * 1024
"""Bytes per stream in the log file of one command; a whole test run of a large project is shorter."""

MARKER: Final = "ORCH_ATTEMPT_ID"
NOT_FOUND: Final = 127
"""The exit code by which shells say that there is no such command."""


async def run_checks(
    work: Work, *, outputs: Mapping[str, Any], children: LiveChildren | None = None
) -> tuple[CheckResult, ...]:
    """Check a task after its agent has succeeded.

    Args:
        work: The attempt; its task says what to check.
        outputs: The values that were passed on.
        children: The program's book of what lives.

    Returns:
        One result for every command, then for every deliverable, then for every promised output, as they were written.
    """
    results = [
        await _run("verify", line, work, f"check-{number}.log", children)
        for number, line in enumerate(work.task.verify, 1)
    ]
    results += await _deliverables(work.task.deliverables, work.directory)
    results += [_promised(name, outputs) for name in work.task.outputs]
    return tuple(results)


async def run_setup(work: Work, *, children: LiveChildren | None = None) -> CheckResult | None:
    """Run the task's setup commands in order.

    Returns:
        The first that failed; None where all is ready.
    """
    for number, line in enumerate(work.task.setup, 1):
        result = await _run("setup", line, work, f"setup-{number}.log", children)
        if not result.passed:
            return result
    return None


class _Tail:
    """The last bytes of both streams of a command, in the order in which they came."""

    def __init__(self) -> None:
        self._kept = bytearray()
        self._left_out = 0

    def __call__(self, _stream: Stream, data: bytes) -> None:
        self._kept += data
        if (over := len(self._kept) - MAX_LOG) > 0:
            del self._kept[:over]
            self._left_out += over

    def text(self) -> str:
        said = f"[{self._left_out} bytes left out]\n" if self._left_out else ""
        return f"{said}{self._kept.decode(errors='replace').rstrip()}"


async def _run(kind: str, line: str, work: Work, log: str, children: LiveChildren | None) -> CheckResult:
    argv = command_line(line)
    if not argv or "\0" in line:
        return CheckResult(kind, line, passed=False, log="the command is empty or holds a zero byte")
    tail = _Tail()
    try:
        end = await run_process(_command(argv, work, work.folder / log), tail, children=children)
    except (AgentMissing, UsageError) as error:
        told = f"{error.message} ({error.hint})" if error.hint else error.message
        return CheckResult(kind, line, passed=False, exit_code=NOT_FOUND, log=told)
    passed = end.ended_by is EndedBy.ITSELF and end.exit_code == 0
    said = "\n".join(part for part in (tail.text(), _note(end, work)) if part)
    return CheckResult(kind, line, passed, exit_code=end.exit_code, duration_seconds=end.duration, log=said)


def _command(argv: tuple[str, ...], work: Work, log: Path) -> Command:
    marker = work.environment.get(MARKER)
    return Command(
        argv=argv,
        cwd=work.directory,
        env=work.environment,
        timeout=work.timeout,
        kill_grace=work.kill_grace,
        stdout_log=log,
        stderr_log=log,
        max_log=MAX_CHECK_LOG,
        max_capture=0,
        masker=work.masker,
        marker=None if marker is None else (MARKER, marker),
    )


def _note(end: ProcessEnd, work: Work) -> str:
    """What its own output does not say about an end."""
    if end.ended_by is EndedBy.TIMEOUT:
        return f"[ended after the timeout of {work.timeout:g} s]"
    if end.ended_by is not EndedBy.ITSELF:
        return "[cancelled]"
    return f"[killed by signal {end.signal}]" if end.signal is not None else ""


async def _deliverables(paths: Iterable[str], directory: Path) -> list[CheckResult]:
    if any(has_magic(path) for path in paths):  # a pattern may go through the whole tree
        return await asyncio.to_thread(lambda: [_deliverable(path, directory) for path in paths])
    return [_deliverable(path, directory) for path in paths]


def _deliverable(path: str, directory: Path) -> CheckResult:
    problem = _missing(path, directory)
    return CheckResult("deliverable", path, passed=problem is None, log=problem or "")


def _missing(path: str, directory: Path) -> str | None:
    """Why a deliverable does not count, None if it does."""
    if not path.strip() or "\0" in path:
        return "this is no path"
    inside = os.path.relpath(os.path.normpath(directory / path), os.path.normpath(directory))
    if inside == os.pardir or inside.startswith(os.pardir + os.sep):
        return f"it lies outside of {directory}, and is not looked at; name a path in there"
    try:
        if (directory / inside).exists():
            return None
        if has_magic(inside) and _finds(inside, directory):
            return None
    except (OSError, ValueError, NotImplementedError) as error:
        return f"it cannot be looked at: {error}"
    return f"nothing in {directory} matches it" if has_magic(inside) else f"it does not exist in {directory}"


def _finds(pattern: str, directory: Path) -> bool:
    """Whether a pattern means anything there; raises ValueError where the version of Python would decide on that."""
    if any("**" in part and part != "**" for part in Path(pattern).parts):
        raise ValueError("Invalid pattern: '**' can only be an entire path component")
    return any(True for _ in directory.glob(pattern))


def _promised(name: str, outputs: Mapping[str, Any]) -> CheckResult:
    if name in outputs:
        return CheckResult("output", name, passed=True)
    given = f"only {', '.join(outputs)}" if outputs else "nothing"
    told = f"it was not passed on, {given} was: write {name}=VALUE to the file $ORCH_OUTPUT, or return it"
    return CheckResult("output", name, passed=False, log=told)
