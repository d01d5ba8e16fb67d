"""Waiting for a job in our own process, within the limits of its attempt, and ending it as far as that is possible.

Edges survived: a task that swallows its cancellation (it is given the grace, then left), one that is cancelled while it
is being ended, a listener that makes a generator wait (that silence is ours and does not count), a function that
returns once and so can show no sign of life before (only generators are judged by their silence).
"""

import asyncio
from typing import Final

from orchestration.calls.threads import Ended
from orchestration.kinds import Failure
from orchestration.process.steadfast import Steadfast
from orchestration.protocols import Work

NEVER: Final = float("inf")


class Watch:
    """The clocks of one attempt."""

    def __init__(self, work: Work) -> None:
        """The time runs from now, until `start` is called again."""
        self._work = work
        self._loop = asyncio.get_running_loop()
        self._streams = False
        self.start()

    def start(self) -> None:
        """The work starts now."""
        self._started = self._last_sign = self._loop.time()

    def stream(self) -> None:
        """The function is a generator: from now on its silence counts."""
        self._streams = True

    def hold(self) -> None:
        """The function waits for us."""
        self._last_sign = NEVER

    def release(self) -> None:
        """The function goes on, having given a sign of life."""
        self._last_sign = self._loop.time()

    async def wait_for_end(self, job: asyncio.Future[Ended]) -> Failure | None:
        """Wait until the job has ended, or say which limit it met before."""
        while not job.done():
            left, limit = min(self._limits(), default=(None, None))
            if left is not None and left <= 0:
                return limit
            await asyncio.wait({job}, timeout=left)
        return None

    def _limits(self) -> list[tuple[float, Failure]]:
        """Seconds until each limit is met, if nothing happens."""
        now, limits = self._loop.time(), []
        if self._work.timeout is not None:
            limits.append((self._started + self._work.timeout - now, Failure.TIMEOUT))
        if self._work.idle_timeout is not None:
            since = self._last_sign if self._streams and self._last_sign != NEVER else now
            limits.append((since + self._work.idle_timeout - now, Failure.IDLE_TIMEOUT))
        return limits

    def told(self, limit: Failure) -> str:
        """What the function did, when it met a limit."""
        if limit is Failure.TIMEOUT:
            return f"did not return within its timeout of {self._work.timeout:g} s"
        return f"yielded nothing for {self._work.idle_timeout:g} s"

    async def end(self, job: asyncio.Future[Ended]) -> bool:
        """End the job.

        Returns:
            Whether it ended; a thread does not.

        Raises:
            asyncio.CancelledError: we were cancelled meanwhile; the job had all of its grace.
        """
        if not isinstance(job, asyncio.Task):
            return not job.cancel()
        ended, steady = asyncio.Event(), Steadfast()
        job.add_done_callback(lambda _: ended.set())
        job.cancel()
        await steady.wait_for(ended, self._work.kill_grace)
        if steady.cancellation is not None:
            raise steady.cancellation
        return job.done()
