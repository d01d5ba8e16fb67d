"""A pipeline as it is written → the units that the engine runs.

A step waits for the one before it. Where a step has an `on_failure`, its failure is excused, and what comes after it
waits in vain and is skipped; the handler runs if the step has failed, or the later step that is named goes on from
there. So ways around a failure are edges and policies of the plan, and no second way to run anything.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from orchestration.errors import UsageError
from orchestration.graph import nearest
from orchestration.kinds import ExecutionStatus, OnCrash, RunWhen
from orchestration.pipeline.composites import Conditional, Loop, Map, Parallel
from orchestration.records import dataclass
from orchestration.steps import composites as does
from orchestration.steps.checking import check_names
from orchestration.steps.program import Program
from orchestration.steps.reading import checked_name
from orchestration.steps.unit import Seat, Unit

if TYPE_CHECKING:
    from orchestration.pipeline.pipeline import AsyncPipeline, Step
    from orchestration.steps.returns import Serializer


@dataclass(frozen=True, slots=True)
class HasFailed:
    """Whether a sibling has failed: the condition of what handles that."""

    name: str

    def __call__(self, seat: Seat) -> bool:
        """The value now."""
        return seat.box.crew.status_of(seat.box.path_of_need(self.name)) is ExecutionStatus.FAILED


def compiled(pipeline: "AsyncPipeline") -> Program:
    """The program of a pipeline.

    Raises:
        UsageError: its steps do not make one.
    """
    root = Compiler().sequence(pipeline.name, pipeline.steps, (pipeline,))
    return Program(pipeline.name, "pipeline", root, check_names)


class Compiler:
    """Compiles one pipeline, keeping track of what lies inside of what."""

    def sequence(self, name: str, steps: "Sequence[Step]", around: "tuple[AsyncPipeline, ...]") -> Unit:
        """Steps one after the other, as one unit."""
        units: dict[str, Unit] = {}
        before: str | None = None
        routes: list[tuple[str, str]] = []
        for step in steps:
            unit = self.unit(step, () if before is None else (before,), around)
            handler = getattr(step, "on_failure", None)
            _add(unit if handler is None else replace(unit, excused=True), units, name)
            if isinstance(handler, str):
                routes.append((unit.name, handler))
            elif handler is not None:
                handling = self._handler(handler, unit.name, around)
                _add(handling, units, name)
            before = unit.name
        for source, target in routes:
            units[target] = _routed(units, source, target)
        return _around(name, does.Sequence(units), units)

    def unit(self, step: "Step", needs: tuple[str, ...], around: "tuple[AsyncPipeline, ...]") -> Unit:
        """One step."""
        from orchestration.pipeline.pipeline import AsyncPipeline  # noqa: PLC0415  # it compiles itself by this

        if isinstance(step, AsyncPipeline):
            return replace(self.branch(checked_name(step.name), step, around), needs=needs)
        if isinstance(step, Parallel):
            units = {name: self.branch(name, one, around) for name, one in step.branches.items()}
            return _around(step.name, does.Branches(units), units, needs=needs, at_once=step.max_concurrent)
        if isinstance(step, Map):
            return self._map(step, needs, around)
        if isinstance(step, Conditional):
            return self._conditional(step, needs, around)
        if isinstance(step, Loop):
            unit = self.branch("round", step.branch, around)
            work = does.Rounds({"round": unit}, step.until, step.max_iterations, step.index_as, step.at_max)
            return _around(step.name, work, work.units, needs=needs)
        leaf = getattr(step, "leaf", None)
        if leaf is None:
            hint = "steps are tasks, Parallel, Map, Conditional, Loop and pipelines"
            raise UsageError(f"{step!r:.80} is no step of a pipeline", hint=hint)
        return Unit(
            step.name,
            leaf,
            needs,
            retry=step.read_retry,
            on_crash=OnCrash(step.on_crash),
            binds=tuple(one.name for one in leaf.returns),
            serializers={one.name: one.serializer for one in leaf.returns if one.serializer is not None},
            around=getattr(step, "around", None),
        )

    def branch(self, name: str, step: "Step", around: "tuple[AsyncPipeline, ...]") -> Unit:
        """A pipeline, or one step as a pipeline of its own."""
        from orchestration.pipeline.pipeline import AsyncPipeline  # noqa: PLC0415  # as above

        if not isinstance(step, AsyncPipeline):
            return self.sequence(name, [step], around)
        if any(step is one for one in around):
            raise UsageError(f"the pipeline {step.name} contains itself", hint="use Loop to do something again")
        return self.sequence(name, step.steps, (*around, step))

    def _map(self, step: Map, needs: tuple[str, ...], around: "tuple[AsyncPipeline, ...]") -> Unit:
        unit = self.branch("item", step.branch, around)
        work = does.Items({"item": unit}, step.iterate_on, step.iterate_as, step.reducer, unit.binds)
        return _around(step.name, work, work.units, needs=needs, at_once=step.max_concurrent)

    def _conditional(self, step: Conditional, needs: tuple[str, ...], around: "tuple[AsyncPipeline, ...]") -> Unit:
        keys = {key: str(key) for key in step.branches}
        units = {keys[key]: self.branch(keys[key], one, around) for key, one in step.branches.items()}
        if step.default is not None:
            units["default"] = self.branch("default", step.default, around)
        default = None if step.default is None else "default"
        work = does.Choice(units, step.parameter, step.condition, keys, default)
        return _around(step.name, work, units, needs=needs)

    def _handler(self, handler: "Step", source: str, around: "tuple[AsyncPipeline, ...]") -> Unit:
        unit = self.unit(handler, (source,), around)
        return replace(unit, run_when=RunWhen.NONE_FAILED, condition=HasFailed(source))


def _add(unit: Unit, units: dict[str, Unit], where: str) -> None:
    if unit.name in units:
        raise UsageError(f"the pipeline {where} has two steps called {unit.name}", hint="give each a name of its own")
    units[unit.name] = unit


def _routed(units: Mapping[str, Unit], source: str, target: str) -> Unit:
    """The later step that goes on where an earlier one has failed."""
    order = list(units)
    if target not in units:
        raise UsageError(
            f"{source}: on_failure names {target}, which is no step beside it", hint=nearest(target, units)
        )
    if order.index(target) <= order.index(source):
        hint = "use `retry` to try again, or Loop"
        raise UsageError(f"{source}: on_failure names {target}, which does not come after it", hint=hint)
    unit = units[target]
    needs = tuple(dict.fromkeys((*unit.needs, source)))
    return replace(unit, needs=needs, run_when=RunWhen.NONE_FAILED)


def _around(name: str, work: Any, inner: Mapping[str, Unit], **fields: Any) -> Unit:  # noqa: ANN401  # a composite; fields of a unit
    serializers: dict[str, Serializer] = {}
    for unit in inner.values():
        serializers.update(unit.serializers)
    return Unit(name, work, binds=tuple(dict.fromkeys(_names(inner))), serializers=serializers, **fields)


def _names(inner: Mapping[str, Unit]) -> Iterator[str]:
    return (name for unit in inner.values() for name in unit.binds)
