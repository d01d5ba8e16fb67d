"""A pipeline as it is written → the units that the engine runs.

A step waits for the one before it. Where a step has an `on_failure`, its failure is excused, and what comes after it
waits in vain and is skipped; the handler runs if the step has failed, or the later step that is named goes on from
there. So ways around a failure are edges and policies of the plan, and no second way to run anything.

Edges survived: a way around that is itself passed over, a handler that has a handler, one that several steps name, a
branch that is a pipeline with a handler.
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
from orchestration.steps.returns import serializers_of
from orchestration.steps.unit import Seat, Unit

if TYPE_CHECKING:
    from orchestration.pipeline.pipeline import AsyncPipeline, Step
    from orchestration.steps.returns import Serializer


@dataclass(frozen=True, slots=True)
class HasItsTurn:
    """Whether what handles failures of siblings is to run: one of them has failed, or the way leads to it anyway.

    Attributes:
        failed: the siblings.
        before: the one that it comes after where all goes well; None for a handler, to which no other way leads.
    """

    failed: tuple[str, ...]
    before: str | None = None

    def __call__(self, seat: Seat) -> bool:
        """The value now."""

        def status(name: str) -> ExecutionStatus:
            return seat.box.crew.status_of(seat.box.path_of_need(name))

        if self.before is not None and status(self.before) is ExecutionStatus.SUCCESS:
            return True
        return any(status(name) is ExecutionStatus.FAILED for name in self.failed)


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
        routes: list[tuple[str, str]] = []
        before: str | None = None
        for step in steps:
            unit = self.unit(step, () if before is None else (before,), around)
            self._take(step, unit, units, routes, name, around)
            before = unit.name
        for source, target in routes:
            units[target] = _routed(units, source, target)
        return _around(name, does.Sequence(units), units)

    def _take(
        self,
        step: "Step",
        unit: Unit,
        units: dict[str, Unit],
        routes: list[tuple[str, str]],
        where: str,
        around: "tuple[AsyncPipeline, ...]",
    ) -> None:
        """Take up one step, and what runs where it has failed."""
        handler = getattr(step, "on_failure", None)
        _add(unit if handler is None else replace(unit, excused=True), units, where)
        if isinstance(handler, str):
            routes.append((unit.name, handler))
        elif handler is not None:
            handling = self.unit(handler, (unit.name,), around)
            handling = replace(handling, run_when=RunWhen.NONE_FAILED, condition=HasItsTurn((unit.name,)))
            self._take(handler, handling, units, routes, where, around)

    def unit(self, step: "Step", needs: tuple[str, ...], around: "tuple[AsyncPipeline, ...]") -> Unit:
        """One step."""
        from orchestration.pipeline.pipeline import AsyncPipeline  # noqa: PLC0415  # it compiles itself by this

        if isinstance(step, AsyncPipeline):
            return replace(self._inner(checked_name(step.name), step, around), needs=needs)
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
            serializers=serializers_of(leaf.returns),
            around=getattr(step, "around", None),
        )

    def branch(self, name: str, step: "Step", around: "tuple[AsyncPipeline, ...]") -> Unit:
        """A pipeline, or one step as a pipeline of its own; so is a pipeline with a handler, which stands beside it."""
        from orchestration.pipeline.pipeline import AsyncPipeline  # noqa: PLC0415  # as above

        if not isinstance(step, AsyncPipeline) or step.on_failure is not None:
            return self.sequence(name, [step], around)
        return self._inner(name, step, around)

    def _inner(self, name: str, pipeline: "AsyncPipeline", around: "tuple[AsyncPipeline, ...]") -> Unit:
        """A pipeline inside of another one."""
        if any(pipeline is one for one in around):
            raise UsageError(f"the pipeline {pipeline.name} contains itself", hint="use Loop to do something again")
        return self.sequence(name, pipeline.steps, (*around, pipeline))

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
    turn = unit.condition if isinstance(unit.condition, HasItsTurn) else HasItsTurn((), *unit.needs)
    needs = tuple(dict.fromkeys((*unit.needs, source)))
    turn = replace(turn, failed=(*turn.failed, source))
    return replace(unit, needs=needs, run_when=RunWhen.NONE_FAILED, condition=turn)


def _around(name: str, work: Any, inner: Mapping[str, Unit], **fields: Any) -> Unit:  # noqa: ANN401  # a composite; fields of a unit
    serializers: dict[str, Serializer] = {}
    for unit in inner.values():
        serializers.update(unit.serializers)
    return Unit(name, work, binds=tuple(dict.fromkeys(_names(inner))), serializers=serializers, **fields)


def _names(inner: Mapping[str, Unit]) -> Iterator[str]:
    return (name for unit in inner.values() for name in unit.binds)
