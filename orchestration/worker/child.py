"""The child: reads what to call on stdin, calls it, and tells what came of it on stdout, between the function's prints.

The messages are JSON objects: `{"item": …}` for each item that a generator yields, then exactly one of `{"done":
{"output", "outputs"}}` and `{"failed": {"failure", "error", "hint", "traceback"}}`. No last message: the process ended
in the middle.

Edges survived: prints that would stay in a buffer, a function that reads stdin or closes stdout, one that exits, one
that is asked to end (TERM becomes an exit, so that `finally` runs), a project with a package named as ours, an
exception while the module is imported.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from types import GeneratorType

from orchestration.worker.calling import (
    CannotCall,
    NotJson,
    arguments,
    dumped,
    imported,
    json_bytes,
    passed_on,
)
from orchestration.worker.drawing import drawn, is_pending, settled
from orchestration.worker.faults import clean, exited, told
from orchestration.worker.frames import BadMessage, Writer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any

TERMINATED = 128 + signal.SIGTERM


def main() -> None:
    """Do what stdin asks for; ends the process with the exit code that belongs to the result."""
    document = _request()
    writer = Writer(_own_stdout(), document["token"].encode("ascii"))
    _make_surroundings(document["directory"], document["function"])
    sys.exit(_Call(document, writer).run())


def _request() -> dict[str, Any]:
    """Read stdin to its end, so that the function finds nothing there to wait for."""
    with open(0, "rb", closefd=False) as stdin:
        document: dict[str, Any] = json.load(stdin)
    return document


def _own_stdout() -> int:
    """A way to stdout that stays whatever the function does to its own, and that its children do not get."""
    return os.dup(1)


def _make_surroundings(directory: str, function: str) -> None:
    signal.signal(signal.SIGTERM, _exit)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)  # type: ignore[union-attr]
    sys.argv = [function]
    sys.path.insert(0, directory)
    for name in [name for name in sys.modules if name.partition(".")[0] == "orchestration"]:
        del sys.modules[name]  # a project may have a package of this name; ours is in use, but not in its way


def _exit(_number: int, _frame: FrameType | None) -> None:
    sys.exit(TERMINATED)


class _Call:
    """One call of one function."""

    def __init__(self, document: dict[str, Any], writer: Writer) -> None:
        self._document = document
        self._writer = writer
        self._items = 0

    def run(self) -> int:
        """Call, tell what came of it, and return the exit code."""
        try:
            self._tell_done(self._value())
        except SystemExit as error:
            return self._exited(error.code)
        except CannotCall as error:
            return self._tell_failed("agent_missing", error.message, hint=error.hint)
        except (NotJson, BadMessage) as error:
            return self._tell_failed("invalid_output", clean(f"{self._document['function']}: {error}"))
        except BaseException as error:  # noqa: BLE001  # whatever the user's function raises is reported
            return self._crashed(error)
        return 0

    def _value(self) -> Any:  # noqa: ANN401  # whatever the function returns
        name = self._document["function"]
        function = imported(name)
        positional, named = arguments(name, function, self._document)
        value = function(*positional, **named)
        if is_pending(value):
            import asyncio  # noqa: PLC0415  # costs more than everything else here, and only async functions need it

            return asyncio.run(settled(value, self._tell_item))  # noqa: TID251  # this is the entry point of a process
        return drawn(value, self._tell_item) if isinstance(value, GeneratorType) else value

    def _tell_item(self, item: Any) -> None:  # noqa: ANN401  # whatever was yielded
        self._items += 1
        self._writer.write(b'{"item":%s}' % json_bytes(dumped(item), f"item {self._items}"))

    def _tell_done(self, value: Any) -> None:  # noqa: ANN401  # whatever was returned
        output, outputs = passed_on(value)
        parts = b",".join(
            json_bytes(name, "the name of an output") + b":" + json_bytes(item, f"output {name!r}")
            for name, item in outputs.items()
        )
        said = json_bytes(output, "the returned text")
        _flush()
        self._writer.write(b'{"done":{"output":%s,"outputs":{%s}}}' % (said, parts))

    def _exited(self, code: Any) -> int:  # noqa: ANN401  # sys.exit takes anything
        if code is not None and not isinstance(code, int):
            print(code, file=sys.stderr)  # noqa: T201  # as Python itself would
        sentence, number = exited(self._document["function"], code)
        return self._tell_failed("exit_code", sentence, code=number)

    def _crashed(self, error: BaseException) -> int:
        sentence, traceback = told(error)
        print(traceback, end="", file=sys.stderr)  # noqa: T201  # for the log, as Python itself would
        return self._tell_failed("crashed", sentence, traceback=traceback)

    def _tell_failed(
        self, failure: str, error: str, *, code: int = 1, hint: str | None = None, traceback: str | None = None
    ) -> int:
        _flush()
        text = json.dumps({"failed": {"failure": failure, "error": error, "hint": hint, "traceback": traceback}})
        self._writer.write(text.encode("ascii"))
        return code


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, OSError, ValueError):  # the function closed it, or put something else in its place
            continue
