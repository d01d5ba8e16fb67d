"""How a process ended → what the attempt yielded, in the words of outcomes; and its output as text while it comes.

Edges survived: a character split over two chunks, output that is no UTF-8, output of which only the end was kept, a
program that could not be started, descendants that could not be ended, a program that ended well after it was asked to
end (the timeout stands).
"""

import codecs
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from orchestration.errors import AgentMissing, OrchError, UsageError
from orchestration.executors._starting import MARKER, start_kept
from orchestration.executors._supervising import told_by_supervisor, under_supervisor
from orchestration.kinds import Failure
from orchestration.nothing import nothing
from orchestration.process import Command, EndedBy, LiveChildren, ProcessEnd, Stream, run_process
from orchestration.protocols import Report, Start, Work
from orchestration.results import Outcome

MAX_QUOTED: Final = 2_000
"""Characters of a program's last words that an error repeats; the whole is in the log."""

MAX_NAME: Final = 80
"""Characters of a command line that stand for it in a sentence."""

_BY_US: Final[Mapping[EndedBy, Failure]] = {
    EndedBy.TIMEOUT: Failure.TIMEOUT,
    EndedBy.IDLE_TIMEOUT: Failure.IDLE_TIMEOUT,
    EndedBy.FIRST_OUTPUT: Failure.IDLE_TIMEOUT,
    EndedBy.CANCELLED: Failure.CANCELLED,
    EndedBy.BUDGET: Failure.BUDGET,
    EndedBy.LINGERING: Failure.INVALID_OUTPUT,
}


_WHY: Final[Mapping[EndedBy, Callable[[Work], str]]] = {
    EndedBy.TIMEOUT: lambda work: f"was ended after its timeout of {work.timeout:g} s",
    EndedBy.IDLE_TIMEOUT: lambda work: f"was ended because it wrote nothing for {work.idle_timeout:g} s",
    EndedBy.FIRST_OUTPUT: lambda _: "was ended because it never began to write",
    EndedBy.CANCELLED: lambda _: "was cancelled",
    EndedBy.LINGERING: lambda _: "was ended because it did not end by itself after its last word",
    EndedBy.BUDGET: lambda _: "was ended because its budget was spent",
}


class Telling:
    """Reports what a process writes as text, as it comes."""

    def __init__(self, report: Report) -> None:
        """Nothing is reported for an empty stream, nor made for it."""
        self._report = report
        self._decoders: dict[Stream, codecs.IncrementalDecoder] = {}

    def __call__(self, stream: Stream, data: bytes) -> Awaitable[None] | None:
        """Take a chunk; what is returned, if anything, is to be awaited before the next one."""
        if stream not in self._decoders:
            self._decoders[stream] = codecs.getincrementaldecoder("utf-8")(errors="replace")
        text = self._decoders[stream].decode(data)
        return self._report(text, stream.value) if text else None

    async def finish(self) -> None:
        """Report the beginning of a character that never came."""
        for stream, decoder in self._decoders.items():
            if text := decoder.decode(b"", final=True):
                answer = self._report(text, stream.value)
                if answer is not None:
                    await answer


async def run_program(
    work: Work,
    argv: Sequence[str],
    report: Report,
    children: LiveChildren | None,
    stdin: bytes | None = None,
    *,
    supervised: bool = False,
) -> ProcessEnd | Outcome:
    """Run a program for an attempt: its output goes to the attempt's logs and, as text, to `report`.

    Args:
        work: the attempt.
        argv: the program and its arguments.
        report: told of its output.
        children: the program's book of what lives.
        stdin: what it reads.
        supervised: whether it has a supervisor, because this process is none for what it leaves.

    Returns:
        How it ended; or, if it could not be started, the outcome that says so.
    """
    telling = Telling(report)
    stdout, stderr = logs(work)
    try:
        start = start_kept(work, argv)
        command = command_for(work, start, stdin, stdout, stderr)
        command = under_supervisor(work, command) if supervised else command
        end = await run_process(command, telling, children=children)
    except OrchError as error:
        return not_started(error)
    finally:
        said = told_by_supervisor(work.folder) if supervised else {}
    if "error" in said:
        return Outcome(failure=Failure.AGENT_MISSING, error=f"{start.argv[0]} cannot be started: {said['error']}")
    await telling.finish()
    return replace(end, swept=end.swept + int(said["swept"])) if "swept" in said else end


def logs(work: Work) -> tuple[str, str]:
    """The log files of an attempt, as texts: most are never made, and a `Path` costs more than that."""
    return f"{work.folder}/stdout.log", f"{work.folder}/stderr.log"


