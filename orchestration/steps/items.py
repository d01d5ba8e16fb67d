"""What a generator yields, on its way: told one by one as it comes, and what its end says.

The item whose `type` is the end type carries the returns; it is told like every other one, and nothing is drawn after
it. Text items together are the value where there is no such item. Items of a generator in a thread are handed over to
the loop, and the thread waits until they were taken.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Generator, Mapping
from typing import TYPE_CHECKING, Any, Final

from orchestration.calls import generation, leave_instead_of_waiting
from orchestration.protocols import Reporting
from orchestration.steps.logs import StepLog
from orchestration.steps.returns import BadReturn, Returned

if TYPE_CHECKING:
    from orchestration.calls import Drive, Ended, HandOver
    from orchestration.steps.hiding import Hiding

MAX_TEXT: Final = 1024 * 1024
"""Characters of yielded text, the last ones, that become the output; what later steps are given stays whole."""

BREATH: Final = 0.004
"""Seconds after which others in the loop have a turn, for there are generators that never wait for anything."""

_NOTHING: Final = object()


class ListenerFault(Exception):
    """Whoever takes the items failed; that is no fault of the function's."""

    def __init__(self, error: Exception) -> None:
        """Keep what it raised."""
        super().__init__(str(error))
        self.error = error


class Items:
    """The items of one attempt, and what came of it."""

    def __init__(
        self,
        report: Reporting,
        end_type: str,
        log: StepLog | None,
        hiding: "Hiding | None" = None,
        *,
        expected: bool = False,
        whole: bool = False,
        name: str = "",
    ) -> None:
        """None yet.

        `expected` says whether they have to make a return, `whole` whether their text is kept whole, however long it
        is, and `name` whose they are.
        """
        self._generation = generation()
        self._report = report
        self._hiding = hiding
        self._end_type = end_type
        self._log = log
        self._texts: deque[str] = deque()
        self._size = 0
        self._expected = expected
        self._whole = whole or expected
        self.dropped = 0
        self._count = 0
        self._breathed = 0.0
        self._only_text = True
        self._end: Mapping[str, Any] | None = None
        self.name = name
        self.drive: Drive | None = None
        self.handing: HandOver | None = None
        self.thread: asyncio.Future[Ended] | None = None
        self.is_abandoned = False

    # -- drawing ------------------------------------------------------------------------------------------------

    async def drawn(self, items: AsyncIterator[Any]) -> Any:  # noqa: ANN401  # nothing, or that there was no end
        """Draw all items of an async generator, up to the one that says it is the last."""
        self._count = 0
        try:
            async for item in items:
                await self.take(item)
                if self._end is not None:
                    return None
        finally:
            close = getattr(items, "aclose", None)
            if close is not None:
                await close()
        return _NOTHING

    def drawn_in_thread(self, items: Generator[Any, Any, Any], handing: "HandOver") -> Any:  # noqa: ANN401  # what it returns
        """The same in a thread, which waits for the loop to take each item."""
        try:
            while True:
                try:
                    item = next(items)
                except StopIteration as stop:
                    return _NOTHING if stop.value is None else stop.value
                handing.give(item, self.take)
                if self._end is not None:
                    return None
        finally:
            items.close()

    def abandon(self) -> None:
        """Nobody waits for the thread any more; its next item ends it."""
        self.is_abandoned = True
        if self.handing is not None:
            self.handing.abandon()

    async def take(self, item: Any) -> None:  # noqa: ANN401  # whatever was yielded
        """Tell one item."""
        leave_instead_of_waiting(self._generation)
        self._count += 1
        self._note(item)
        if self.drive is not None:
            self.drive.hold()
        await self._tell(item, None)
        if self.drive is not None:
            self.drive.heard()
        now = time.monotonic()
        if now - self._breathed > BREATH:
            await asyncio.sleep(0)
            self._breathed = time.monotonic()

    def _note(self, item: Any) -> None:  # noqa: ANN401  # as above
        if isinstance(item, str):
            self._remember(item)
            return
        if isinstance(item, Mapping) and item.get("type") == self._end_type:
            self._end = {key: value for key, value in item.items() if key != "type"}
        else:
            self._only_text = False
            self._texts.clear()

    def _remember(self, text: str) -> None:
        if not self._only_text:
            return
        self._texts.append(text)
        self._size += len(text)
        while self._size > MAX_TEXT and len(self._texts) > 1 and not self._whole:
            dropped = len(self._texts.popleft())
            self._size -= dropped
            self.dropped += dropped

    async def _tell(self, item: Any, stream: str | None) -> None:  # noqa: ANN401  # as above
        try:
            if self._hiding is not None:
                item = self._hiding.value(item)
            if self._log is not None and stream is None:  # what is printed is there already
                self._log.keep(item)
            answer = self._report(item, stream)
            if answer is not None:
                await answer
        except Exception as error:
            raise ListenerFault(error) from error

    async def tell_printed(self, text: str) -> None:
        """Tell what the function printed."""
        try:
            await self._tell(text, "stdout")
        except ListenerFault as fault:
            raise fault.error from None

    @property
    def are_none(self) -> bool:
        """Whether nothing was yielded."""
        return self._count == 0 and self._end is None

    def mask(self, text: str) -> str:
        """A text without secrets."""
        return text if self._hiding is None else self._hiding.text(text)

    # -- what came of it ----------------------------------------------------------------------------------------

    @property
    def text(self) -> str | None:
        """All text items together; None where there were none, or others too."""
        return "".join(self._texts) if self._only_text and self._texts else None

    @property
    def log_path(self) -> str | None:
        """Where what it yielded is kept, None where it is not."""
        return None if self._log is None else self._log.path

    def returned(self, value: Any) -> Returned:  # noqa: ANN401  # whatever came of the call
        """What the function returned.

        Raises:
            BadReturn: a generator has ended without saying what it returns.
        """
        if self._end is not None:
            return Returned(self._end, is_end_event=True)
        if value is not _NOTHING:
            return Returned(value)
        if self.text is not None:
            return Returned(self.text)
        if not self._expected:
            return Returned(None)
        what = "yielded nothing" if not self._count else f"ended without an item of type {self._end_type!r}"
        raise BadReturn(f"it {what}, so that what it returns is not known")
