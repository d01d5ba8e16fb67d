"""Many events → one value: the last, the first, the sum, or the text since something happened.

Each source of a value keeps only what its reducer needs, within bounds. Where a value has several sources, the first
that has anything to say is asked.
"""

from typing import Any, Final

from orchestration.adapters.form import Source
from orchestration.adapters.numbers import number

MAX_TEXT: Final = 4 * 1024 * 1024
"""Characters of an answer that are kept; more is no answer but a flood, and the log has it all."""

MAX_KEYS: Final = 100_000
"""Different keys that `dedupe_by` remembers; an agent that has more steps than this counts some of them twice."""


class Gathered:
    """What one source has seen so far."""

    __slots__ = ("_keys", "_parts", "_size", "_source", "_sum", "_value")

    def __init__(self, source: Source) -> None:
        self._source = source
        self._value: Any = None
        self._sum: float | None = None
        self._parts: list[str] = []
        self._size = 0
        self._keys: set[str] = set()

    def see(self, word: str, event: Any) -> None:  # noqa: ANN401  # any JSON
        """Take in one event that has got its word."""
        if word in self._source.since:
            self.forget()
        if word not in self._source.event or self._is_known(event):
            return
        found = self._source.path.find(event)
        if not found:
            return
        match self._source.reduce:
            case "first":
                self._value = found[0] if self._value is None else self._value
            case "last":
                self._value = found[-1] if len(found) == 1 else found
            case "sum":
                numbers = [one for value in found if (one := number(value)) is not None]
                if numbers:
                    self._sum = (self._sum or 0.0) + sum(numbers)
            case _:
                self._add(self._source.join.join(text for text in map(text_of, found) if text))

    def value(self) -> Any:  # noqa: ANN401  # any JSON
        """What came of them, or None."""
        match self._source.reduce:
            case "sum":
                return self._sum
            case "last" | "first":
                return self._value
            case _:
                return self._source.join.join(self._parts) if self._parts else None

    def _add(self, text: str) -> None:
        if self._size < MAX_TEXT:
            self._parts.append(text[: MAX_TEXT - self._size])
            self._size += len(text)

    def _is_known(self, event: Any) -> bool:  # noqa: ANN401  # any JSON
        if self._source.dedupe_by is None:
            return False
        key = repr(self._source.dedupe_by.first(event))[:200]
        if key in self._keys:
            return True
        if len(self._keys) < MAX_KEYS:
            self._keys.add(key)
        return False

    def forget(self) -> None:
        """Begin anew."""
        self._value, self._sum, self._size = None, None, 0
        self._parts.clear()
        self._keys.clear()


class Value:
    """A value with its sources in order of preference."""

    __slots__ = ("_sources", "words")

    def __init__(self, sources: tuple[Source, ...]) -> None:
        self._sources = [Gathered(source) for source in sources]
        self.words = frozenset(word for source in sources for word in (*source.event, *source.since))

    def see(self, word: str, event: Any) -> None:  # noqa: ANN401  # any JSON
        """Take in one event that has got its word."""
        for source in self._sources:
            source.see(word, event)

    def forget(self) -> None:
        """Begin anew."""
        for source in self._sources:
            source.forget()

    def text(self, join: str = "") -> str:
        """The first source's text that is not empty."""
        for source in self._sources:
            value = source.value()
            text = join.join(map(text_of, value)) if isinstance(value, list) else text_of(value)
            if text.strip():
                return clean(text)
        return ""

    def number(self) -> float | None:
        """The first source's number."""
        for source in self._sources:
            if (found := number(source.value())) is not None:
                return found
        return None


def text_of(value: object) -> str:
    """A value as text: text itself, a number or truth as JSON has it, nothing for anything larger."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else ""


def clean(text: str) -> str:
    """Text that every file and database takes: no halves of surrogate pairs, no NUL characters."""
    if not text.isascii():
        text = text.encode("utf-8", "replace").decode("utf-8")
    return text.replace("\0", "\ufffd") if "\0" in text else text
