"""Composites: what runs one after the other, beside each other, for each item, by choice, and again and again.

Each is a plain function of recorded facts: `first` says what it becomes when it starts, `next` what follows when its
parts have ended. What is decided (how many items, which branch, another round) is recorded as the parts that it became,
so a replay decides nothing again.

Edges survived: nothing to do (no steps, no items), an iterable that can be walked only once, a value that cannot be
iterated, a branch for which there is no key and no default, a condition or reducer that raises, items that return
different names, rounds without an end (there is a maximum).
"""

from asyncio import CancelledError
from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Any, Final, Literal

from orchestration.calls import computed
from orchestration.errors import OrchError
from orchestration.kinds import Failure
from orchestration.records import dataclass
from orchestration.results import Outcome
from orchestration.shown import compared, in_order
from orchestration.steps.binding import MISSING, Signature
from orchestration.steps.box import Box
from orchestration.steps.ends import failure_of
from orchestration.steps.unit import Part, Turn, Unit

RAISED: Final = (Exception, SystemExit, GeneratorExit, CancelledError)
"""Whatever a condition or reducer raises is a failure of its composite, an exit too; only Ctrl-C is none."""

MAX_ITEMS: Final = 1_000_000
"""Items of one map; more in one run are more than a plan can hold."""


def _no_values(_: Box, __: Part) -> Mapping[str, Any]:
    return {}


@dataclass(frozen=True, slots=True)
class Sequence:
    """Steps one after the other; each sees what those before it returned."""

    units: Mapping[str, Unit]
    kind: str = "pipeline"
    shares: bool = True
    given: Callable[[Box, Part], Mapping[str, Any]] = _no_values

    def first(self, box: Box) -> Turn:
        """All steps, with what each waits for."""
        del box
        return tuple(Part(name, name, unit.needs) for name, unit in self.units.items()) or Outcome()

    def next(self, box: Box) -> Turn:
        """What the steps have passed on."""
        return failure_of(box) or Outcome(outputs=box.bound())


@dataclass(frozen=True, slots=True)
class Branches:
    """Branches beside each other; none sees what another one returned."""

    units: Mapping[str, Unit]
    kind: str = "parallel"
    shares: bool = False
    given: Callable[[Box, Part], Mapping[str, Any]] = _no_values

    def first(self, box: Box) -> Turn:
        """All branches."""
        del box
        return tuple(Part(name, name) for name in self.units) or Outcome()

    def next(self, box: Box) -> Turn:
        """What the branches have passed on, in their order; of one name, the last one's."""
        failed = failure_of(box)
        if failed is not None:
            return failed
        return Outcome(outputs={name: value for seat in box.seats for name, value in box.crew.outputs_of(seat).items()})


@dataclass(frozen=True, slots=True)
class Items:
    """A branch for each item of a value that is known only now."""

    units: Mapping[str, Unit]
    iterate_on: str
    iterate_as: str
    reducer: Callable[..., Any] | None = None
    names: tuple[str, ...] = ()
    kind: str = "map"
    shares: bool = False

    def first(self, box: Box) -> Turn:
        """One part for each item."""
        try:
            items = self._items(box)
        except _NoItems as error:
            return Outcome(failure=Failure.INVALID_OUTPUT, error=f"{box.path}: {error}")
        if not items:
            return self._reduced(box, {name: [] for name in self.names})
        return tuple(Part("item", f"[{i}]", index=i) for i in range(len(items)))

    def given(self, box: Box, part: Part) -> Mapping[str, Any]:
        """The item."""
        return {self.iterate_as: self._items(box)[part.index or 0]}

    def _items(self, box: Box) -> list[Any]:
        """The items; walked once, for some can be walked only once, and handed out again and again."""
        found = box.crew.items.get(box.path)
        if found is None:
            found = box.crew.items[box.path] = _listed(self.iterate_on, box.find(self.iterate_on))
        return found

    def next(self, box: Box) -> Turn:
        """A list for each name, one value for each item, or what the reducer makes of it."""
        failed = failure_of(box)
        if failed is not None:
            return failed
        box.crew.items.pop(box.path, None)
        rows = [box.crew.outputs_of(seat) for seat in box.seats]
        names = dict.fromkeys([*self.names, *(name for row in rows for name in row)])
        if self.reducer is not None:  # it is given values, not what is recorded of them
            values = zip(box.seats, rows, strict=True)
            rows = [{name: box.crew.value_of(seat, name) for name in row} for seat, row in values]
        return self._reduced(box, {name: [row.get(name) for row in rows] for name in names})

    def _reduced(self, box: Box, outputs: dict[str, list[Any]]) -> Outcome:
        if self.reducer is None:
            return Outcome(outputs=outputs)
        try:
            return Outcome(outputs={name: _reduced(self.reducer, values) for name, values in outputs.items()})
        except RAISED as error:
            if not any(outputs.values()):  # no items: such as `max` has no answer then, and nothing is what there is
                return Outcome(outputs=outputs)
            told = f"{box.path}: the reducer raised {type(error).__name__}: {error}"
            return Outcome(failure=Failure.CRASHED, error=told)


class _NoItems(Exception):
    """There is nothing to iterate over; the text says why."""


def _listed(name: str, value: Any) -> list[Any]:  # noqa: ANN401  # any value
    if value is MISSING:
        raise _NoItems(f"there is no {name} to iterate over")
    if isinstance(value, str | bytes):
        raise _NoItems(f"{name} is text, not a list of items ({value!r:.60})")
    try:
        items = in_order(value)
    except TypeError as error:
        raise _NoItems(f"{name} cannot be iterated over: it is a {type(value).__name__}") from error
    except RAISED as error:
        raise _NoItems(f"{name} could not be iterated over: {type(error).__name__}: {error}") from error
    if len(items) > MAX_ITEMS:
        raise _NoItems(f"{name} has {len(items):,} items; at most {MAX_ITEMS:,} can be done in one run")
    return items


