"""A script as it was written → steps with all their fields, or a precise list of what is wrong with it.

A script is a list of steps. A step is a word (`hang`), or a mapping of one word to a value (`wait: 2`) or to fields
(`write: {path: a.txt}`). One step may stand for the list, as it does in a file that begins with `attempts:`.

Edges survived: words and fields that are misspelt (the nearest known one is named), values of the wrong type, numbers
without bounds, lists within lists without end, a script that is no list at all.
"""

from __future__ import annotations

from orchestration.scripted.steps import REQUIRED, STEPS, Field, Step
from orchestration.scripted.tricks import TRICKS
from orchestration.scripted.values import KINDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

MAX_DEPTH = 10  # lists within lists; a person loses the thread much earlier
MAX_SHOWN = 60  # characters of a wrong value in a message


class Wrong(ValueError):
    """One thing in a script makes no sense: `where` is its place, `problem` a sentence, `hint` what to do, or None."""

    def __init__(self, where: str, problem: str, hint: str | None = None) -> None:
        super().__init__(f"{where}: {problem}" + (f" ({hint})" if hint else ""))
        self.where = where
        self.problem = problem
        self.hint = hint


class BadScript(ValueError):
    """A script makes no sense; `problems` has one entry for each thing that is wrong, and the text is all of them."""

    def __init__(self, problems: Sequence[Wrong]) -> None:
        super().__init__("; ".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


def problems_of(script: object, where: str = "script") -> list[Wrong]:
    """Everything that is wrong with a script, in the order in which it stands there.

    Args:
        script: What was written: a list of steps, or one step.
        where: How its place is called in the messages.
    """
    problems: list[Wrong] = []
    _Reader(problems).steps(script, where, 0)
    return problems


def read(script: object, where: str = "script") -> list[tuple[str, dict[str, Any]]]:
    """The steps of a script, each with all its fields; lists within it are read too.

    Raises:
        BadScript: something in it makes no sense.
    """
    problems: list[Wrong] = []
    steps = _Reader(problems).steps(script, where, 0)
    if problems:
        raise BadScript(problems)
    return steps


class _Reader:
    """Reads on after a mistake, so that all of them are found at once."""

    def __init__(self, problems: list[Wrong]) -> None:
        self._problems = problems

    def steps(self, written: object, where: str, depth: int) -> list[tuple[str, dict[str, Any]]]:
        if depth > MAX_DEPTH:
            self._problems.append(Wrong(where, f"more than {MAX_DEPTH} lists within lists"))
            return []
        if isinstance(written, dict | str):
            written = [written]
        if not isinstance(written, list | tuple):
            hint = "a step is a word such as `hang`, or one word with a value such as `wait: 2`"
            self._problems.append(Wrong(where, f"{_shown(written)} is no list of steps", hint))
            return []
        found = [self._step(step, f"{where}[{number}]", depth) for number, step in enumerate(written)]
        return [step for step in found if step is not None]

    def _step(self, written: object, where: str, depth: int) -> tuple[str, dict[str, Any]] | None:
        try:
            word, value = _taken_apart(written, where)
            fields = _fields(_known(word, where), word, value, where)
        except Wrong as wrong:
            self._problems.append(wrong)
            return None
        place = f"{where}.{word}"
        return word, {
            name: self._value(STEPS[word].fields[name], given, _place(STEPS[word], place, name), depth)
            for name, given in fields.items()
        }

    def _value(self, field: Field, given: object, where: str, depth: int) -> Any:  # noqa: ANN401  # any type there is
        if given is field.default:
            return given
        if field.kind == "lists":
            return self._lists(given, where, depth)
        if field.kind == "cases":
            return {str(name): self.steps(one, f"{where}.{name}", depth + 1) for name, one in _mapping(given).items()}
        if field.kind == "trick":
            return self._trick(given, where, depth)
        try:
            return KINDS[field.kind](given, field)
        except ValueError as error:
            self._problems.append(Wrong(where, f"{_shown(given)} is {error}"))
            return None

    def _lists(self, given: object, where: str, depth: int) -> list[Any]:
        if not isinstance(given, list | tuple) or not given:
            self._problems.append(Wrong(where, f"{_shown(given)} is no list of scripts", "as in [[…], […]]"))
            return []
        return [self.steps(one, f"{where}[{number}]", depth + 1) for number, one in enumerate(given)]

    def _trick(self, given: object, where: str, depth: int) -> Any:  # noqa: ANN401  # steps
        if not isinstance(given, str) or given not in TRICKS:
            hint = _nearest(str(given), TRICKS) or "`python -m orchestration.scripted --tricks` lists them"
            self._problems.append(Wrong(where, f"there is no trick {_shown(given)}", hint))
            return []
        return self.steps(TRICKS[given], where, depth + 1)


def _known(word: str, where: str) -> Step:
    if word not in STEPS:
        raise Wrong(where, f"there is no step {_shown(word)}", _nearest(word, STEPS))
    return STEPS[word]


def _place(step: Step, place: str, name: str) -> str:
    return place if step.whole or step.short == name else f"{place}.{name}"


def _taken_apart(written: object, where: str) -> tuple[str, object]:
    if isinstance(written, str):
        return written.strip(), None
    if isinstance(written, dict) and len(written) == 1:
        ((word, value),) = written.items()
        return str(word), value
    if isinstance(written, dict) and written:
        words = ", ".join(map(str, written))
        raise Wrong(where, f"a step has one word, not {len(written)}: {words:.{MAX_SHOWN}}", "write one `-` for each")
    raise Wrong(where, f"{_shown(written)} is no step", "write a word, or a word with a value")


def _fields(step: Step, word: str, value: object, where: str) -> dict[str, object]:
    """The fields of a step, defaults included."""
    given: Mapping[object, object]
    if step.whole:
        if not isinstance(value, dict) or not value:
            raise Wrong(f"{where}.{word}", f"{_shown(value)} is no mapping of names to values")
        return {step.short or "": value}
    if value is None or (value is True and step.short is None):
        given = {}
    elif isinstance(value, dict):
        given = value
    elif step.short is not None:
        given = {step.short: value}
    else:
        known = ", ".join(step.fields) or "none"
        raise Wrong(f"{where}.{word}", f"{_shown(value)} is no mapping of its fields", f"its fields: {known}")
    for name in given:
        if name not in step.fields:
            hint = _nearest(str(name), step.fields) or f"its fields: {', '.join(step.fields) or 'none'}"
            raise Wrong(f"{where}.{word}", f"it has no field {_shown(name)}", hint)
    for name, field in step.fields.items():
        if field.default is REQUIRED and given.get(name) is None:
            raise Wrong(f"{where}.{word}", f"`{name}` is missing")
    return {
        name: field.default if given.get(name) is None else given[name]  # an explicit null says nothing
        for name, field in step.fields.items()
    }


def _mapping(value: object) -> dict[object, object]:
    return value if isinstance(value, dict) else {}


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 1]}…"


def _nearest(word: str, known: Iterable[str]) -> str | None:
    from difflib import get_close_matches  # noqa: PLC0415  # only a mistake pays for it

    found = get_close_matches(word.replace("-", "_"), list(known), 1)
    return f"did you mean {found[0]}?" if found else None
