"""The graph as a Mermaid flowchart, for Markdown that renders it.

Ids of tasks never become ids of nodes (Mermaid has reserved words and no quoting for them): nodes are numbered in
declaration order. In labels everything that Mermaid or HTML could read as its own is written as an entity.
"""

import re
from collections.abc import Mapping
from typing import Final

from orchestration.exporting.palette import FILLS, LABEL_CHARACTERS, one_line
from orchestration.graph import Graph
from orchestration.kinds import ExecutionStatus

_SPECIAL: Final = re.compile(r"[^\w .,:/()+=-]")


def mermaid(graph: Graph, titles: Mapping[str, str], statuses: Mapping[str, ExecutionStatus]) -> str:
    """The flowchart, the same for the same graph; nodes are coloured where a status is known."""
    lines = ["flowchart TD"]
    lines += [f'    n{i}["{_label(task_id, titles)}"]' for i, task_id in enumerate(graph.ids)]
    lines += [f"    n{need} --> n{i}" for i, needs in enumerate(graph.needs) for need in needs]
    used = [status for status in FILLS if status in statuses.values()]
    for status in used:
        members = ",".join(f"n{i}" for i, task_id in enumerate(graph.ids) if statuses.get(task_id) is status)
        lines += [f"    classDef {status.value} fill:{FILLS[status]},color:#000", f"    class {members} {status.value}"]
    return "\n".join(lines)


def _label(task_id: str, titles: Mapping[str, str]) -> str:
    title = one_line(titles.get(task_id, ""))[:LABEL_CHARACTERS]
    text = f"{task_id}: {title}" if title and title != task_id else task_id
    return _SPECIAL.sub(lambda found: f"#{ord(found[0])};", text)
