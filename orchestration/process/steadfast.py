"""Waiting that no cancellation cuts short, for those who must not leave before their work is done.

A cancelled `run_process` still has a tree of processes to end, so its waits note a cancellation and go on. Edges:

- A second and a tenth cancellation change nothing.
- `asyncio.run` cancels every task at its end, inner ones too: all waits of this room are of this kind.
- anyio delivers a cancellation again on every turn of the loop until the scope is left. Without a shield of anyio's own
  that would spin a whole core for the length of the grace. Only who has imported anyio can have such a scope around us,
  so it is taken from there and never imported here.
- `asyncio.wait_for` can swallow a cancellation on 3.11, so a limit is a timer that sets the event.
"""

import asyncio
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import cast


def _shield() -> AbstractContextManager[object]:
    anyio = sys.modules.get("anyio")
    return nullcontext() if anyio is None else cast("AbstractContextManager[object]", anyio.CancelScope(shield=True))


class Steadfast:
    """Waits for events; keeps the first cancellation for whoever may raise it in the end."""

    __slots__ = ("_on_cancel", "cancellation")

    def __init__(self, on_cancel: Callable[[], None] | None = None) -> None:
        """`on_cancel` is called, once, when the first cancellation comes."""
        self.cancellation: asyncio.CancelledError | None = None
        self._on_cancel = on_cancel

    async def wait_for(self, event: asyncio.Event, seconds: float | None = None) -> None:
        """Wait until the event is set; after `seconds` it is set by us, so ask the facts, not the event."""
        timer = None if seconds is None else asyncio.get_running_loop().call_later(seconds, event.set)
        try:
            if self.cancellation is None:
                await event.wait()
        except asyncio.CancelledError as error:
            self._note(error)
        try:
            if not event.is_set():
                await self._wait_shielded(event)
        finally:
            if timer is not None:
                timer.cancel()

    def release(self) -> None:
        """Let go of whoever was to be told, so that no ring of references is left for the collector."""
        self._on_cancel = None

    async def _wait_shielded(self, event: asyncio.Event) -> None:
        with _shield():
            while not event.is_set():
                try:
                    await event.wait()
                except asyncio.CancelledError as error:
                    self._note(error)

    def _note(self, error: asyncio.CancelledError) -> None:
        if self.cancellation is None:
            self.cancellation = error
            if self._on_cancel is not None:
                self._on_cancel()
