"""Draws who imports whom among the tree's Python modules, and on how many floors they stand.

A module's floor is one above the highest one that it imports; modules that import each other in a circle share a floor
and are reported, because no order of floors holds for them. Imports that are made only when a function runs, or only
for type checkers, are left out: they are how circles are broken on purpose.
"""

import ast
import sys
from collections import Counter
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import PurePosixPath
from typing import Any, TypeAlias

from agents.circles import components
from agents.facts import save
from agents.syntax import python_files

Graph: TypeAlias = dict[str, set[str]]
SHOWN = 8


def module_of(path: str) -> str:
    """A file's dotted name, from the top of the tree."""
    parts = PurePosixPath(path).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


def imported(module: ast.Module, name: str, *, is_package: bool) -> Iterator[list[str]]:
    """For each import that runs with the module: the names that it could mean, the most precise first."""
    waiting: list[ast.AST] = [module]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) or _is_for_type_checkers(node):
            continue
        if isinstance(node, ast.Import):
            yield from ([alias.name] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            source = _source(node, name, is_package=is_package)
            yield from ([f"{source}.{alias.name}".lstrip("."), source] for alias in node.names)
        waiting.extend(ast.iter_child_nodes(node))


def _is_for_type_checkers(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")


def _source(node: ast.ImportFrom, name: str, *, is_package: bool) -> str:
    if not node.level:
        return node.module or ""
    up = node.level - is_package
    parts = name.split(".")
    return ".".join([*parts[: len(parts) - up], *filter(None, [node.module])])


def resolve(target: str, importer: str, modules: set[str]) -> str | None:
    """The module of the tree that a name means: from the top, below `src`, or from a folder above the importer."""
    if target.partition(".")[0] in sys.stdlib_module_names:
        return None
    parts = importer.split(".")
    roots = ["", "src.", *(".".join(parts[:depth]) + "." for depth in range(1, len(parts)))]
    return next((root + target for root in roots if root + target in modules), None)


def draw() -> tuple[Graph, set[str]]:
    """The tree's modules with what each imports, and the names of everything else that is imported."""
    parsed = [(file.path, module_of(file.path), module) for file, module in python_files()]
    modules = {name for _, name, _ in parsed}
    graph: Graph = {name: set() for name in modules}
    foreign: set[str] = set()
    for path, name, module in parsed:
        targets = imported(module, name, is_package=path.endswith("__init__.py")) if module else ()
        for candidates in targets:
            meant = next(filter(None, (resolve(one, name, modules) for one in candidates)), None)
            if meant is None:
                foreign.add(candidates[-1].partition(".")[0])
            elif meant != name:
                graph[name].add(meant)
    return graph, foreign - {""}


def floors(graph: Graph, groups: list[list[str]]) -> dict[str, int]:
    """Each module's floor, counted from 0 for those that import nothing of the tree."""
    group_of = {name: number for number, group in enumerate(groups) for name in group}
    below = {
        number: {group_of[target] for name in group for target in graph[name]} - {number}
        for number, group in enumerate(groups)
    }
    floor: dict[int, int] = {}
    for number in TopologicalSorter(below).static_order():
        floor[number] = 1 + max((floor[target] for target in below[number]), default=-1)
    return {name: floor[group_of[name]] for name in graph}


def survey() -> dict[str, Any]:
    """Survey the imports of the tree; returns the outputs for the tasks that follow."""
    graph, foreign = draw()
    groups = components(graph)
    circles = sorted(group for group in groups if len(group) > 1)
    floor = floors(graph, groups)
    importers = Counter(target for targets in graph.values() for target in targets)
    carrying = sorted(importers, key=lambda name: (-importers[name], name))
    height = max(floor.values(), default=-1) + 1
    by_floor = [sorted(name for name in graph if floor[name] == level) for level in range(height)]
    facts = {
        "modules": len(graph),
        "edges": sum(map(len, graph.values())),
        "circles": circles,
        "floors": [{"floor": n, "modules": len(names), "some": names[:SHOWN]} for n, names in enumerate(by_floor)],
        "most_imported": [{"module": name, "importers": importers[name]} for name in carrying[:SHOWN]],
        "foreign": sorted(foreign - sys.stdlib_module_names),
    }
    save("imports", facts)
    return {"modules": len(graph), "circles": len(circles), "height": height}
