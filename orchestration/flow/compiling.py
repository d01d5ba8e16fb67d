"""A flow as it is written → the units that the engine runs; edges and policies are those of the plan."""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from pathlib import Path
from threading import current_thread, main_thread
from types import MappingProxyType
from typing import Any, Final

from orchestration.calls import computed
from orchestration.errors import OrchError, TemplateError, UsageError
from orchestration.flow.backed import BackedLeaf
from orchestration.flow.finding import Finder, is_named, names_in, references_in, value_of, wrong_references
from orchestration.flow.flow import Flow
from orchestration.flow.leaf import FlowLeaf
from orchestration.flow.refusing import refuse_what_nobody_takes
from orchestration.flow.steps import Condition, FlowStep
from orchestration.garbage import uncollected
from orchestration.graph import nearest
from orchestration.kinds import ExecutionStatus
from orchestration.protocols import Drop
from orchestration.records import dataclass, maker
from orchestration.results import Outcome
from orchestration.steps.binding import CannotBind, Signature, missing
from orchestration.steps.box import Box
from orchestration.steps.caching import Cache
from orchestration.steps.checking import refuse
from orchestration.steps.composites import RAISED
from orchestration.steps.ends import failure_of
from orchestration.steps.program import Program
from orchestration.steps.returns import Serializer, serializers_of
from orchestration.steps.unit import Part, Seat, Turn, Unit
from orchestration.steps.wanting import names_asked, words_of

_WORD: Final = re.compile(r"[^\W\d]\w*")
"""What may be a name in a condition in words."""

_NO_SERIALIZERS: Final[Mapping[str, Serializer]] = MappingProxyType({})

MAX_DEPTH: Final = 50
"""Flows inside of flows; deeper ones are a mistake."""


@dataclass(frozen=True, slots=True)
class Graph:
    """The steps of one flow, as a composite."""

    units: Mapping[str, Unit]
    finders: Mapping[str, Finder] = field(repr=False)
    order: tuple[str, ...]
    fail_fast: bool
    kind: str = "flow"
    shares: bool = False

    def first(self, box: Box) -> Turn:
        """All steps, with what each waits for; inside of others each after those."""
        names = [*self.units]
        if box.parent is None or names == [*self.order]:
            part = maker(Part)
            return tuple([part(name, name, unit.needs) for name, unit in self.units.items()]) or Outcome()
        places = {name: place for place, name in enumerate(names)}
        return tuple(Part(name, name, self.units[name].needs, place=places[name]) for name in self.order)

    def given(self, box: Box, part: Part) -> Mapping[str, Any]:
        """What an inner flow is given: what is written for it, or else all that is known where it stands."""
        finder = self.finders[part.unit]
        written = finder.step.inputs
        return {name: finder.resolved(box, one) for name, one in written.items()} if written else finder.known(box)

    def given_as(self, part: str, name: str) -> str | None:
        """Which of the flow's inputs a part is given under a name; None where it is given something else."""
        return self.finders[part].input_behind(name)

    def names_asked(self) -> Iterator[str | None]:
        """The inputs that conditions and references of its steps ask for; None for any."""
        for finder in self.finders.values():
            when = finder.step.when
            if isinstance(when, str):
                yield from words_of(when)
            elif callable(when):
                yield from names_asked(when)
            for one in references_in(finder.step.inputs):
                words = one.path.split(".")
                yield from words if words != ["inputs"] else [None]

    def next(self, box: Box) -> Turn | Drop | None:
        """What the steps returned, by name; what has no name of its own, by the step's id.

        Where the failure of one ends all others, these are not needed any more as soon as one has failed.
        """
        ends = [(seat.path, status) for seat, status in box.ends()]
        still = tuple(path for path, status in ends if not status.is_final)
        if still:
            one = next((path for path, status in ends if status is ExecutionStatus.FAILED), None)
            return Drop(still, f"fail-fast: {one} failed") if one is not None else None
        failed = failure_of(box)
        if failed is not None:
            return failed
        outputs: dict[str, Any] = {}
        for seat, (_, status) in zip(box.seats, ends, strict=True):
            if status is ExecutionStatus.SUCCESS:
                outputs.update(_passed_on(box, seat))
        return Outcome(outputs=outputs)


