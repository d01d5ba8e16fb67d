"""What a call prints, kept for that call alone, without taking `sys.stdout` away from anybody.

While some run listens, the stream that is `sys.stdout` has a `write` of ours in front of its own. It looks at a context
variable: text that a call of ours prints goes to that call, also out of its threads, and everybody else's goes on to
the stream as ever. The stream itself stays where it is, and gets its own `write` back when nobody listens any more.

Edges survived: several runs at once, also in several threads; a host that replaces `sys.stdout` meanwhile (what is
printed then goes there, and ours is taken back from the stream that had it); a stream that takes no attributes (nothing
is captured then); a call that prints without end (its last part is kept, and how much was dropped is known); a child
process that a call forks (what that prints goes on to the stream).
"""

import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any, Final

from orchestration.forked import begin_anew_in_children

MAX_PRINTED: Final = 1024 * 1024
"""Characters that are kept of what one call prints, the last ones; as many as of what a process prints."""


class Printed:
    """The text that one call has printed, and whatever is to be known to all that it calls: its `situation`.

    Both stand in one context variable, for to set one takes as long as to begin a call.
    """

    situation: Any = None
    parts: deque[str] | None = None  # of the class, as most calls print nothing
    dropped = 0
    _size = 0

    def add(self, text: str) -> None:
        """Keep some text; called from any thread."""
        if self.parts is None:
            self.parts = deque()
        self.parts.append(text)
        self._size += len(text)
        while self._size > MAX_PRINTED and len(self.parts) > 1:
            first = self.parts.popleft()
            self._size -= len(first)
            self.dropped += len(first)

    def __bool__(self) -> bool:
        return bool(self.parts)

    def __str__(self) -> str:
        return "".join(self.parts or ())


class Beside(Printed):
    """Another situation in the middle of a call, or of none: what is printed goes where it would go without it."""

    def __init__(self, around: Printed | None, situation: Any) -> None:  # noqa: ANN401  # whatever it is
        """It is `around` that text goes to, None for where it always goes."""
        self.around = around
        self.situation = situation


printed_into: Final[ContextVar[Printed | None]] = ContextVar("orchestration_printed", default=None)
"""Where what is printed in this context goes; None for where it always goes."""


class _Listening:
    """Streams in front of which we stand, by identity: the stream, and how many runs listen."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.streams: dict[int, tuple[Any, int]] = {}

    def begin_anew(self) -> None:
        """See `BeginsAnew`: of what is printed in a child, nobody here would hear."""
        self.lock = threading.Lock()
        here = printed_into.get()
        if here is not None:
            printed_into.set(Beside(None, here.situation))


_LISTENING: Final = _Listening()


@contextmanager
def listening_to_prints() -> Iterator[None]:
    """Let `printed_into` decide where printed text goes, for as long as this lasts."""
    begin_anew_in_children(_LISTENING)
    stream = sys.stdout
    if stream is None or not _begin(stream):
        yield
        return
    try:
        yield
    finally:
        _end(stream)


def _begin(stream: Any) -> bool:  # noqa: ANN401  # whatever the host has put there
    with _LISTENING.lock:
        _, count = _LISTENING.streams.get(id(stream), (stream, 0))
        if not count:
            try:
                stream.write = _in_front_of(stream.write)
            except (AttributeError, TypeError):
                return False
        _LISTENING.streams[id(stream)] = (stream, count + 1)
        return True


def _end(stream: Any) -> None:  # noqa: ANN401  # as above
    with _LISTENING.lock:
        _, count = _LISTENING.streams.pop(id(stream))
        if count > 1:
            _LISTENING.streams[id(stream)] = (stream, count - 1)
        else:
            with suppress(AttributeError):
                del stream.write


def _in_front_of(write: Callable[[str], int]) -> Callable[[str], int]:
    def listened(text: str) -> int:
        into = printed_into.get()
        while isinstance(into, Beside):
            into = into.around
        if into is None or not isinstance(text, str):
            return write(text)
        into.add(text)
        return len(text)

    return listened