def _reduced(reducer: Callable[..., Any], values: list[Any]) -> Any:  # noqa: ANN401  # whatever it makes of them
    """Apply a reducer: to the list, or to the values one by one where it is written `lambda *values: …`."""
    code = getattr(reducer, "__code__", None)
    takes_each = code is not None and code.co_argcount == 0 and bool(code.co_flags & 0x04)
    return computed(reducer, *values) if takes_each else computed(reducer, values)


@dataclass(frozen=True, slots=True)
class Choice:
    """One branch, chosen by a value, or by what a function says; `default` is for all other values."""

    units: Mapping[str, Unit]
    parameter: str | None
    condition: Callable[..., Any] | None
    keys: Mapping[Any, str]
    default: str | None = None
    kind: str = "conditional"
    shares: bool = False
    given: Callable[[Box, Part], Mapping[str, Any]] = _no_values

    def first(self, box: Box) -> Turn:
        """The chosen branch."""
        try:
            value = self._value(box)
        except RAISED as error:
            told = error.message if isinstance(error, OrchError) else f"{type(error).__name__}: {error}"
            return Outcome(failure=Failure.CRASHED, error=f"{box.path}: its condition has no value: {told}")
        chosen = self._chosen(value)
        if chosen is None:
            there = ", ".join(repr(key) for key in self.keys)
            told = f"{box.path}: there is no branch for {value!r:.80}, and no default; branches: {there}"
            return Outcome(failure=Failure.INVALID_OUTPUT, error=told)
        return (Part(chosen, chosen),)

    def _value(self, box: Box) -> Any:  # noqa: ANN401  # any value
        if self.condition is not None:
            return _called(self.condition, box)
        value = box.find(self.parameter or "")
        if value is MISSING:
            raise LookupError(f"there is no {self.parameter}")
        return value

    def _chosen(self, value: Any) -> str | None:  # noqa: ANN401  # any value
        for key, name in self.keys.items():
            if type(key) is type(value) and key == value:
                return name
        value, keys = compared(value), [(compared(key), name) for key, name in self.keys.items()]
        for key, name in keys:
            if isinstance(key, bool) is isinstance(value, bool) and key == value:  # 1.0 is 1
                return name
        for key, name in keys:
            if str(key) == str(value) or (isinstance(value, bool) and str(key) == str(value).lower()):
                return name
        return self.default

    def next(self, box: Box) -> Turn:
        """What the branch has passed on."""
        failed = failure_of(box)
        if failed is not None:
            return failed
        chosen = box.seats[0]
        return Outcome(outputs=box.crew.outputs_of(chosen), metadata={"branch": chosen.unit.name})


@dataclass(frozen=True, slots=True)
class Rounds:
    """A branch again and again, until a condition holds; each round sees what the one before returned."""

    units: Mapping[str, Unit]
    until: str | Callable[..., Any]
    max_iterations: int
    index_as: str | None = None
    at_max: Literal["succeed", "fail"] = "succeed"
    kind: str = "loop"
    shares: bool = True
    _round: str = field(default="round", repr=False)

    def first(self, box: Box) -> Turn:
        """The first round."""
        del box
        return (Part(self._round, "[0]", index=0),)

    def given(self, box: Box, part: Part) -> Mapping[str, Any]:
        """The number of the round."""
        del box
        return {self.index_as: part.index} if self.index_as else {}

    def next(self, box: Box) -> Turn:
        """The end, or another round."""
        failed = failure_of(box, box.seats[-1:])  # where one before had failed there would be no other
        if failed is not None:
            return failed
        done = len(box.seats)
        try:
            holds = self._holds(box)
        except RAISED as error:
            told = error.message if isinstance(error, OrchError) else f"{type(error).__name__}: {error}"
            return Outcome(failure=Failure.CRASHED, error=f"{box.path}: its condition has no value: {told}")
        facts = {"iterations": done, "condition_held": holds}
        if holds or (done >= self.max_iterations and self.at_max == "succeed"):
            return Outcome(outputs=box.bound(), metadata=facts)
        if done >= self.max_iterations:
            told = f"{box.path}: its condition did not hold after {done} rounds, which is its maximum"
            return Outcome(failure=Failure.INVALID_OUTPUT, error=told, metadata=facts)
        return (Part(self._round, f"[{done}]", index=done),)

    def _holds(self, box: Box) -> bool:
        """Whether the condition holds after the last round, whose number it may ask for too."""
        own = {self.index_as: len(box.seats) - 1} if self.index_as else {}
        if callable(self.until):
            return bool(_called(self.until, box, own))
        if not self.until.isidentifier():
            from orchestration.prompts import evaluate  # noqa: PLC0415  # only for conditions in words

            return evaluate(self.until, {**box.known(), **own})
        value = box.find(self.until)
        if value is MISSING:
            raise LookupError(f"no round has returned {self.until}")
        return bool(value)


_NOTHING: Final[Mapping[str, Any]] = {}


def _called(condition: Callable[..., Any], box: Box, own: Mapping[str, Any] = _NOTHING) -> Any:  # noqa: ANN401  # whatever it says
    def find(name: str) -> Any:  # noqa: ANN401  # any value
        return own[name] if name in own else box.find(name)

    positional, named = Signature(condition).bind(find, lambda: {**box.known(), **own})
    return computed(condition, *positional, **named)
