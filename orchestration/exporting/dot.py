"""The graph in Graphviz's language: `orch graph --format dot | dot -Tsvg > graph.svg`."""

from collections.abc import Mapping

from orchestration.exporting.palette import FILLS, LABEL_CHARACTERS, one_line
from orchestration.graph import Graph
from orchestration.kinds import ExecutionStatus


def dot(graph: Graph, titles: Mapping[str, str], statuses: Mapping[str, ExecutionStatus]) -> str:
    """The digraph, the same for the same graph; nodes are filled where a status is known."""
    lines = ["digraph tasks {", "    rankdir=LR;", "    node [shape=box, style=filled, fillcolor=white];"]
    for task_id in graph.ids:
        title = one_line(titles.get(task_id, ""))[:LABEL_CHARACTERS]
        label = f"{_escaped(task_id)}\\n{_escaped(title)}" if title and title != task_id else _escaped(task_id)
        status = statuses.get(task_id)
        fill = f', fillcolor="{FILLS[status]}"' if status and status in FILLS else ""
        lines.append(f'    "{_escaped(task_id)}" [label="{label}"{fill}];')
    for i, needs in enumerate(graph.needs):
        lines += [f'    "{_escaped(graph.ids[need])}" -> "{_escaped(graph.ids[i])}";' for need in needs]
    return "\n".join([*lines, "}"])


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
