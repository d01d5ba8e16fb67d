"""What a generator yields, on its way: reported one by one, and remembered as the task's output if it is all text."""

from collections import deque
from typing import Any, Final

from orchestration.protocols import Report
from orchestration.worker.drawing import end_of_stream

MAX_TEXT: Final = 1024 * 1024
"""Characters of yielded text, the last ones, that become the output; as many as are kept of what a process prints."""


class Yielded:
    """The items of one attempt."""

    def __init__(self, report: Report) -> None:
        """`report` gets every item, unchanged."""
        self._report = report
        self._texts: deque[str] = deque()
        self._size = 0
        self._only_text = True
        self.count = 0
        self.dropped = 0

    async def take(self, item: Any) -> None:  # noqa: ANN401  # whatever was yielded
        """Report an item and wait until it was taken."""
        self.count += 1
        if isinstance(item, str):
            self._remember(item)
        elif end_of_stream(item) is None:
            self._only_text = False
            self._texts.clear()
        answer = self._report(item, None)
        if answer is not None:
            await answer

    @property
    def text(self) -> str | None:
        """All items together; None where there were none, or not only text."""
        return "".join(self._texts) if self._only_text and self._texts else None

    def _remember(self, text: str) -> None:
        if not self._only_text:
            return
        self._texts.append(text)
        self._size += len(text)
        while self._size > MAX_TEXT and len(self._texts) > 1:
            self._size -= len(self._texts[0])
            self.dropped += len(self._texts.popleft())
