"""Whether an event is meant: `{path: condition}`, all of which must hold.

A plain value asks for equality, a list for one of several, and a mapping says it in words: `equals`, `in`, `regex`,
`exists`, `not`. Where a path leads to several values, one that fits is enough. True is never equal to 1.
"""

import re
from collections.abc import Mapping
from typing import Any, Final, Protocol

from orchestration.adapters.paths import Path, path_of
from orchestration.graph import nearest
from orchestration.records import dataclass

_WORDS: Final = ("equals", "in", "regex", "exists", "not")
Groups = dict[str, str]

MAX_MATCHED: Final = 16 * 1024
"""Characters in which a regular expression is looked for: a line may have megabytes, and patterns may be slow."""


class Condition(Protocol):
    """What the values under a path must be."""

    def fits(self, found: list[Any], groups: Groups) -> bool:
        """Whether they are; named groups of regular expressions are added to `groups`."""
        ...


@dataclass(frozen=True, slots=True)
class _OneOf:
    wanted: tuple[Any, ...]

    def fits(self, found: list[Any], groups: Groups) -> bool:
        del groups
        for value in found:
            for one in self.wanted:
                if _same(value, one):
                    return True
        return False


@dataclass(frozen=True, slots=True)
class _Regex:
    pattern: re.Pattern[str]

    def fits(self, found: list[Any], groups: Groups) -> bool:
        for value in found:
            match = self.pattern.search(_text(value), 0, MAX_MATCHED)
            if match is not None:
                if self.pattern.groupindex:
                    groups.update({name: text for name, text in match.groupdict().items() if text is not None})
                return True
        return False


@dataclass(frozen=True, slots=True)
class _Exists:
    wanted: bool

    def fits(self, found: list[Any], groups: Groups) -> bool:
        del groups
        return bool(found) is self.wanted


@dataclass(frozen=True, slots=True)
class _Not:
    inner: Condition

    def fits(self, found: list[Any], groups: Groups) -> bool:
        del groups
        return not self.inner.fits(found, {})


@dataclass(frozen=True, slots=True)
class _All:
    parts: tuple[Condition, ...]

    def fits(self, found: list[Any], groups: Groups) -> bool:
        return all(part.fits(found, groups) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Match:
    """Paths with their conditions; without any, everything fits."""

    parts: tuple[tuple[Path, Condition], ...] = ()

    def fits(self, event: Any, groups: Groups | None = None) -> bool:  # noqa: ANN401  # any JSON
        """Whether all conditions hold for the event."""
        into: Groups = {} if groups is None else groups
        for path, condition in self.parts:  # noqa: SIM110  # a plain loop: this is asked for every rule and line
            if not condition.fits(path.find(event), into):
                return False
        return True


ANYTHING: Final = Match()


def match_of(written: object) -> Match:
    """Take `{path: condition}` apart.

    Raises:
        ValueError: something in it is no path or no condition.
    """
    if isinstance(written, Match):
        return written
    if not isinstance(written, Mapping):
        raise ValueError("write `path: condition` lines, such as `type: result`")  # noqa: TRY004  # pydantic wants this kind
    return Match(tuple((path_of(path), _condition(wanted)) for path, wanted in written.items()))


def _condition(written: object) -> Condition:
    if isinstance(written, list):
        return _OneOf(tuple(written))
    if not isinstance(written, Mapping):
        return _Exists(wanted=False) if written is None else _OneOf((written,))
    parts = tuple(_worded(word, value) for word, value in written.items())
    if not parts:
        raise ValueError(f"an empty condition; it may hold {', '.join(_WORDS)}")
    return parts[0] if len(parts) == 1 else _All(parts)


def _worded(word: str, value: Any) -> Condition:  # noqa: ANN401  # whatever was written
    if word == "equals":
        return _OneOf((value,))
    if word == "in" and isinstance(value, list):
        return _OneOf(tuple(value))
    if word == "regex" and isinstance(value, str):
        return _Regex(regex_of(value))
    if word == "exists" and isinstance(value, bool):
        return _Exists(value)
    if word == "not":
        return _Not(_condition(value))
    if word in _WORDS:
        raise ValueError(f"`{word}` cannot be {value!r:.60}")
    hint = nearest(word, _WORDS) or f"known: {', '.join(_WORDS)}"
    raise ValueError(f"there is no condition {word!r:.60}; {hint}")


def regex_of(written: object) -> re.Pattern[str]:
    """Compile a regular expression, once for all events.

    Raises:
        ValueError: it is none.
    """
    if isinstance(written, re.Pattern):
        return written
    if not isinstance(written, str):
        raise ValueError("a regular expression is text; put it in single quotes")  # noqa: TRY004  # pydantic wants this kind
    try:
        return re.compile(written)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"{written!r:.80} is no regular expression: {error}") from error


def _same(value: object, wanted: object) -> bool:
    if isinstance(value, bool) or isinstance(wanted, bool):
        return value is wanted
    return value == wanted


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else ""
