"""Which class of failure it was, by the adapter's ordered list; and when a limit ends, where the agent says it.

A class fits by fields of the latest events of a word, or by a regular expression over texts: the agent's error, its
standard error, what it printed beside its events, its answer. What an agent reported before something began anew is
forgotten: a refused request that was repeated with success is no failure.
"""

import re
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from orchestration.adapters.form import ErrorClass, Reset
from orchestration.adapters.numbers import Shown, converted
from orchestration.adapters.values import text_of
from orchestration.records import dataclass

MAX_SEARCHED: Final = 16 * 1024
"""Characters at the end of a text in which a regular expression is looked for."""

MAX_EVENTS: Final = 8
"""Events of one word that are kept, the latest first; errors come in twos and threes, not in thousands."""

LONGEST_WAIT: Final = timedelta(days=60)
"""A limit that ends later than this is not believed; some agents print the end of the subscription."""


@dataclass(frozen=True, slots=True)
class Found:
    """The class that fits, the line that said so, and when the limit ends: from now in seconds, or at a moment."""

    form: ErrorClass
    line: str | None = None
    retry_after: float | None = None
    resets_at: datetime | Shown | None = None


class Evidence:
    """Keeps the latest events of each word that some class asks for, and finds the class at the end."""

    __slots__ = ("_classes", "_events", "words")

    def __init__(self, classes: Iterable[ErrorClass]) -> None:
        self._classes = tuple(classes)
        words = {word for one in self._classes for word in one.event}
        self.words = frozenset(words | {word for one in self._classes for reset in one.reset for word in reset.event})
        self._events: dict[str, deque[Any]] = {}

    def see(self, word: str, event: Any) -> None:  # noqa: ANN401  # any JSON
        """Take in one event that has got its word."""
        self._events.setdefault(word, deque(maxlen=MAX_EVENTS)).appendleft(event)

    def forget(self) -> None:
        """Forget what went wrong before something began anew."""
        self._events.clear()

    def find(self, texts: Mapping[str, str], *, good: bool) -> Found | None:
        """The first class that fits; where all seems good, only those that count even then are asked."""
        for one in self._classes:
            if good and not one.even_when_good:
                continue
            line = _line_that_fits(one, texts)
            if line is not None or self._knows(one):
                return self._with_reset(Found(one, line), texts)
        return None

    def _knows(self, one: ErrorClass) -> bool:
        """Whether an event of one of the class's words has what the class asks for."""
        events = [event for word in one.event for event in self._events.get(word, ())]
        return any(one.match is None or one.match.fits(event) for event in events)

    def _with_reset(self, found: Found, texts: Mapping[str, str]) -> Found:
        for reset in found.form.reset:
            for written in self._written(found.form, reset, texts):
                value = converted(written, reset.how)
                if isinstance(value, datetime | Shown):
                    return replace(found, resets_at=value)
                if value is not None and value <= LONGEST_WAIT.total_seconds():
                    return replace(found, retry_after=value)
        return found

    def _written(self, one: ErrorClass, reset: Reset, texts: Mapping[str, str]) -> Iterable[object]:
        if reset.path is not None:
            for event in (event for word in reset.event or one.event for event in self._events.get(word, ())):
                values = reset.path.find(event)
                if reset.text is None:
                    yield from values
                else:
                    yield from (_group(found) for value in values if (found := reset.text.search(text_of(value))))
        elif reset.text is not None:
            for place in one.in_:
                if (found := reset.text.search(texts.get(place, "")[-MAX_SEARCHED:])) is not None:
                    yield _group(found)


def _group(found: re.Match[str]) -> str | None:
    return found[1] if found.re.groups else found[0]


def _line_that_fits(one: ErrorClass, texts: Mapping[str, str]) -> str | None:
    for place in one.in_ if one.text is not None else ():
        text = texts.get(place, "")[-MAX_SEARCHED:]
        if one.text is not None and (fit := one.text.search(text)) is not None:
            begin, end = text.rfind("\n", 0, fit.start()) + 1, text.find("\n", fit.end())
            return text[begin : None if end < 0 else end].strip()
    return None


def iso(moment: datetime) -> str:
    """A moment in UTC, as metadata have it."""
    return moment.astimezone(UTC).isoformat()
