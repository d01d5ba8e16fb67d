"""Finds the circles of a directed graph: its strongly connected components, after Kosaraju."""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet


def components(graph: Mapping[str, AbstractSet[str]]) -> list[list[str]]:
    """The groups of nodes that can all reach each other, each sorted; a node in no circle is a group of one."""
    backward: dict[str, set[str]] = {name: set() for name in graph}
    for name, targets in graph.items():
        for target in targets:
            backward[target].add(name)
    seen: set[str] = set()
    order = [node for name in sorted(graph) for node in _finished(graph, name, seen)]
    seen = set()
    return [sorted(group) for name in reversed(order) if (group := list(_finished(backward, name, seen)))]


def _finished(graph: Mapping[str, AbstractSet[str]], start: str, seen: set[str]) -> Iterator[str]:
    """Walk deep first and yield each new node when all that it leads to is done; without recursion, for deep graphs."""
    if start in seen:
        return
    seen.add(start)
    path: list[tuple[str, Iterator[str]]] = [(start, iter(sorted(graph[start])))]
    while path:
        node, targets = path[-1]
        following = next((target for target in targets if target not in seen), None)
        if following is None:
            path.pop()
            yield node
        else:
            seen.add(following)
            path.append((following, iter(sorted(graph[following]))))