def _passed_on(box: Box, seat: Seat) -> Mapping[str, Any]:
    """What a step hands to those who wait for its flow."""
    found = box.crew.outputs_of(seat)
    if seat.unit.is_composite or seat.unit.binds or is_named(found):
        return found
    return {seat.unit.name: found.get("result")}


@dataclass(frozen=True, slots=True)
class Runs:
    """Whether a step runs: it was chosen by those that choose, and its own condition holds."""

    finder: Finder
    when: Condition | bool | None
    deciders: tuple[Finder, ...]

    def __call__(self, seat: Seat) -> bool:
        """The value now; raises TemplateError when there is none, whatever kept it from being found."""
        try:
            return self._holds(seat)
        except TemplateError:
            raise
        except OrchError as error:  # such as a reference that leads nowhere
            raise TemplateError(error.message) from error
        except (*RAISED, KeyboardInterrupt) as error:
            if isinstance(error, KeyboardInterrupt) and current_thread() is main_thread():
                raise  # only here is it a Ctrl-C
            raise TemplateError(f"{type(error).__name__}: {error}") from error

    def _holds(self, seat: Seat) -> bool:
        for decider in self.deciders:
            if _chosen(decider, seat.box) != self.finder.step.id:
                return False
        if self.when is None or isinstance(self.when, bool):
            return self.when is not False
        finder, box = self.finder, seat.box
        return _evaluated(
            self.when,
            lambda key: finder.find(box, key),
            lambda: finder.known(box),
            lambda names: finder.named(box, names),
        )


def _chosen(decider: Finder, box: Box) -> str | None:
    """The step that another one has chosen; None where nothing holds, or it was skipped itself."""
    if box.crew.status_of(box.path_of_need(decider.step.id)) is not ExecutionStatus.SUCCESS:
        return None
    value = value_of(box, decider.step.id)
    own = names_in(value)
    own |= {decider.step.id: value, "result": value}
    for name, condition in decider.step.branches.items():
        if _evaluated(
            condition,
            lambda key: own.get(key, decider.find(box, key)),
            lambda: {**decider.known(box), **own},
            lambda names: {**decider.named(box, names), **own},
        ):
            return name
    return decider.step.default


def _evaluated(
    condition: Condition,
    find: Callable[[str], Any],
    known: Callable[[], dict[str, Any]],
    pick: Callable[[Iterable[str]], dict[str, Any]],
) -> bool:
    if isinstance(condition, str):
        from orchestration.prompts import evaluate  # noqa: PLC0415  # only for conditions in words

        try:
            return evaluate(condition, pick(dict.fromkeys(_WORD.findall(condition))))
        except TemplateError:  # whatever is wrong is told by who sees everything
            return evaluate(condition, known())
    positional, named = Signature(condition).bind(find, known)
    return bool(computed(condition, *positional, **named))


