"""Random pipelines give what a plain interpreter of the same description gives, however many steps run at once.

The interpreter is twenty lines, knows nothing of the engine, and does one thing after the other.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration import AsyncPipeline, AsyncPythonTask, Conditional, Loop, Map, Parallel, PythonTask
from orchestration.store.memory import MemoryStore
from tests.world.steps import statuses

NAMES = ("a", "b", "c")
Values: TypeAlias = dict[str, Any]


# -- descriptions ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Step:
    """Adds up what it knows, and returns it under a name; in a thread, or after a moment, or both at once."""

    reads: tuple[str, ...]
    writes: str
    plus: int
    in_thread: bool
    moment: float

    def value(self, known: Mapping[str, Any]) -> int:
        return sum(weight(known[name]) * (n + 1) for n, name in enumerate(self.reads)) % 1009 + self.plus


@dataclass(frozen=True)
class Composite:
    """A composite of one of the kinds; of a conditional, the first name chooses."""

    kind: str
    parts: tuple["Part", ...]
    name: str
    count: int


Part: TypeAlias = Step | Composite


def weight(value: Any) -> int:  # noqa: ANN401  # a number, or lists of numbers
    return value if isinstance(value, int) else sum((n + 1) * weight(item) for n, item in enumerate(value))


names = st.sampled_from(NAMES)
leaves = st.builds(
    Step,
    reads=st.lists(names, max_size=3).map(tuple),
    writes=names,
    plus=st.integers(0, 9),
    in_thread=st.booleans(),
    moment=st.sampled_from([0.0, 0.0, 0.001]),
)


def composites(parts: st.SearchStrategy[Part]) -> st.SearchStrategy[Part]:
    kinds = st.sampled_from(["pipeline", "parallel", "map", "conditional", "loop"])
    return st.builds(Composite, kinds, st.lists(parts, min_size=1, max_size=3).map(tuple), names, st.integers(0, 3))


sequences = st.lists(st.recursive(leaves, composites, max_leaves=8), min_size=1, max_size=4)


# -- one thing after the other ---------------------------------------------------------------------------------------


def do_all(parts: Sequence[Part], known: Values) -> Values:
    made: Values = {}
    for part in parts:
        made |= do(part, {**known, **made})
    return made


def do(part: Part, known: Values) -> Values:
    if isinstance(part, Step):
        return {part.writes: part.value(known)}
    if part.kind == "pipeline":
        return do_all(part.parts, known)
    if part.kind == "parallel":
        return {name: value for one in part.parts for name, value in do_all([one], known).items()}
    if part.kind == "conditional":
        return do_all([part.parts[weight(known[part.name]) % len(part.parts)]], known)
    if part.kind == "map":
        rows = [do_all(part.parts, {**known, part.name: item}) for item in range(part.count)]
        return {name: [row[name] for row in rows] for name in written(part.parts)}
    made: Values = {}
    for number in range(max(1, part.count)):
        made |= do_all(part.parts, {**known, **made, "round": number})
    return made


def written(parts: Sequence[Part]) -> list[str]:
    """The names that parts return for certain; a conditional's branches are made to return the same."""
    found = [[part.writes] if isinstance(part, Step) else written(part.parts) for part in parts]
    return list(dict.fromkeys(name for one in found for name in one))


# -- as a pipeline ---------------------------------------------------------------------------------------------------


def task(name: str, step: Step) -> AsyncPythonTask | PythonTask:
    def compute(**known: Any) -> int:  # noqa: ANN401  # whatever is known
        return step.value(known)

    async def compute_soon(**known: Any) -> int:  # noqa: ANN401  # as above
        await asyncio.sleep(step.moment)
        return step.value(known)

    if step.in_thread:
        return PythonTask(compute, name, returns=[step.writes])
    return AsyncPythonTask(compute_soon, name, returns=[step.writes])


def built(name: str, part: Part) -> Any:  # noqa: ANN401  # a step of any kind
    if isinstance(part, Step):
        return task(name, part)
    if part.kind == "pipeline":
        return pipeline_of(name, part.parts)
    if part.kind == "parallel":
        return Parallel(name, {f"b{n}": built(f"s{n}", one) for n, one in enumerate(part.parts)})
    if part.kind == "conditional":
        branches = {n: built(f"s{n}", one) for n, one in enumerate(part.parts)}
        return Conditional(name, branches, condition=choosing(part))
    if part.kind == "map":
        counted = PythonTask(lambda: list(range(part.count)), f"{name}_items", returns=[f"{name}_xs"])
        mapped = Map(name, pipeline_of("item", part.parts), f"{name}_xs", part.name)
        return pipeline_of(f"{name}_both", (), counted, mapped)
    last = max(1, part.count)
    return Loop(name, pipeline_of("body", part.parts), f"round >= {last - 1}", last, index_as="round")


def choosing(part: Composite) -> Any:  # noqa: ANN401  # a condition
    def chosen(**known: Any) -> int:  # noqa: ANN401  # whatever is known
        return weight(known[part.name]) % len(part.parts)

    return chosen


def pipeline_of(name: str, parts: Sequence[Part], *more: Any) -> AsyncPipeline:  # noqa: ANN401  # steps
    return AsyncPipeline([*(built(f"s{n}", part) for n, part in enumerate(parts)), *more], name=name)


def without_ragged(part: Part) -> Part:
    """The same, without conditionals whose branches return different names: what they return is not known before."""
    if isinstance(part, Step):
        return part
    parts = tuple(map(without_ragged, part.parts))
    if part.kind == "conditional":
        first = set(written(parts[:1]))
        parts = tuple(one for one in parts if set(written([one])) == first)
    return Composite(part.kind, parts, part.name, part.count)


@settings(max_examples=60)
@given(sequences, st.sampled_from([1, 2, 4, 6, None]))
def test_a_random_pipeline_gives_what_doing_one_thing_after_the_other_gives(
    parts: list[Part], max_concurrent: int | None
) -> None:
    parts = [without_ragged(part) for part in parts]
    known: Values = {"a": 1, "b": 2, "c": 3}
    expected = do_all(parts, known)
    store = MemoryStore()
    pipeline = pipeline_of("random", parts)
    run = pipeline.run(known, run_id="r", max_concurrent=max_concurrent, store=store)
    assert run.succeeded, [one.error for one in run.results if one.error]
    outputs = {name: value for name, value in run.outputs.items() if name in expected}
    assert outputs == expected
    again = pipeline.run(known, run_id="r", store=store)
    assert (again.outputs, statuses(again)) == (run.outputs, statuses(run))
