"""An interrupt that comes while we are still importing, or while the loop is being made or taken apart.

Python raises it as KeyboardInterrupt wherever it happens to be. In the callback of a weak reference, of which every
import has one, that is printed or dropped and goes no further: the command would go on as if nobody had pressed a key.
So the interrupt is remembered as well, the loop is not begun over it, and what Python would print of it is not shown.
In the middle of a loop that is being made, or closed, it would leave half of one behind, which says so: there it has to
wait for a moment.
"""

import signal
import sys
from types import FrameType

_come: list[int] = []
_masks: list[set[signal.Signals | int]] = []


def remember() -> None:
    """Remember interrupts from now on, unless our parent ignores them for us or somebody handles them already."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupt)


def hand_over() -> None:
    """Keep interrupts for the loop that is about to begin; raises KeyboardInterrupt if one has come already."""
    if signal.getsignal(signal.SIGINT) is _interrupt:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if _come:
        raise KeyboardInterrupt
    hold_back()


def hold_back() -> None:
    """Have interrupts wait: the loop does not listen yet, or will not for much longer."""
    _masks.append(signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT}))


def let_through() -> None:
    """Let come what has waited: the loop listens, or there is none; nothing if that is so already."""
    while _masks:
        signal.pthread_sigmask(signal.SIG_SETMASK, _masks.pop())


def _interrupt(number: int, frame: FrameType | None) -> None:
    _come.append(number)
    sys.unraisablehook = _keep_quiet
    signal.default_int_handler(number, frame)


def _keep_quiet(dropped: "sys.UnraisableHookArgs") -> None:
    if not issubclass(dropped.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(dropped)
