"""The graph as a tree, as Mermaid and as dot: complete, the same every time, and safe whatever titles hold."""

import re

from hypothesis import given
from hypothesis import strategies as st

from cli.render.tree import ASCII, LINES, MAX_DEPTH, tree
from orchestration.exporting.dot import dot
from orchestration.exporting.mermaid import mermaid
from orchestration.graph import Graph
from orchestration.kinds import ExecutionStatus

DIAMOND = Graph.build([("A", []), ("B", ["A"]), ("C", ["A"]), ("D", ["B", "C"]), ("E", ["D"]), ("F", [])])


def drawn(graph: Graph) -> list[str]:
    return list(tree(graph, lambda task_id: task_id, ASCII))


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    size = draw(st.integers(0, 12))
    return Graph.build(
        [
            (f"T-{i}", [f"T-{need}" for need in draw(st.lists(st.integers(0, i - 1), unique=True))] if i else [])
            for i in range(size)
        ]
    )


def test_what_waits_for_a_task_stands_below_it_and_a_second_time_it_is_marked() -> None:
    assert drawn(DIAMOND) == [
        "A",
        "|-- B",
        "|   `-- D",
        "|       `-- E",
        "`-- C",
        "    `-- D (above)",
        "F",
    ]


def test_lines_are_drawn_where_they_can_be() -> None:
    assert list(tree(DIAMOND, str.lower, LINES))[1:3] == ["├── b", "│   └── d"]


@given(graphs())
def test_the_tree_shows_every_task_and_every_edge(graph: Graph) -> None:
    lines = drawn(graph)
    names = [re.sub(r"^[|` -]*", "", line).removesuffix(" (above)") for line in lines]
    assert set(names) == set(graph.ids)
    roots = sum(not needs for needs in graph.needs)
    assert len(lines) == roots + sum(map(len, graph.needed_by))


def test_a_chain_of_ten_thousand_tasks_is_drawn_in_no_more_than_a_screens_width() -> None:
    chain = Graph.build([(f"T{i}", [f"T{i - 1}"] if i else []) for i in range(10_000)])
    lines = drawn(chain)
    assert max(map(len, lines)) < 4 * MAX_DEPTH + 30
    assert {line.split("T")[-1].split(" ")[0] for line in lines} == {str(i) for i in range(10_000)}


STATUSES = {"A": ExecutionStatus.SUCCESS, "B": ExecutionStatus.FAILED, "C": ExecutionStatus.PENDING}


def test_mermaid_numbers_its_nodes_and_colours_what_is_known() -> None:
    assert mermaid(DIAMOND, {"A": "start"}, STATUSES).splitlines() == [
        "flowchart TD",
        '    n0["A: start"]',
        '    n1["B"]',
        '    n2["C"]',
        '    n3["D"]',
        '    n4["E"]',
        '    n5["F"]',
        "    n0 --> n1",
        "    n0 --> n2",
        "    n1 --> n3",
        "    n2 --> n3",
        "    n3 --> n4",
        "    classDef success fill:#b7e4c7,color:#000",
        "    class n0 success",
        "    classDef failed fill:#ffadad,color:#000",
        "    class n1 failed",
    ]


@given(st.text())
def test_no_title_breaks_out_of_a_mermaid_label(title: str) -> None:
    text = mermaid(Graph.build([("A", [])]), {"A": title}, {})
    label = text.removeprefix('flowchart TD\n    n0["').removesuffix('"]')
    assert re.fullmatch(r"(?:[\w .,:/()+=-]|#\d+;)*", label)


@given(st.text())
def test_no_title_breaks_out_of_a_dot_label(title: str) -> None:
    lines = dot(Graph.build([("A", [])]), {"A": title}, {}).split("\n")
    assert len(lines) == 5
    assert re.fullmatch(r'    "A" \[label="(?:[^"\\]|\\.)*"\];', lines[3])


def test_dot_has_every_edge_and_the_colour_of_every_known_state() -> None:
    text = dot(DIAMOND, {"A": "start"}, STATUSES)
    assert '    "A" [label="A\\nstart", fillcolor="#b7e4c7"];' in text
    assert '    "C" [label="C"];' in text
    assert re.findall(r'"(\w)" -> "(\w)"', text) == [("A", "B"), ("A", "C"), ("B", "D"), ("C", "D"), ("D", "E")]


@given(graphs())
def test_the_same_graph_is_drawn_the_same(graph: Graph) -> None:
    again = Graph.build([(graph.ids[i], [graph.ids[j] for j in graph.needs[i]]) for i in range(len(graph.ids))])
    assert (mermaid(graph, {}, {}), dot(graph, {}, {}), drawn(graph)) == (
        mermaid(again, {}, {}),
        dot(again, {}, {}),
        drawn(again),
    )
