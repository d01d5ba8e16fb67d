"""Measures every Python function: its length without the docstring, and its cyclomatic complexity."""

import ast
import statistics
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

from agents.facts import save
from agents.syntax import python_files

AnyFunction: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef
SHOWN = 10
BUCKETS = (5, 10, 15, 20, 25, 30, 40, 60)
"""Upper ends of the histogram's classes of length; the last class has none."""

BRANCHES = (ast.If, ast.IfExp, ast.For, ast.AsyncFor, ast.While, ast.ExceptHandler, ast.match_case, ast.comprehension)


@dataclass(frozen=True, slots=True)
class Function:
    """One function; `lines` is its body's length without the docstring."""

    file: str
    line: int
    name: str
    lines: int
    complexity: int


def functions_of(path: str, module: ast.Module) -> Iterator[Function]:
    """Every function of a file; one inside another is also counted by itself."""
    for node, name in _named(module, ""):
        first = node.body[1:] if ast.get_docstring(node, clean=False) is not None else node.body
        lines = (node.end_lineno or 0) - first[0].lineno + 1 if first else 0
        yield Function(path, node.lineno, name, lines, complexity(node))


def _named(parent: ast.AST, prefix: str) -> Iterator[tuple[AnyFunction, str]]:
    for node in ast.iter_child_nodes(parent):
        inner = f"{prefix}{node.name}." if isinstance(node, AnyFunction | ast.ClassDef) else prefix
        if isinstance(node, AnyFunction):
            yield node, f"{prefix}{node.name}"
        yield from _named(node, inner)


def complexity(function: AnyFunction) -> int:
    """The number of ways through a function: one, and one more for each place where it can branch."""
    waiting: list[ast.AST] = list(ast.iter_child_nodes(function))
    ways = 1
    while waiting:
        node = waiting.pop()
        if isinstance(node, AnyFunction | ast.Lambda | ast.ClassDef):
            continue  # a way of its own
        ways += isinstance(node, BRANCHES)
        ways += len(node.values) - 1 if isinstance(node, ast.BoolOp) else 0
        ways += len(node.ifs) if isinstance(node, ast.comprehension) else 0
        waiting.extend(ast.iter_child_nodes(node))
    return ways


def histogram(lengths: list[int]) -> list[dict[str, Any]]:
    """How many functions are of which length, as `{from, to, count}`; `to` is None for the last class."""
    edges = [(low + 1, high) for low, high in zip((-1, *BUCKETS), BUCKETS, strict=False)]
    classes = [{"from": low, "to": high, "count": sum(low <= n <= high for n in lengths)} for low, high in edges]
    return [*classes, {"from": BUCKETS[-1] + 1, "to": None, "count": sum(n > BUCKETS[-1] for n in lengths)}]


def survey() -> dict[str, Any]:
    """Measure all functions of the tree; returns the outputs for the tasks that follow."""
    found: list[Function] = []
    unread: list[str] = []
    for file, module in python_files():
        if module is None:
            unread.append(file.path)
        else:
            found += functions_of(file.path, module)
    lengths = [function.lines for function in found]
    longest = sorted(found, key=lambda function: (-function.lines, function.file, function.line))
    tangled = sorted(found, key=lambda function: (-function.complexity, function.file, function.line))
    by_file: dict[str, int] = {}
    for function in found:
        by_file[function.file] = by_file.get(function.file, 0) + function.complexity
    facts = {
        "count": len(found),
        "longest_lines": max(lengths, default=0),
        "median_lines": statistics.median_low(lengths) if lengths else 0,
        "highest_complexity": max((function.complexity for function in found), default=0),
        "histogram": histogram(lengths),
        "longest": [asdict(function) for function in longest[:SHOWN]],
        "tangled": [asdict(function) for function in tangled[:SHOWN]],
        "complexity_by_file": by_file,
        "unread": unread,
    }
    save("functions", facts)
    return {"functions": len(found), "longest_lines": facts["longest_lines"], "unread_files": len(unread)}
