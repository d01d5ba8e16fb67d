"""What INT, TERM and HUP do to a command.

Edges survived: a signal while a run goes on and while none does, impatience, a shell that hangs up twice, and signals
that our parent ignores for us (`nohup`, a background job of a script), which stay ignored.
"""

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
ENDING: Final = "ending: running tasks are being stopped; press Ctrl-C again to kill them at once"
KILLING: Final = "killing what still runs"


class Interrupts:
    """What INT, TERM and HUP mean while the loop runs; `signal` is the first one that came.

    With nothing to end, the command itself is cancelled. While a run goes on, the first signal ends it gracefully, a
    second at once, and a third gives up waiting for that. A hang-up comes twice from most shells: it never counts as
    impatience.
    """

    def __init__(self) -> None:
        self.signal: int | None = None
        self._task: asyncio.Task[Any] | None = None
        self._stop: Callable[..., None] | None = None
        self._note: Callable[[str], None] | None = None
        self._stopped = 0

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
        """Do what the signal asks for; called in the loop."""
        first = self.signal is None
        self.signal = self.signal if self.signal is not None else number
        if self._stop is None or self._note is None:
            self._cancel()
        elif first:
            self._note(ENDING)
            self._stop(f"signal {number}")
        elif number != signal.SIGHUP:
            self._stopped += 1
            if self._stopped > 1:
                self._cancel()
                return
            self._note(KILLING)
            self._stop(f"signal {number}", now=True)

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()
