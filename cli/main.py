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
    from cli.session import Session

    T = TypeVar("T")

FAULT = 1
GARBAGE_AT = 50_000  # objects more than before, until Python looks for rings of garbage: some MB instead of some 100 KB
INTERRUPTED = 130
SIGNALLED = 128


class Signalled(BaseException):
    """A signal ended a command that had no run to end; not an error, and nothing on the way may take it for one."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def main() -> None:
    """Do what the command line says and leave with its exit code.

    Everything is written, closed and ended by now. So nothing is taken apart any more, which takes Python as long as a
    whole cheap command.
    """
    try:
        code = _main()
        sys.stdout.flush()
        sys.stderr.flush()
    except KeyboardInterrupt:  # before the first moment that answers one, or after the last
        code = INTERRUPTED
    os._exit(code)


def _main() -> int:
    streams.adopt()
    try:
        if sys.argv[1:] in (["version"], ["--version"]):
            from orchestration._version import __version__

            sys.stdout.write(f"orch {__version__}\n")
            return _code_after_writing(0)
        return _code_after_writing(_run(sys.argv[1:]))
    except KeyboardInterrupt:  # so early that nobody knew yet what was asked for
        return _interrupted(as_json=_asks_for_json(sys.argv[1:]))


def _run(arguments: "Sequence[str]") -> int:
    from cli import early

    early.remember()
    from cli.session import Session

    session = Session(environment=dict(os.environ))
    _start_cheaply()
    try:
        answer = _answer(arguments, session)
    except Signalled as signalled:
        return _ended_by(signalled.number, as_json=_wants_document(session, arguments))
    except KeyboardInterrupt:
        return _interrupted(as_json=_wants_document(session, arguments))
    except Exception as error:  # noqa: BLE001  # the last place that can turn an error into a message
        session.json = session.json or _asks_for_json(arguments)
        from cli.problems import report

        return report(error, session, arguments)
    return answer if isinstance(answer, int) else 0


def _answer(arguments: "Sequence[str]", session: "Session") -> object:
    from cli import lean

    reading = lean.read(arguments)
    if reading is not None:
        return lean.call(reading, session)
    from cli.app import application

    return application().main(list(arguments), prog_name="orch", standalone_mode=False, obj=session)


def _start_cheaply() -> None:
    """Look for no garbage in what is imported, for it stays, and for no plug-ins of pydantic."""
    import gc

    gc.set_threshold(GARBAGE_AT, 20, 50)
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")


def _asks_for_json(arguments: "Sequence[str]") -> bool:
    """Whether `--json` was asked for on a command line that may not have been understood."""
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    return "--json" in options


def _wants_document(session: "Session", arguments: "Sequence[str]") -> bool:
    """Whether whoever reads the output still waits for its one document."""
    return (session.json or _asks_for_json(arguments)) and not session.has_given


def _interrupted(*, as_json: bool) -> int:
    """The exit code of a command that Ctrl-C has ended where no loop listens."""
    sys.stderr.write("orch: interrupted\n")
    return _ended_by(INTERRUPTED - SIGNALLED, as_json=as_json)


def _ended_by(number: int, *, as_json: bool) -> int:
    """The exit code of a command that a signal has ended before it had a result, which a document says as well."""
    if as_json:
        import signal

        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second one would cut the document in two
        from cli.problems import give_error
        from orchestration.errors import Interrupted

        give_error(Interrupted(number))
    return SIGNALLED + number


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

    from cli import early
    from cli.interrupts import Interrupts

    interrupts = Interrupts()

    async def listening() -> "T":
        interrupts.listen()
        early.let_through()
        try:
            return await work(interrupts)
        finally:
            early.hold_back()

    early.hand_over()
    try:
        return asyncio.run(listening())  # noqa: TID251  # this is the entry point that the rule speaks of
    except asyncio.CancelledError:
        if interrupts.signal is None:
            raise
        raise Signalled(interrupts.signal) from None
    finally:
        early.let_through()
