"""Which parameters the steps of a program ask for, as far as that can be known.

A name counts as asked for wherever it is written: as the parameter of a function, what a map iterates over, a word of a
condition or of a command. Some may use any parameter without naming it where it could be seen: `**keywords`, functions
that do not tell their parameters, programs that read variables, prompts.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from orchestration.graph import nearest
from orchestration.records import dataclass
from orchestration.steps.agents import AgentLeaf
from orchestration.steps.binding import Signature
from orchestration.steps.composites import Choice, Items, Rounds
from orchestration.steps.functions import FunctionLeaf
from orchestration.steps.parameters import DEEPER, PREFIX
from orchestration.steps.unit import Unit

_WORD: Final = re.compile(r"[^\W\d]\w*")


@dataclass(frozen=True, slots=True)
class Wanted:
    """The names that are asked for; `any_other` says whether some step may use other ones too.

    `made` are names that steps make known themselves: what they return, the item of a map, the number of a round.
    """

    names: frozenset[str]
    made: frozenset[str]
    any_other: bool

    def doubts(self, given: Iterable[str]) -> list[str]:
        """What is to be said of given names that nobody asks for; nothing where that could be meant.

        Where any name may be used, only one is doubted that is nearly another one which is asked for and not given.
        """
        names = [*given]
        missing = sorted(self.names.difference(names, self.made))
        found: list[str] = []
        for name in names:
            near = nearest(name, missing)
            if name not in self.names and (near is not None or not self.any_other):
                who = "no function asks" if self.any_other else "no step asks"
                asked = ", ".join(sorted(self.names - self.made)) or "none"
                found.append(f"{who} for the parameter {name}; {near or f'asked for are: {asked}'}")
        return found


def wanted_by(root: Unit) -> Wanted:
    """What all steps of a program ask for."""
    found = [*_wanted(root)]
    return Wanted(frozenset(name for name in found if name is not None), frozenset(_made(root)), None in found)


def names_asked(function: Callable[..., Any]) -> Iterator[str | None]:
    """What a condition asks for; None for anything."""
    yield from _signed(Signature(function))


def words_of(text: str) -> Iterator[str]:
    """The words of a text that could be names; of a variable, the name of its parameter."""
    for word in _WORD.findall(text):
        yield word.removeprefix(PREFIX).split(DEEPER)[0] if word.startswith(PREFIX) else word


def _made(unit: Unit) -> Iterator[str]:
    yield from unit.binds
    if isinstance(unit.work, Items):
        yield unit.work.iterate_as
    elif isinstance(unit.work, Rounds) and unit.work.index_as is not None:
        yield unit.work.index_as
    for inner in unit.composite.units.values() if unit.is_composite else ():
        yield from _made(inner)


def _wanted(unit: Unit) -> Iterator[str | None]:
    yield from getattr(unit.work, "names_asked", lambda: ())()
    if isinstance(unit.work, FunctionLeaf):
        for signature in getattr(unit.work, "signatures", (unit.work.signature,)):
            yield from _signed(signature)
    elif isinstance(unit.work, AgentLeaf):
        yield None
        yield from words_of(unit.work.task.model_dump_json())
    if unit.is_composite:
        yield from _wanted_by_composite(unit.work)
        for inner in unit.composite.units.values():
            yield from _wanted(inner)


def _wanted_by_composite(work: object) -> Iterator[str | None]:
    if isinstance(work, Items):
        yield work.iterate_on
    elif isinstance(work, Choice):
        yield from words_of(work.parameter or "") if work.condition is None else names_asked(work.condition)
    elif isinstance(work, Rounds):
        yield from words_of(work.until) if isinstance(work.until, str) else names_asked(work.until)


def _signed(signature: Signature) -> Iterator[str | None]:
    if signature.takes_others or not signature.is_known:
        yield None
    yield from (one.name for one in signature.parameters)
