"""The graph of tasks: what is wrong is named, and what is asked is answered, however long or knotted it is."""

import subprocess
import sys
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.errors import GraphError
from orchestration.graph import MAX_CYCLE_NAMED, MAX_CYCLES_NAMED, MAX_HINTS, Graph, cycle_problem, cycles, nearest

LONG = 100_000

Edges = list[tuple[str, list[str]]]


@st.composite
def acyclic(draw: st.DrawFn) -> Edges:
    """Tasks that depend on others, declared in any order."""
    count = draw(st.integers(0, 12))
    edges = [
        (f"t{i}", [f"t{j}" for j in draw(st.lists(st.integers(0, i - 1), max_size=4))] if i else [])
        for i in range(count)
    ]
    return list(draw(st.permutations(edges)))


@st.composite
def anything(draw: st.DrawFn) -> list[list[int]]:
    """For each task whom it needs, itself perhaps among them."""
    count = draw(st.integers(1, 9))
    return draw(st.lists(st.lists(st.integers(0, count - 1), max_size=3), min_size=count, max_size=count))


def chain(length: int) -> Edges:
    return [(f"t{i}", [f"t{i - 1}"] if i else []) for i in range(length)]


def messages(edges: Edges) -> list[str]:
    with pytest.raises(GraphError) as caught:
        Graph.build(edges)
    return [problem.message for problem in caught.value.problems]


# -- building -------------------------------------------------------------------------------------------------------


@given(acyclic())
def test_every_task_comes_after_what_it_needs_and_edges_are_the_same_from_both_sides(edges: Edges) -> None:
    graph = Graph.build(edges)
    position = {i: at for at, i in enumerate(graph.order)}
    assert sorted(graph.order) == list(range(len(edges)))
    for i, (task_id, wanted) in enumerate(edges):
        assert graph.ids[i] == task_id
        assert graph.index[task_id] == i
        assert [graph.ids[j] for j in graph.needs[i]] == list(dict.fromkeys(wanted))
        assert all(position[j] < position[i] and i in graph.needed_by[j] for j in graph.needs[i])
    assert sum(map(len, graph.needs)) == sum(map(len, graph.needed_by))


@pytest.mark.slow
def test_a_chain_of_a_hundred_thousand_tasks_is_built_in_either_direction() -> None:
    forward = Graph.build(chain(LONG))
    backward = Graph.build(chain(LONG)[::-1])
    assert [forward.ids[i] for i in forward.order] == [backward.ids[i] for i in backward.order]
    assert len(forward.downstream(["t0"])) == len(forward.upstream([f"t{LONG - 1}"])) == LONG
    assert forward.critical_path([1.0] * LONG) == (list(range(LONG)), float(LONG))


# -- what is wrong --------------------------------------------------------------------------------------------------


def test_ids_given_twice_and_unknown_dependencies_are_all_named_with_the_nearest_id() -> None:
    with pytest.raises(GraphError) as caught:
        Graph.build([("TASK-1", ["TASK-2"]), ("TASK-1", ["other"]), ("TASK-3", []), ("TASK-3", [])])
    assert [(problem.message, problem.hint) for problem in caught.value.problems] == [
        ("the id TASK-1 is given twice", "ids are unique"),
        ("the id TASK-3 is given twice", "ids are unique"),
        ("TASK-1 depends on TASK-2, which does not exist", "did you mean TASK-3?"),
        ("TASK-1 depends on other, which does not exist", None),
    ]
    assert caught.value.message == "the id TASK-1 is given twice (and 3 more)"
    assert caught.value.exit_code == 2


def test_ten_thousand_unknown_dependencies_do_not_look_for_ten_thousand_near_ids() -> None:
    with pytest.raises(GraphError) as caught:
        Graph.build([("task-0", []), *((f"x{i}", [f"task-{i + 1}"]) for i in range(200))])
    hints = [problem.hint for problem in caught.value.problems]
    assert len(hints) == 200
    assert sum(hint is not None for hint in hints) == MAX_HINTS


@pytest.mark.parametrize(
    ("edges", "expected"),
    [
        ([("a", ["a"])], ["a depends on itself"]),
        ([("a", ["b"]), ("b", ["a"])], ["cycle: a → b → a"]),
        ([("z", []), ("c", ["a"]), ("a", ["b", "z"]), ("b", ["c", "c"])], ["cycle: c → a → b → c"]),
        ([("a", ["b"]), ("b", ["a"]), ("c", ["d"]), ("d", ["c"])], ["cycle: a → b → a", "cycle: c → d → c"]),
        ([("in", ["a"]), ("a", ["b"]), ("b", ["a"]), ("out", ["in"])], ["cycle: a → b → a"]),
    ],
)
def test_cycles_are_named_from_their_first_declared_task_on(edges: Edges, expected: list[str]) -> None:
    assert messages(edges) == expected


