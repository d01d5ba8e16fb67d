"""Where a parameter comes from, held to the plainest way to look for it; and that long ways cost no more."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration import FlowExecutor
from orchestration.flow import Flow, FlowStep
from orchestration.flow.upstream import Upstream
from orchestration.graph import Graph
from tests.loop.flows import play

NAMES = "abc"


@dataclass(frozen=True)
class Written:
    """One step: whom it waits for, under which names it returns its id, and whether it is skipped."""

    needs: tuple[str, ...]
    returns: frozenset[str]
    is_skipped: bool


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, Written]:
    """Steps in an order of declaration that need not be that of their doing."""
    steps: dict[str, Written] = {}
    for n in range(draw(st.integers(1, 9))):
        needs = draw(st.lists(st.sampled_from([*steps]), unique=True, max_size=3)) if steps else []
        returns = draw(st.frozensets(st.sampled_from(NAMES)))
        steps[f"s{n}"] = Written(tuple(needs), returns, draw(st.integers(0, 5)) == 0)
    return dict(draw(st.permutations([*steps.items()])))


def above(graph: Mapping[str, Written], step_id: str) -> set[str]:
    found: set[str] = set()
    for need in graph[step_id].needs:
        found |= {need} | above(graph, need)
    return found


def skipped(graph: Mapping[str, Written], step_id: str) -> bool:
    """It was to be skipped, or all that it waits for were."""
    needs = graph[step_id].needs
    return graph[step_id].is_skipped or (bool(needs) and all(skipped(graph, need) for need in needs))


def wanted(graph: Mapping[str, Written], step_id: str, name: str) -> str:
    """The step from which a value comes, by the words of the documentation."""
    direct, order = set(graph[step_id].needs), [*graph]
    for some in (direct, above(graph, step_id) - direct):
        for other in sorted(some, key=order.index, reverse=True):
            if name in graph[other].returns and not skipped(graph, other):
                return other
    return "nowhere"


def asking(step_id: str, written: Written, got: dict[str, dict[str, str]]) -> Callable[..., object]:
    async def step(a: str = "nowhere", b: str = "nowhere", c: str = "nowhere") -> dict[str, str]:
        got[step_id] = {"a": a, "b": b, "c": c}
        return dict.fromkeys(written.returns, step_id)

    return step


@settings(max_examples=150, deadline=None)
@given(graph=graphs(), bound=st.sampled_from([1, 3]))
def test_a_parameter_comes_from_the_nearest_last_declared_step(graph: dict[str, Written], bound: int) -> None:
    got: dict[str, dict[str, str]] = {}
    steps = [
        FlowStep(one, asking(one, written, got), depends_on=written.needs, when=False if written.is_skipped else None)
        for one, written in graph.items()
    ]
    run = play(Flow("f", steps), max_concurrent=bound)
    assert run.succeeded, [(one.task_id, one.error) for one in run.results]
    assert got == {one: {name: wanted(graph, one, name) for name in NAMES} for one in graph if not skipped(graph, one)}


@given(graph=graphs())
def test_who_stands_above_whom(graph: dict[str, Written]) -> None:
    upstream = Upstream(Graph.build((one, written.needs) for one, written in graph.items()))
    for one in graph:
        found = [*upstream.ids(upstream.bits(one))]
        assert found == [other for other in reversed(graph) if other in above(graph, one)]
        assert [other for other in graph if upstream.has(one, other)] == found[::-1]
    assert not upstream.has(next(iter(graph)), "nobody")


async def first() -> dict[str, int]:
    return {"far": 1}


async def counts(n: int) -> int:
    return n + 1


async def asks(far: int) -> int:
    return far


@pytest.mark.slow
@pytest.mark.parametrize(
    ("function", "when"), [(counts, None), (asks, None), (asks, "far == 1"), (asks, lambda far: far == 1)]
)
def test_a_step_of_a_chain_ten_times_as_long_takes_about_as_long(function: Callable[..., object], when: object) -> None:
    def seconds(count: int) -> float:
        later = [FlowStep(f"s{n}", function, depends_on=f"s{n - 1}", when=when) for n in range(1, count)]  # type: ignore[arg-type]  # a condition
        flow = Flow("chain", [FlowStep("s0", first if function is asks else zero), *later])
        began = time.process_time()
        assert FlowExecutor().run(flow).succeeded
        return (time.process_time() - began) / count

    assert min(seconds(4_000) for _ in range(2)) < 4 * min(seconds(400) for _ in range(3))


async def zero() -> int:
    return 0
