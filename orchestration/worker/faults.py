"""An exception of a user's function → one sentence and a traceback, both without the frames that are ours.

Edges survived: exceptions whose text cannot be made, chains and groups of exceptions, tracebacks as deep as the
recursion limit, text that is no valid Unicode, and secrets that a limit would cut in two: who knows none (a worker)
tells more than is kept (`told`), and whoever knows them masks before it is cut to size (`cut`).
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from traceback import TracebackException

MAX_TRACEBACK = 8_000  # characters: the end of it, where the reason stands
MAX_FRAMES = 50  # per exception
MAX_SENTENCE = 2_000  # characters
MAX_TOLD = 256_000  # characters of either, as long as it is not masked

_ROOMS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_LIBRARY = os.path.dirname(os.__file__)
_OURS = (
    os.path.join(_ROOMS, "worker", ""),
    os.path.join(_ROOMS, "calls", ""),
    os.path.join(_ROOMS, "executors", ""),
    os.path.join(_ROOMS, "steps", ""),
    os.path.join(_LIBRARY, "asyncio", ""),
    os.path.join(_LIBRARY, "importlib", ""),
    os.path.join(_LIBRARY, "threading.py"),
    "<frozen importlib",
)


def _as_it_is(text: str) -> str:
    return text


def explained(error: BaseException, mask: Callable[[str], str] = _as_it_is) -> tuple[str, str]:
    """Say what happened and where: a sentence, and the traceback, as they are kept."""
    return cut(*told(error), mask)


def told(error: BaseException) -> tuple[str, str]:
    """The same for somebody else to mask."""
    from traceback import TracebackException  # noqa: PLC0415  # only needed when something went wrong

    found = TracebackException.from_exception(error, limit=-MAX_FRAMES)
    _leave_ours_out(found)
    sentence, traceback = _sentence(error, found), "".join(found.format())
    return clean(sentence[:MAX_TOLD]), clean(traceback[-MAX_TOLD:])


def cut(sentence: str, traceback: str, mask: Callable[[str], str] = _as_it_is) -> tuple[str, str]:
    """What was told as it is kept; each masked before its limit could cut a secret."""
    return clean(mask(sentence))[:MAX_SENTENCE], clean(mask(traceback))[-MAX_TRACEBACK:]


def exited(name: str, code: object) -> tuple[str, int]:
    """Say that a function has called `sys.exit`, and with which exit code.

    It is a failure with any code, 0 too: what a function returns is its report, and this one has not returned.
    """
    number = 0 if code is None else code
    if not isinstance(number, int):
        return f"{name} exited: {clean(str(code))}", 1  # whole, so that whoever masks it finds whole secrets
    return f"{name} exited with code {int(number)}{'' if number else ' before it returned'}", int(number)


def _sentence(error: BaseException, told: TracebackException) -> str:
    what = "".join(told.format_exception_only()).strip() if isinstance(error, SyntaxError) else _named(error)
    if not told.stack or isinstance(error, SyntaxError):
        return what
    last = told.stack[-1]
    return f"{what} ({os.path.basename(last.filename)}, line {last.lineno}, in {last.name})"


def _named(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception:  # noqa: BLE001  # a __str__ of the user's own
        text = "(its text cannot be shown)"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _leave_ours_out(told: TracebackException) -> None:
    from traceback import StackSummary  # noqa: PLC0415  # as above

    waiting, seen = [told], set()
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        one.stack = StackSummary.from_list([frame for frame in one.stack if not frame.filename.startswith(_OURS)])
        waiting += [other for other in (one.__cause__, one.__context__, *(one.exceptions or ())) if other is not None]


def clean(text: str) -> str:
    """Text that can be written as UTF-8, whatever bytes it was made of."""
    return text.encode("utf-8", "backslashreplace").decode()
