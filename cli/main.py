"""The entry of the command line: the version before anything heavy, then the commands, their errors, and the loop.

Edges survived: streams that are closed, full or dead; an interrupt at any moment, also while we are still importing.
What stands at the top here is paid for by `orch version`, so it is next to nothing: not even `typing`.
"""

import os
import sys

from cli import streams

TYPE_CHECKING = False  # taken for True by type checkers
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from typing import Any, TypeVar

    from cli.interrupts import Interrupts

    T = TypeVar("T")

FAULT = 1
INTERRUPTED = 130


class Signalled(BaseException):
    """A signal ended a command that had no run to end; not an error, and nothing on the way may take it for one."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def main() -> int:
    """Do what the command line says and return the exit code."""
    streams.adopt()
    try:
        if sys.argv[1:] in (["version"], ["--version"]):
            from orchestration._version import __version__

            sys.stdout.write(f"orch {__version__}\n")
            return _code_after_writing(0)
        return _code_after_writing(_run(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.stderr.write("orch: interrupted\n")
        return INTERRUPTED


def _run(arguments: "Sequence[str]") -> int:
    from cli.session import Session

    session = Session(environment=dict(os.environ))
    try:
        from cli.app import application

        answer = application().main(list(arguments), prog_name="orch", standalone_mode=False, obj=session)
    except Signalled as signalled:
        return 128 + signalled.number
    except Exception as error:  # noqa: BLE001  # the last place that can turn an error into a message
        session.json = session.json or _asks_for_json(arguments)
        from cli.problems import report

        return report(error, session, arguments)
    return answer if isinstance(answer, int) else 0


def _asks_for_json(arguments: "Sequence[str]") -> bool:
    """Whether `--json` was asked for on a command line that may not have been understood."""
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    return "--json" in options


def _code_after_writing(code: int) -> int:
    """The exit code, unless the data could not be written for a reason that is not the reader's choice."""
    failure = streams.failure_of(sys.stdout)
    if failure is None:
        return code
    sys.stderr.write(f"orch: cannot write the output: {failure.strerror}; free some space or write elsewhere\n")
    return code or FAULT


def drive(work: "Callable[[Interrupts], Coroutine[Any, Any, T]]") -> "T":
    """Run the asynchronous part of a command; every command that has one comes through here.

    Raises:
        Signalled: a signal ended it.
    """
    import asyncio

    from cli.interrupts import Interrupts

    interrupts = Interrupts()

    async def listening() -> "T":
        interrupts.listen()
        return await work(interrupts)

    try:
        return asyncio.run(listening())  # noqa: TID251  # this is the entry point that the rule speaks of
    except asyncio.CancelledError:
        if interrupts.signal is None:
            raise
        raise Signalled(interrupts.signal) from None
