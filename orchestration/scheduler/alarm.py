"""The alarm of a run: rings when the next retry is due or pause ends, because slots that sleep look at no clock."""

import asyncio
from collections.abc import Callable

from orchestration.scheduler.recorder import Recorder


class Alarm:
    """Rings once for the plan's next moment, whenever it is set.

    Args:
        recorder: whose plan and clock.
        ring: called when the moment has come.
    """

    __slots__ = ("_at", "_handle", "_loop", "_plan", "_recorder", "_ring")

    def __init__(self, recorder: Recorder, ring: Callable[[], None]) -> None:
        """It is not set; must be made inside the loop."""
        self._recorder = recorder
        self._plan = recorder.plan
        self._ring = ring
        self._loop = asyncio.get_running_loop()
        self._at: float | None = None
        self._handle: asyncio.TimerHandle | None = None

    def set(self) -> None:
        """Ring at the plan's next moment, and at no other."""
        if self._at is None and not self._plan.waits_for_times:
            return  # nearly always
        wake_at = self._plan.wake_at(self._recorder.now())
        if wake_at == self._at:
            return
        self.clear()
        if wake_at is not None:
            self._at = wake_at
            self._handle = self._loop.call_at(self._recorder.loop_time(wake_at), self._rings)

    def clear(self) -> None:
        """Do not ring."""
        self._at = None
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _rings(self) -> None:
        self.clear()
        self._ring()
