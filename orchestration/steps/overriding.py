"""Changes to single steps for one run: `overrides={"p/left/fetch": {"timeout": 5}}`.

A step is named by its path in the run, as in `run["p/left/fetch"]`; `m[*]/fetch` is that of every item of a map or
round of a loop, and counts where `m[3]/fetch` is not named too. What the steps are, and how they follow each other, is
not changed by this, so it is no part of a run's fingerprint. Everything is checked before anything runs.
"""

import copy
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from orchestration.errors import UsageError
from orchestration.graph import nearest
from orchestration.steps.agents import AgentLeaf
from orchestration.steps.functions import FunctionLeaf
from orchestration.steps.reading import checked_count, checked_mapping, retry_of
from orchestration.steps.unit import Unit

_INDEX: Final = re.compile(r"\[\d+\]")
_EACH: Final = frozenset({"map", "loop"})
"""Kinds of composites whose parts have numbers."""

_OF_TASKS: Final = ("timeout", "idle_timeout", "retry")
_OF_OTHERS: Final = (*_OF_TASKS, "env", "agent")


class Overriding:
    """The changes of one run.

    Args:
        root: the outermost composite.
        written: path → what is different.

    Raises:
        UsageError: there is no such step, or it has no such thing; names the nearest.
    """

    def __init__(self, root: Unit, written: Mapping[str, Mapping[str, Any]]) -> None:
        """Check and apply all of it."""
        checked_mapping(written, "overrides")
        known = dict(_paths(root, ""))
        self._units: dict[str, Unit] = {}
        for path, changes in written.items():
            unit = known.get(_INDEX.sub("[*]", str(path)))
            if unit is None:
                hint = nearest(str(path), known) or f"steps: {', '.join(list(known)[:20])}"
                raise UsageError(f"overrides: there is no step {path!r:.120}", hint=hint)
            checked_mapping(changes, f"overrides of {path}")
            self._units[path] = _changed(unit, path, changes)

    def unit(self, path: str, unit: Unit) -> Unit:
        """The step at a place in the run, as it is to be there."""
        if not self._units:
            return unit
        found = self._units.get(path) or self._units.get(_INDEX.sub("[*]", path))
        return unit if found is None else replace(found, name=unit.name, needs=unit.needs)


def _paths(unit: Unit, path: str) -> Iterator[tuple[str, Unit]]:
    """Each step with its path in runs."""
    for name, inner in unit.composite.units.items():
        place = f"{path}[*]" if unit.work.kind in _EACH else f"{path}/{name}" if path else name
        yield place, inner
        if inner.is_composite:
            yield from _paths(inner, place)


def _keys_of(unit: Unit) -> tuple[str, ...]:
    """What can be different about a step."""
    if unit.is_composite:
        return ("max_concurrent",) if unit.work.kind in {"map", "parallel"} else ()
    if unit.work.kind == "notebook":
        return (*_OF_TASKS, "env")
    return _OF_OTHERS if isinstance(unit.work, AgentLeaf) else _OF_TASKS


def _changed(unit: Unit, path: str, changes: Mapping[str, Any]) -> Unit:
    work = unit.work
    keys = _keys_of(unit)
    for key in changes:
        if key not in keys:
            hint = nearest(str(key), keys) or f"it has {', '.join(keys) or 'nothing to be overridden'}"
            raise UsageError(f"overrides of {path}: a step of kind {work.kind} has no {key!r:.80}", hint=hint)
    if "max_concurrent" in changes:
        checked_count(changes["max_concurrent"], f"overrides of {path}: max_concurrent")
        unit = replace(unit, at_once=changes["max_concurrent"])
    if "retry" in changes:
        unit = replace(unit, retry=retry_of(changes["retry"], f"overrides of {path}"))
    others = {key: value for key, value in changes.items() if key not in {"retry", "max_concurrent"}}
    if others and isinstance(work, FunctionLeaf | AgentLeaf):
        leaf = copy.copy(work)
        change: Callable[[Mapping[str, Any], str], None] = leaf.override
        change(others, f"overrides of {path}")
        unit = replace(unit, work=leaf)
    return unit
