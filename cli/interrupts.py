"""What INT, TERM and HUP do to a command.

Edges survived: a signal while a run goes on and while none does, impatience, a shell that hangs up twice, one request
that arrives twice (`timeout` tells its child and then the whole group; a program around us hands on what the terminal
has sent us as well), and signals that our parent ignores for us (`nohup`, a background job of a script), which stay
ignored.
"""

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
ENDING: Final = "ending: running tasks are being stopped; press Ctrl-C again to kill them at once"
KILLING: Final = "killing what still runs"

ECHO: Final = 0.03
"""Seconds between a signal and what is done about it; the same one once more in that time is the same request."""


class Interrupts:
    """What INT, TERM and HUP mean while the loop runs; `signal` is the first one that came.

    With nothing to end, the command itself is cancelled. While a run goes on, the first signal ends it gracefully, a
    second at once, and a third gives up waiting for that. A hang-up comes twice from most shells: it never counts as
    impatience, and neither does what comes again before anybody could be told of the first.
    """

    def __init__(self) -> None:
        self.signal: int | None = None
        self._task: asyncio.Task[Any] | None = None
        self._stop: Callable[..., None] | None = None
        self._note: Callable[[str], None] | None = None
        self._stopped = 0
        self._heard: int | None = None
        self._timer: asyncio.TimerHandle | None = None

    def listen(self) -> None:
        """Take over the signals, in the running loop."""
        self._task = asyncio.current_task()
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                loop.add_signal_handler(number, self.on_signal, int(number))

    @contextmanager
    def end(self, stop: Callable[..., None], note: Callable[[str], None]) -> Iterator[None]:
        """While this is open, signals end a run by `stop(cause, now=…)` and say so by `note`."""
        self._stop, self._note = stop, note
        try:
            yield
        finally:
            self._stop = None

    def on_signal(self, number: int) -> None:
        """Do what the signal asks for, a moment later if a run is to be ended; called in the loop."""
        self.signal = self.signal if self.signal is not None else number
        if number == self._heard:
            return
        self._answer()
        if self._stop is None:
            self._cancel()
            return
        self._heard = number
        self._timer = asyncio.get_running_loop().call_later(ECHO, self._answer)

    def _answer(self) -> None:
        """Do what was heard last, and listen for the next."""
        number, self._heard = self._heard, None
        if self._timer is not None:
            self._timer.cancel()
        if number is not None and self._stop is not None and self._note is not None:
            self._end(number, self._stop, self._note)

    def _end(self, number: int, stop: Callable[..., None], note: Callable[[str], None]) -> None:
        if self._stopped == 0:
            note(ENDING)
            stop(f"signal {number}")
        elif number == signal.SIGHUP:
            return
        elif self._stopped == 1:
            note(KILLING)
            stop(f"signal {number}", now=True)
        else:
            self._cancel()
        self._stopped += 1

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()
