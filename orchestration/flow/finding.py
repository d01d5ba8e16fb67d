"""What a step of a flow is given: values of the flow's inputs, and of the steps that it waits for.

A parameter is looked for in the step's own `inputs`, among the flow's inputs, among the ids of the steps above it, and
in what those returned: direct dependencies first, the last-declared one of several, then those further up. A step that
was skipped has no value: a parameter that refers to it keeps its default, and without one it is None.

To look for a name takes no longer in a long chain than in a short one: which steps have returned something by it is
kept for each flow that runs, and who stands above whom is known at once. Only who wants everything is given everything.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from orchestration.errors import Problem
from orchestration.flow.flow import Flow
from orchestration.flow.steps import FlowStep, Ref
from orchestration.graph import nearest
from orchestration.kinds import ExecutionStatus
from orchestration.steps.binding import MISSING, CannotBind, Signature
from orchestration.steps.box import Box
from orchestration.steps.crew import StepCrew
from orchestration.steps.hiding import bound
from orchestration.steps.unit import Seat
from orchestration.steps.values import apart

_INPUTS: Final = "inputs"
_PLACE: Final = re.compile(r"-?[0-9]{1,18}")

CONTAINERS: Final = (list, tuple, dict)
"""In which references are looked for."""


def references_in(written: Any) -> list[Ref]:  # noqa: ANN401  # whatever stands among the inputs
    """The references in it, however deep, also where something holds itself."""
    found: list[Ref] = []
    seen: set[int] = set()
    left = [written]
    while left:
        one = left.pop()
        if isinstance(one, Ref):
            found.append(one)
        elif isinstance(one, CONTAINERS) and id(one) not in seen:
            seen.add(id(one))
            left += reversed([*(one.values() if isinstance(one, dict) else one)])
    return found


def _misplaced(written: Any) -> list[Ref]:  # noqa: ANN401  # as above
    """The references where none is looked for: in sets, and as keys."""
    found: list[Ref] = []
    seen: set[int] = set()
    left = [written]
    while left:
        one = left.pop()
        if not isinstance(one, (*CONTAINERS, set, frozenset)) or id(one) in seen:
            continue
        seen.add(id(one))
        if not isinstance(one, list | tuple):
            found += [item for item in one if isinstance(item, Ref)]
        left += one.values() if isinstance(one, dict) else one
    return found


class Finder:
    """Finds values for one step.

    Args:
        flow: where it stands.
        step: whose values they are.
    """

    __slots__ = ("_flow", "direct", "step")

    def __init__(self, flow: Flow, step: FlowStep) -> None:
        """Nothing is looked for."""
        self.step = step
        self.direct: tuple[str, ...] = tuple(step.depends_on)
        if len(self.direct) > 1:
            place = flow.graph.index.__getitem__
            self.direct = tuple(sorted(dict.fromkeys(step.depends_on), key=place, reverse=True))
        self._flow = flow

    @property
    def above(self) -> Iterator[str]:
        """The steps above it: those it waits for itself first, the last-declared ones before others."""
        yield from self.direct
        known, upstream = set(self.direct), self._flow.upstream
        yield from (one for one in upstream.ids(upstream.bits(self.step.id)) if one not in known)

    def is_above(self, name: str) -> bool:
        """Whether this is the id of a step above it."""
        return name in self.direct or (name in self._flow.graph.index and self._flow.upstream.has(self.step.id, name))

    def find(self, box: Box, name: str) -> Any:  # noqa: ANN401  # any value
        """The value of a name, or MISSING."""
        if name in self.step.inputs:
            written = self.step.inputs[name]
            return self._referred(box, written) if isinstance(written, Ref) else self.resolved(box, written)
        if name in box.given:
            return box.find(name)
        if self.is_above(name):
            return value_of(box, name)
        owner = next((other for other in self.direct if _has(box, other, name)), None) or self._further(box, name)
        return MISSING if owner is None else value_of(box, owner)[name]

    def _further(self, box: Box, name: str) -> str | None:
        """The last-declared one of the steps above it that have returned something under this name."""
        upstream, returned = self._flow.upstream, _returned(box, self._flow)
        if name not in returned:
            return None
        found = upstream.ids(returned[name] & upstream.bits(self.step.id))
        return next((other for other in found if _has(box, other, name)), None)

    def input_behind(self, name: str) -> str | None:
        """Which of the flow's inputs the step is given under a name; None where it is something else."""
        written = self.step.inputs
        if name not in written:
            return None if self.step.flow is not None and written else name
        one = written[name]
        owner, keys = self.split(one) if isinstance(one, Ref) else (None, [])
        return keys[0] if owner == _INPUTS and len(keys) == 1 and not self.is_above(_INPUTS) else None

    def named(self, box: Box, names: Iterable[str]) -> dict[str, Any]:
        """Those of these names for which something is known, with their values."""
        found = {name: self.find(box, name) for name in names}
        return {
            name: None if value is MISSING else value
            for name, value in found.items()
            if value is not MISSING or name in self.step.inputs
        }

    def known(self, box: Box) -> dict[str, Any]:
        """All values by name: what steps returned, under their ids, the flow's inputs, and the step's own ones."""
        found: dict[str, Any] = {}
        ids: dict[str, Any] = {}
        for other in reversed([*self.above]):
            value = ids[other] = value_of(box, other)
            found |= names_in(value)
        found |= {name: value for name, value in ids.items() if value is not MISSING}
        found |= {name: box.find(name) for name in box.given}
        return found | {name: self.resolved(box, written) for name, written in self.step.inputs.items()}

    def arguments(self, box: Box, signature: Signature, secrets: Mapping[str, str]) -> tuple[list[Any], dict[str, Any]]:
        """The arguments of a call; raises CannotBind."""

        def find(name: str) -> Any:  # noqa: ANN401  # any value
            value = self.find(box, name)
            if value is not MISSING:
                return value
            if name in self.step.inputs:  # it refers to a step that was skipped
                return None if name in signature.required else MISSING
            return self._only(box, name, signature, secrets)

        if secrets:
            return bound(signature, secrets, find, lambda: self.known(box))
        return signature.bind(find, lambda: self.known(box))

    def _only(self, box: Box, name: str, signature: Signature, secrets: Mapping[str, str]) -> Any:  # noqa: ANN401  # any value
        """What the one step that is waited for returned, for the one parameter that nothing else is known for."""
        if len(self.direct) != 1 or any(isinstance(written, Ref) for written in self.step.inputs.values()):
            return MISSING
        others = (one for one in signature.required if one != name and one not in secrets)
        if name not in signature.required or any(self.find(box, one) is MISSING for one in others):
            return MISSING
        return value_of(box, self.direct[0])

    def resolved(self, box: Box, written: Any) -> Any:  # noqa: ANN401  # a literal or a reference, any value
        """A literal as it is; a reference as what it refers to, also inside of lists and dictionaries."""
        if isinstance(written, Ref):
            value = self._referred(box, written)
            return None if value is MISSING else value
        if not isinstance(written, CONTAINERS) or not references_in(written):
            return apart(written)
        if isinstance(written, list | tuple):
            items = [self.resolved(box, item) for item in written]
            make = getattr(written, "_make", tuple)  # that of a named tuple
            return items if isinstance(written, list) else make(items)
        return {key: self.resolved(box, item) for key, item in written.items()}

    def _referred(self, box: Box, written: Ref) -> Any:  # noqa: ANN401  # any value
        owner, keys = self.split(written)
        if owner == _INPUTS and not self.is_above(_INPUTS):
            value = {name: box.find(name) for name in box.given}
        elif owner is None:
            raise CannotBind(f"step {self.step.id} refers to {written.path}, which is no step above it")
        else:
            value, keys = _furthest(box.crew, box.path_of_need(owner), keys)
            if value is MISSING:
                return MISSING
        for key in keys:
            value = _inside(value, key, written, self.step.id)
        return value

    def split(self, written: Ref) -> tuple[str | None, list[str]]:
        """The step that a reference means, and the keys behind it; ids may have dots, so the longest one counts."""
        parts = written.path.split(".")
        for size in range(len(parts), 0, -1):
            owner = ".".join(parts[:size])
            if self.is_above(owner) or (size == 1 and owner == _INPUTS):
                return owner, parts[size:]
        return None, parts


