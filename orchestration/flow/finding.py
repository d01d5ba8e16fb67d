"""What a step of a flow is given: values of the flow's inputs, and of the steps that it waits for.

A parameter is looked for in the step's own `inputs`, among the flow's inputs, among the ids of the steps above it, and
in what those returned: direct dependencies first, the last-declared one of several, then those further up. A step that
was skipped has no value: a parameter that refers to it keeps its default, and without one it is None.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from orchestration.flow.steps import FlowStep, Ref
from orchestration.kinds import ExecutionStatus
from orchestration.steps.binding import MISSING, CannotBind, Signature
from orchestration.steps.box import Box

_INPUTS: Final = "inputs"


@dataclass(frozen=True, slots=True)
class Finder:
    """Finds values for one step.

    Args:
        step: whose they are.
        above: the steps above it, those it waits for itself first, the last-declared ones before others.
        direct: how many of these it waits for itself.
    """

    step: FlowStep
    above: Sequence[str]
    direct: int

    def find(self, box: Box, name: str) -> Any:  # noqa: ANN401  # any value
        """The value of a name, or MISSING."""
        if name in self.step.inputs:
            written = self.step.inputs[name]
            return self._referred(box, written) if isinstance(written, Ref) else self.resolved(box, written)
        if name in box.given:
            return box.find(name)
        if name in self.above:
            return value_of(box, name)
        for other in self.above:
            value = value_of(box, other)
            if isinstance(value, Mapping) and name in value:
                return value[name]
        return MISSING

    def known(self, box: Box) -> dict[str, Any]:
        """All values by name: what steps returned, under their ids, the flow's inputs, and the step's own ones."""
        found: dict[str, Any] = {}
        for other in reversed(self.above):
            value = value_of(box, other)
            if isinstance(value, Mapping):
                found.update(value)
        found |= {other: value_of(box, other) for other in reversed(self.above)}
        found = {name: value for name, value in found.items() if value is not MISSING}
        found |= {name: box.find(name) for name in box.given}
        return found | {name: self.resolved(box, written) for name, written in self.step.inputs.items()}

    def arguments(self, box: Box, signature: Signature) -> tuple[list[Any], dict[str, Any]]:
        """The arguments of a call; raises CannotBind."""

        def find(name: str) -> Any:  # noqa: ANN401  # any value
            value = self.find(box, name)
            if value is not MISSING:
                return value
            if name in self.step.inputs:  # it refers to a step that was skipped
                return None if name in signature.required else MISSING
            return self._only(box, name, signature)

        return signature.bind(find, lambda: self.known(box))

    def _only(self, box: Box, name: str, signature: Signature) -> Any:  # noqa: ANN401  # any value
        """What the one step that is waited for returned, for the one parameter that nothing else is known for."""
        if self.direct != 1 or any(isinstance(written, Ref) for written in self.step.inputs.values()):
            return MISSING
        unknown = [one for one in signature.required if self.find(box, one) is MISSING]
        return value_of(box, self.above[0]) if unknown == [name] else MISSING

    def resolved(self, box: Box, written: Any) -> Any:  # noqa: ANN401  # a literal or a reference, any value
        """A literal as it is; a reference as what it refers to, also inside of lists and dictionaries."""
        if isinstance(written, Ref):
            value = self._referred(box, written)
            return None if value is MISSING else value
        if isinstance(written, list | tuple):
            return [self.resolved(box, item) for item in written]
        if isinstance(written, dict):
            return {key: self.resolved(box, item) for key, item in written.items()}
        return written

    def _referred(self, box: Box, written: Ref) -> Any:  # noqa: ANN401  # any value
        owner, keys = split(written, self.above)
        if owner == _INPUTS:
            value = {name: box.find(name) for name in box.given}
        elif owner is None:
            raise CannotBind(f"step {self.step.id} refers to {written.path}, which is no step above it")
        elif (value := value_of(box, owner)) is MISSING:
            return MISSING
        for key in keys:
            value = _inside(value, key, written, self.step.id)
        return value


def split(written: Ref, above: Sequence[str]) -> tuple[str | None, list[str]]:
    """The step that a reference means, and the keys behind it; ids may have dots, so the longest one counts."""
    parts = written.path.split(".")
    for size in range(len(parts), 0, -1):
        owner = ".".join(parts[:size])
        if owner in above or (size == 1 and owner == _INPUTS):
            return owner, parts[size:]
    return None, parts


def _inside(value: Any, key: str, written: Ref, step: str) -> Any:  # noqa: ANN401  # any value
    if isinstance(value, Mapping) and key in value:
        return value[key]
    if isinstance(value, list | tuple) and key.lstrip("-").isdigit() and -len(value) <= int(key) < len(value):
        return value[int(key)]
    if not isinstance(value, Mapping | list | tuple | str) and not key.startswith("_") and hasattr(value, key):
        return getattr(value, key)
    raise CannotBind(f"step {step} refers to {written.path}, but there is no {key}")


def value_of(box: Box, step_id: str) -> Any:  # noqa: ANN401  # any value
    """What a step returned, or MISSING where it returned nothing that counts."""
    crew = box.crew
    seat = crew.seats[box.path_of_need(step_id)]
    outputs = crew.outputs_of(seat)
    declared = set(seat.unit.binds)
    if crew.status_of(seat.path) is not ExecutionStatus.SUCCESS:
        return MISSING
    names = [*outputs, *(name for name in declared if name not in outputs)]
    values = {name: crew.value_of(seat, name) for name in names}
    return values["result"] if set(values) == {"result"} and "result" not in declared else values