class Compiler:
    """Compiles flows for one executor.

    Args:
        tools: functions by name.
        cache: what its steps have come to.
        directory: where the files are that steps make.
    """

    def __init__(self, tools: Mapping[str, Callable[..., Any]], cache: Cache, directory: Path) -> None:
        """Nothing is compiled yet."""
        self._tools = tools
        self._cache = cache
        self._directory = directory
        self._signatures: dict[int, Signature] = {}
        self._make_unit = maker(Unit)

    @uncollected()
    def program(self, flow: Flow) -> Program:
        """What the engine runs.

        Raises:
            UsageError: it is no flow, a tool is not known, a reference leads nowhere, flows contain each other.
        """
        if not isinstance(flow, Flow):
            raise UsageError(f"{flow!r:.80} is no flow", hint="write Flow(name, [FlowStep(…), …])")
        self._signatures = {}  # by identity: what the flow's steps call is there as long as this lasts
        root = Unit(flow.name, self._graph(flow, ()))
        fail_fast = flow.on_error == "fail_fast"
        graph = flow.graph if flow.is_as_written else None
        return Program(flow.name, "flow", root, check_inputs, fail_fast=fail_fast, graph=graph)

    def _graph(self, flow: Flow, around: tuple[Flow, ...]) -> Graph:
        if any(flow is one for one in around) or len(around) > MAX_DEPTH:
            raise UsageError(f"the flow {flow.name} contains itself", hint="flows inside of flows have an end")
        finders = {step.id: Finder(flow, step) for step in flow.steps}
        problems = [problem for step in flow.steps if step.inputs for problem in wrong_references(finders[step.id])]
        if problems:
            raise UsageError(f"flow {flow.name}: {problems[0].message}", problems=problems)
        deciders: dict[str, list[Finder]] = {}
        for step in flow.steps:
            for other in step.chooses if step.branches else ():
                deciders.setdefault(other, []).append(finders[step.id])
        inside = (*around, flow)
        units = {step.id: self._unit(step, finders[step.id], deciders.get(step.id, ()), inside) for step in flow.steps}
        order = tuple(map(flow.graph.ids.__getitem__, flow.graph.order))
        return Graph(units, finders, order, flow.on_error == "fail_fast")

    def _unit(self, step: FlowStep, finder: Finder, deciders: Sequence[Finder], around: tuple[Flow, ...]) -> Unit:
        condition = Runs(finder, step.when, tuple(deciders)) if deciders or step.when is not None else None
        returns = step.read_returns
        return self._make_unit(
            step.id,
            self._graph(step.flow, around) if step.flow is not None else self._leaf(step, finder),
            tuple(step.depends_on),
            retry=None if step.flow is not None else step.read_retry,
            condition=condition,
            skips_when_failed=step.on_error == "skip",
            on_crash=step.read_on_crash,
            binds=tuple([one.name for one in returns]) if returns else (),
            around=step.around,
            serializers=serializers_of(returns) if returns else _NO_SERIALIZERS,
        )

    def _leaf(self, step: FlowStep, finder: Finder) -> FlowLeaf:
        function = step.function if callable(step.function) else self._tool(step.tool or "", step.id)
        fallback = self._tool(step.fallback, step.id) if isinstance(step.fallback, str) else step.fallback
        signature = self._signatures.get(id(function))
        leaf = FlowLeaf(step, function, finder, signature)
        if step.cache or fallback is not None:
            cache = self._cache if step.cache else None
            there = self._directory
            leaf = BackedLeaf(step, function, finder, leaf.signature, fallback=fallback, cache=cache, directory=there)
        if signature is None:
            self._signatures[id(function)] = leaf.signature
        if step.inputs or fallback is not None or not leaf.signature.is_known:
            refuse_what_nobody_takes(step, leaf.signatures)
        return leaf

    def _tool(self, name: str, where: str) -> Callable[..., Any]:
        function = self._tools.get(name)
        if function is None:
            hint = nearest(name, self._tools) or f"known tools: {', '.join(self._tools) or 'none'}"
            raise UsageError(f"step {where}: the executor knows no tool {name!r:.80}", hint=hint)
        return function


def check_inputs(root: Unit, inputs: Collection[str]) -> None:
    """Refuse first steps for whose parameters nothing is given; what others are given is known only later.

    Raises:
        CannotBind: names the function and the parameter; `problems` has all of them.
    """
    problems: list[CannotBind] = []
    for unit in root.composite.units.values():
        if unit.needs or not isinstance(unit.work, FlowLeaf):
            continue
        for signature in unit.work.signatures:
            if signature.parameters:
                step = unit.work.finder.step
                known = {*inputs, *step.inputs, *step.secrets}
                problems += [missing(signature.name, name, known) for name in signature.required if name not in known]
    refuse(problems)