def _inside(value: Any, key: str, written: Ref, step: str) -> Any:  # noqa: ANN401  # any value
    if isinstance(value, Mapping):
        found = next((one for one in (key, *_number(key)) if one in value), MISSING)
        if found is not MISSING:
            return value[found]
    if isinstance(value, list | tuple) and _PLACE.fullmatch(key) and -len(value) <= int(key) < len(value):
        return value[int(key)]
    if not isinstance(value, Mapping | list | tuple | str) and not key.startswith("_") and hasattr(value, key):
        return getattr(value, key)
    raise CannotBind(f"step {step} refers to {written.path}, but there is no {key}")


def _number(key: str) -> tuple[int, ...]:
    """The number that a key of a reference may mean."""
    return (int(key),) if _PLACE.fullmatch(key) else ()


def value_of(box: Box, step_id: str) -> Any:  # noqa: ANN401  # any value
    """What a step returned, or MISSING where it did not succeed."""
    return _value_at(box.crew, box.crew.seats[box.path_of_need(step_id)])


def _value_at(crew: StepCrew, seat: Seat) -> Any:  # noqa: ANN401  # any value
    """What a step returned; one that passed on nothing has returned None."""
    if crew.status_of(seat.path) is not ExecutionStatus.SUCCESS:
        return MISSING
    outputs, declared = crew.outputs_of(seat), seat.unit.binds
    values = {name: crew.value_of(seat, name) for name in dict.fromkeys([*outputs, *declared])}
    return values if declared or seat.unit.is_composite or is_named(outputs) else values.get("result")