def command_for(work: Work, start: Start, stdin: bytes | None, stdout: str | None, stderr: str | None) -> Command:
    """The command with all that an attempt says about its limits."""
    marker = work.environment.get(MARKER)
    return Command(
        argv=start.argv,
        cwd=start.directory,
        env=start.environment,
        stdin=stdin,
        timeout=work.timeout,
        idle_timeout=work.idle_timeout,
        kill_grace=work.kill_grace,
        masker=work.masker,
        stdout_log=stdout,
        stderr_log=stderr,
        marker=None if marker is None else (MARKER, marker),
    )


def not_started(error: OrchError) -> Outcome:
    """The outcome of what could not be started; an error of whoever listens is not one of these and is raised again."""
    if isinstance(error, AgentMissing | UsageError):
        return Outcome(failure=Failure.AGENT_MISSING, error=with_hint(error.message, error.hint))
    if type(error) is OrchError:  # the machine had no room
        return Outcome(failure=Failure.INTERNAL, error=with_hint(error.message, error.hint))
    raise error


def with_hint(message: str, hint: str | None) -> str:
    """Both in one text."""
    return f"{message} ({hint})" if hint else message


def failure_of(end: ProcessEnd) -> Failure | None:
    """The kind of failure that an end alone shows."""
    if end.ended_by is not EndedBy.ITSELF:
        return _BY_US[end.ended_by]
    if end.signal is not None:
        return Failure.CRASHED
    return Failure.EXIT_CODE if end.exit_code else None


def outcome_of(end: ProcessEnd, work: Work, name: str, said: str | None = None) -> Outcome:
    """The outcome that an end alone shows.

    Args:
        end: How the process ended.
        work: The attempt.
        name: What stands for the program in the error.
        said: What its exit code means, where that is known.
    """
    failure = failure_of(end)
    wrote = end.stdout_total or end.stderr_total
    return Outcome(
        failure=failure,
        error=None if failure is None else f"{with_hint(sentence(end, work, name), said)}{last_words(end)}",
        output=text_of(end.stdout, end.stdout_total),
        exit_code=end.exit_code,
        signal=end.signal,
        ended_by=end.ended_by.value,
        log_path=str(work.folder) if wrote else None,
        metadata=facts_of(end),
    )


def sentence(end: ProcessEnd, work: Work, name: str) -> str:
    """How it ended, for people."""
    short = name if len(name) <= MAX_NAME else f"{name[: MAX_NAME - 1]}…"
    what = f"`{short.splitlines()[0] if short else ''}`"
    if end.survivors:
        what = f"{what} (of which processes could not be ended: {', '.join(map(str, end.survivors))})"
    if end.ended_by is not EndedBy.ITSELF:
        return f"{what} {_WHY[end.ended_by](work)}"
    if end.signal is not None:
        return f"{what} was killed by signal {end.signal}{_name_of(end.signal)}"
    return f"{what} ended with exit code {end.exit_code}"


def _name_of(number: int) -> str:
    try:
        return f" ({signal.Signals(number).name})"
    except ValueError:
        return ""


def last_words(end: ProcessEnd) -> str:
    """The last lines of its error output, or of its output where it left no other, to be put behind a sentence."""
    for data in (end.stderr, end.stdout):
        if text := data.decode(errors="replace").strip():
            return f":\n{_last_lines(text)}"
    return ""


def _last_lines(text: str) -> str:
    if len(text) <= MAX_QUOTED:
        return text
    cut = text[-MAX_QUOTED:]
    return cut[cut.find("\n") + 1 :] if "\n" in cut else cut


def text_of(data: bytes, total: int) -> str:
    """Output as text, without the end of its last line, as a shell's `$(…)` has it."""
    if total > len(data):  # cut, maybe in the middle of a character
        data = data[:4].lstrip(bytes(range(0x80, 0xC0))) + data[4:]
    return data.decode(errors="replace").rstrip("\r\n")


def facts_of(end: ProcessEnd) -> dict[str, Any]:
    """What else is to be told of an end: whatever was cut, dropped, swept away, or left."""
    facts: dict[str, Any] = {
        "output_truncated_bytes": end.stdout_total - len(end.stdout),
        "log_dropped_bytes": end.log_dropped,
        "leftover_processes_ended": end.swept,
        "survivors": list(end.survivors),
    }
    return {name: fact for name, fact in facts.items() if fact} or nothing()
