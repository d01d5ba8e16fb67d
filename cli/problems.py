"""Errors → what a person reads on standard error, what a program reads on standard output, and the exit code.

The last line says what is wrong and what to do. Edges survived: several problems at once, errors inside exception
groups, Typer's own words about a command line, files that cannot be read, and faults of ours, which cost one line
instead of a page of traceback.
"""

import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any, Final

from cli.render.clean import clean_line
from cli.render.envelope import for_stream
from cli.session import DEBUG_VARIABLE, Session
from orchestration.errors import OrchError, UsageError
from orchestration.exporting.envelope import envelope, error_data

REMEDIES: Final = {
    "invalid_project": "change what stands there; `orch schema` prints what may be written",
    "store": "see `orch status`; the state is in .orchestration/",
    "unknown_task": "`orch list` lists the tasks",
    "wrong_state": "`orch status` shows how far everything is",
}
"""Code of an error → what to do where the error itself does not know better."""


def report(error: Exception, session: Session, arguments: Sequence[str]) -> int:
    """Say what went wrong with a command line and return the exit code."""
    told = _for_people(error, session, arguments)
    if session.json:
        give_error(told)
    for line in _lines_of(told):
        sys.stderr.write(f"{line}\n")
    return told.exit_code


def give_error(error: OrchError) -> None:
    """Print the document that a program gets instead of data."""
    sys.stdout.write(for_stream(envelope("error", {**error_data(error), "hint": _remedy(error)}), sys.stdout) + "\n")
    sys.stdout.flush()


def _lines_of(error: OrchError) -> Iterator[str]:
    """All problems, then what is wrong and what to do, on the last line."""
    several = len(error.problems) > 1
    if several:
        yield from (clean_line(str(problem)) for problem in error.problems)
    hint = _remedy(error)
    yield f"orch: {clean_line(f'{error} ({hint})' if hint else str(error))}"


def _remedy(error: OrchError) -> str | None:
    """What to do about it."""
    only = error.problems[0].hint if len(error.problems) == 1 else None
    return error.hint or only or REMEDIES.get(error.code)


def _for_people(error: BaseException, session: Session, arguments: Sequence[str]) -> OrchError:
    """The error as one that has a message, a hint and an exit code."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    if isinstance(error, OrchError):
        return error
    if _is_of_typer(error):
        return _usage_error(error, arguments)
    if session.is_debugging:
        import traceback

        sys.stderr.write("".join(traceback.format_exception(error)))
    if isinstance(error, OSError) and error.filename is not None:
        return UsageError(f"{error.strerror}", file=os.fsdecode(error.filename), hint="check the path and its rights")
    fault = OrchError(
        f"internal error: {type(error).__name__}: {error}",
        hint=f"this is a fault of orch; {DEBUG_VARIABLE}=1 shows where, please report it",
    )
    fault.code = "internal"
    return fault


def _is_of_typer(error: BaseException) -> bool:
    """Whether it is Typer's own word about the command line; its base class has moved between versions."""
    import typer

    bases = {kind for kind in typer.BadParameter.__mro__ if kind.__name__ in {"UsageError", "ClickException"}}
    return isinstance(error, (*bases, typer.Abort))


def _usage_error(error: Any, arguments: Sequence[str]) -> OrchError:  # noqa: ANN401  # Typer's, of whichever version
    from cli.app import COMMANDS

    context = getattr(error, "ctx", None)
    named = next((f"orch {word}" for word in arguments if word in COMMANDS), "orch")
    command = context.command_path if context is not None else named
    hint = f"{command} --help shows what it takes"
    if near := getattr(error, "possibilities", None):
        hint = f"did you mean {' or '.join(sorted(near))}? {hint}"
        return UsageError(f"no such option: {error.option_name}", hint=hint)
    message = error.format_message() if hasattr(error, "format_message") else "aborted"
    return UsageError(message[:1].lower() + message[1:].rstrip("."), hint=hint)