@given(anything())
def test_a_cycle_is_found_exactly_where_there_is_one(needs: list[list[int]]) -> None:
    found = cycles(needs)
    for cycle in found:
        assert all(after in needs[before] for before, after in pairwise([*cycle, cycle[0]]))
        assert cycle[0] == min(cycle)
        assert len(set(cycle)) == len(cycle)
    knotted = {i for i in range(len(needs)) if i in reachable(needs, i)}
    assert bool(found) == bool(knotted)
    for i in knotted:  # whoever is on a cycle gets to a named one, so mending those leaves fewer
        assert any(set(cycle) & (reachable(needs, i)) for cycle in found)
    assert len({i for cycle in found for i in cycle}) == sum(map(len, found)), "two of them share a task"


def reachable(needs: list[list[int]], start: int) -> set[int]:
    seen: set[int] = set()
    todo = list(needs[start])
    while todo:
        here = todo.pop()
        if here not in seen:
            seen.add(here)
            todo += needs[here]
    return seen


@pytest.mark.slow
def test_a_cycle_of_a_hundred_thousand_tasks_is_found_and_its_message_can_be_read() -> None:
    edges = chain(LONG)
    edges[0] = ("t0", [f"t{LONG - 1}"])
    (message,) = messages(edges)
    assert message.startswith("cycle: t0 → t99999 → t99998 → ")
    assert f"({LONG - MAX_CYCLE_NAMED:,} more) → t1 → t0" in message


def test_a_cycle_that_can_be_named_in_full_is() -> None:
    names = [str(i) for i in range(MAX_CYCLE_NAMED)]
    assert cycle_problem(names).message == f"cycle: {' → '.join([*names, '0'])}"


def test_only_so_many_cycles_are_named() -> None:
    assert len(messages([(f"t{i}", [f"t{i}"]) for i in range(1000)])) == MAX_CYCLES_NAMED


# -- asking ---------------------------------------------------------------------------------------------------------


@given(acyclic(), st.data())
def test_closures_hold_whoever_is_connected_in_declaration_order(edges: Edges, data: st.DataObject) -> None:
    if not edges:
        return
    graph = Graph.build(edges)
    start = data.draw(st.sampled_from(graph.ids))
    i = graph.index[start]
    above = reachable([list(row) for row in graph.needs], i) | {i}
    below = reachable([list(row) for row in graph.needed_by], i) | {i}
    assert graph.upstream([start]) == [graph.ids[j] for j in sorted(above)]
    assert graph.downstream([start]) == [graph.ids[j] for j in sorted(below)]


@given(acyclic(), st.data())
def test_the_critical_path_is_the_heaviest_of_all_paths(edges: Edges, data: st.DataObject) -> None:
    graph = Graph.build(edges)
    weights = [float(w) for w in data.draw(st.lists(st.integers(0, 9), min_size=len(edges), max_size=len(edges)))]
    path, weight = graph.critical_path(weights)

    def heaviest(i: int) -> float:
        return weights[i] + max((heaviest(j) for j in graph.needed_by[i]), default=0.0)

    assert weight == max(map(heaviest, range(len(edges))), default=0.0) == sum(weights[i] for i in path)
    assert all(after in graph.needed_by[before] for before, after in pairwise(path))
    assert graph.longest_remaining(weights) == list(map(heaviest, range(len(edges))))


def test_a_graph_without_tasks_has_no_path() -> None:
    assert Graph.build([]).critical_path([]) == ([], 0.0)


@pytest.mark.slow
def test_the_order_does_not_depend_on_the_hash_seed() -> None:
    program = (
        "from orchestration.graph import Graph, cycles\n"
        "edges = [(f't{i}', [f't{(i * 7) % (i or 1)}', f't{i // 2}'] if i else []) for i in range(50)]\n"
        "g = Graph.build(edges[::-1])\n"
        "print(list(g.order), [list(r) for r in g.needs], cycles([[(i * 3 + 1) % 40] for i in range(40)]))\n"
    )
    seen = {
        subprocess.run(
            [sys.executable, "-c", program], env={"PYTHONHASHSEED": seed}, check=True, capture_output=True
        ).stdout
        for seed in ("0", "1", "2")
    }
    assert len(seen) == 1


@pytest.mark.parametrize(
    ("word", "expected"), [("TASK-01", "did you mean TASK-001?"), ("zzz", None), ("x" * 10**6, None)]
)
def test_the_nearest_word_is_near(word: str, expected: str | None) -> None:
    assert nearest(word, ["TASK-001", "other"]) == expected
