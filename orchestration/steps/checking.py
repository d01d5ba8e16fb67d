"""What can be known to be wrong before anything runs: arguments that nobody gives, objects that no store can keep.

The steps are walked as a run would walk them, with the names that would be known. A name counts as known where some way
leads to it (one branch of a choice returns it, a handler does), so that nothing is refused that could work.
"""

from collections.abc import Collection, Iterable, Sequence

from orchestration.errors import Problem, UsageError
from orchestration.steps.binding import CannotBind, Signature, missing
from orchestration.steps.composites import Branches, Choice, Items, Rounds
from orchestration.steps.functions import FunctionLeaf
from orchestration.steps.unit import Unit


def check_names(root: Unit, parameters: Collection[str]) -> None:
    """Refuse steps one after the other for whose parameters nothing would be known.

    Raises:
        CannotBind: names the function and the parameter; `problems` has all of them.
    """
    problems: list[CannotBind] = []
    _walk(root, set(parameters), problems)
    refuse(problems)


def refuse(problems: Sequence[CannotBind]) -> None:
    """Raise the first of what was found, which carries all; do nothing where nothing was."""
    if problems:
        first, more = problems[0], len(problems) - 1
        listed = [Problem(one.message, hint=one.hint) for one in problems]
        raise CannotBind(f"{first.message}{f' (and {more} more)' if more else ''}", hint=first.hint, problems=listed)


def _walk(unit: Unit, known: set[str], problems: list[CannotBind]) -> set[str]:
    """Check one unit, given the names that are known where it starts; returns those that it passes on."""
    work = unit.work
    if isinstance(work, FunctionLeaf):
        given = known if unit.around is None else known.union(unit.around.secrets)
        _ask(work.signature, given, problems)
        return set(unit.binds)
    if not unit.is_composite:
        return set(unit.binds)
    return _walk_composite(unit, set(known), problems)


def _walk_composite(unit: Unit, known: set[str], problems: list[CannotBind]) -> set[str]:
    work, passed = unit.work, set[str]()
    if isinstance(work, Items):
        _need(f"the map {unit.name}", work.iterate_on, known, problems)
        known.add(work.iterate_as)
    elif isinstance(work, Choice):
        if work.condition is not None:
            _ask(Signature(work.condition), known, problems)
        elif work.parameter is not None:
            _need(f"the conditional {unit.name}", work.parameter, known, problems)
    elif isinstance(work, Rounds) and work.index_as:
        known.add(work.index_as)
    for inner in unit.composite.units.values():
        found = _walk(inner, known, problems)
        passed |= found
        if not isinstance(work, Branches | Choice):
            known |= found
    if isinstance(work, Rounds) and callable(work.until):
        _ask(Signature(work.until), known, problems)
    return passed


def _ask(signature: Signature, known: set[str], problems: list[CannotBind]) -> None:
    problems += [missing(signature.name, name, known) for name in signature.required if name not in known]


def _need(who: str, name: str, known: set[str], problems: list[CannotBind]) -> None:
    if name not in known:
        problems.append(missing(who, name, known))


def check_objects(root: Unit) -> None:
    """Refuse, for a durable store, objects of which nothing says how they are kept.

    Raises:
        UsageError: names the step and the return.
    """
    for path, unit, is_outermost in _leaves(root, "", outermost=True):
        for one in getattr(unit.work, "returns", ()):
            if one.kind != "object" or one.serializer is not None:
                continue
            if not one.recompute:
                hint = f"Return({one.name!r}, 'object', serializer=…), or recompute=True"
                raise UsageError(f"{path} returns the object {one.name}, which this store cannot keep", hint=hint)
            if not is_outermost:
                hint = "give it a serializer, or move the step out of the branch"
                told = f"{path} is to make {one.name} again, which only outermost steps can do"
                raise UsageError(told, hint=hint)


def _leaves(unit: Unit, path: str, *, outermost: bool) -> Iterable[tuple[str, Unit, bool]]:
    for name, inner in unit.composite.units.items():
        place = f"{path}/{name}" if path else name
        if inner.is_composite:
            yield from _leaves(inner, place, outermost=False)
        else:
            yield place, inner, outermost