def _furthest(crew: StepCrew, path: str, keys: list[str]) -> tuple[Any, list[str]]:
    """The value of a step, or of one inside of the flow in its place that the first keys lead to, and the other keys.

    What that flow's steps returned by name comes before their ids.
    """
    value = _value_at(crew, crew.seats[path])
    while keys and value is not MISSING:
        inner = crew.seats.get(f"{path}/{keys[0]}")
        if inner is None or keys[0] in value:
            break
        path, keys = inner.path, keys[1:]
        value = _value_at(crew, inner)
    return value, keys


def is_named(outputs: Mapping[str, Any]) -> bool:
    """Whether what a function passed on has names of its own: those of the dictionary that it returned."""
    return bool(outputs.keys() - {"result"})


def names_in(value: Any) -> dict[str, Any]:  # noqa: ANN401  # any value
    """What a dictionary says by name; that of other keys can be asked for by nobody."""
    return {name: one for name, one in value.items() if isinstance(name, str)} if isinstance(value, Mapping) else {}


def _returned(box: Box, flow: Flow) -> Mapping[str, int]:
    """The steps of a flow that runs which have returned something, by its name; as bits, as `Upstream` has them."""
    if box.returned is None:
        box.returned = {}
    found: dict[str, int] = box.returned
    for seat in box.crew.take_succeeded(box):
        bit = 1 << flow.graph.index[seat.unit.name]
        for name in _names(box, seat):
            found[name] = found.get(name, 0) | bit
    return found


def _names(box: Box, seat: Seat) -> Iterable[str]:
    """The names under which a step has returned something; nothing is copied to see that."""
    outputs, declared = box.crew.outputs_of(seat), seat.unit.binds
    if not (declared or seat.unit.is_composite or is_named(outputs)):
        value = outputs.get("result")
        return value if isinstance(value, Mapping) else ()
    return {*outputs, *declared}


def _has(box: Box, step_id: str, name: str) -> bool:
    """Whether a step has returned something under this name."""
    seat = box.crew.seats[box.path_of_need(step_id)]
    return box.crew.status_of(seat.path) is ExecutionStatus.SUCCESS and name in _names(box, seat)


def wrong_references(finder: Finder) -> list[Problem]:
    """The references of a step that lead nowhere."""
    if not finder.step.inputs:
        return []
    return [
        Problem(
            f"step {finder.step.id}: the reference {one.path} stands in a set, or as the key of a dictionary",
            hint="references stand in lists, tuples and the values of dictionaries",
            about=finder.step.id,
        )
        for one in _misplaced(finder.step.inputs)
    ] + [
        Problem(
            f"step {finder.step.id} refers to {one.path}, but waits for no such step (depends_on)",
            hint=nearest(one.path.partition(".")[0], [*finder.above, _INPUTS]),
            about=finder.step.id,
        )
        for one in references_in(finder.step.inputs)
        if finder.split(one)[0] is None
    ]
