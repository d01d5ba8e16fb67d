"""Where in an event a value stands: `item.type`, `"a.b".c`, `content[0].text`, `parts[*].id`, or a list of steps.

A key that holds a dot goes in double quotes, or the whole path is written as a list (`[a.b, c]`). `[*]` (or `[]`, or
`*` as a step) stands for every item of a list and every value of a mapping, so one path may lead to several values.
A path that leads nowhere is no error: agents leave fields out, and change their types from one version to the next.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from orchestration.records import dataclass

MAX_FOUND: Final = 10_000
"""More values than this under one path are no fields of an event any more; the rest is not looked at."""

_STEP: Final = re.compile(
    r"""\[(?P<index>-?\d+)\] | \[(?P<every>\*?)\] | "(?P<quoted>[^"]*)" | (?P<key>[^\[\]".]+)""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Every:
    """The step that goes on with each item of a list, or each value of a mapping."""


EVERY: Final = Every()
Step = str | int | Every


@dataclass(frozen=True, slots=True)
class Path:
    """A path, taken apart; `text` is how it was written."""

    text: str
    steps: tuple[Step, ...]
    is_single: bool

    def find(self, value: Any) -> list[Any]:  # noqa: ANN401  # any JSON
        """All values under this path; explicit nulls are left out, because agents write them for "nothing"."""
        if self.is_single:
            for step in self.steps:
                value = value.get(step) if step.__class__ is str and value.__class__ is dict else _step(value, step)
                if value is None:
                    return []
            return [value]
        return _found(value, self.steps)

    def first(self, value: Any) -> Any:  # noqa: ANN401  # any JSON
        """The first value under this path, or None."""
        found = self.find(value)
        return found[0] if found else None

    def __str__(self) -> str:
        """As it was written."""
        return self.text


def path_of(written: object) -> Path:
    """Take a path apart.

    Raises:
        ValueError: it is none; the message says what is wrong with it.
    """
    if isinstance(written, Path):
        return written
    if isinstance(written, list | tuple):
        steps = tuple(_listed(step) for step in written)
        text = ".".join(map(str, written))
    elif isinstance(written, str):
        text, steps = written, tuple(_steps(written))
    else:
        raise ValueError("a path is text such as item.type, or a list of keys; put numbers in brackets")  # noqa: TRY004  # pydantic wants this kind
    if not steps:
        raise ValueError("an empty path leads nowhere; name a field")
    return Path(text, steps, all(not isinstance(step, Every) for step in steps))


def _listed(step: object) -> Step:
    if step == "*":
        return EVERY
    if isinstance(step, bool) or not isinstance(step, str | int):
        raise ValueError("the steps of a path are keys, positions and *")  # noqa: TRY004  # pydantic wants this kind
    return step


def _steps(text: str) -> Iterator[Step]:
    at = 0
    while at < len(text):
        found = _STEP.match(text, at)
        if found is None:
            raise ValueError(f"{text!r} is no path: stuck at {text[at : at + 20]!r}; quote keys that hold . [ or ]")
        yield _one(found)
        at = found.end()
        if at < len(text) and text[at] == ".":
            at += 1
            if at == len(text):
                raise ValueError(f"{text!r} is no path: it ends with a dot")
        elif at < len(text) and text[at] != "[":
            raise ValueError(f"{text!r} is no path: a dot is missing before {text[at : at + 20]!r}")


def _one(found: re.Match[str]) -> Step:
    if found["index"] is not None:
        return int(found["index"])
    if found["every"] is not None or found["key"] == "*":
        return EVERY
    return found["key"] if found["quoted"] is None else found["quoted"]


def _step(value: Any, step: Step) -> Any:  # noqa: ANN401  # any JSON
    if isinstance(step, str):
        return value.get(step) if isinstance(value, dict) else None
    if isinstance(step, int) and isinstance(value, list) and -len(value) <= step < len(value):
        return value[step]
    return None


def _found(value: Any, steps: tuple[Step, ...]) -> list[Any]:  # noqa: ANN401  # any JSON
    here = [value]
    for step in steps:
        if isinstance(step, Every):
            here = [item for one in here for item in _items(one)][:MAX_FOUND]
        else:
            here = [item for one in here if (item := _step(one, step)) is not None]
    return [item for item in here if item is not None]


def _items(value: object) -> list[Any]:
    if isinstance(value, Mapping):
        return list(value.values())
    return value if isinstance(value, list) else []
