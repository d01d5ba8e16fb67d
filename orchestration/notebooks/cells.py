"""The cells of a notebook as plain data: where parameters go in, what a cell assigns, what asks for values.

A notebook's parameters are the names that its cell tagged `parameters` assigns: their defaults. What is given is
assigned in a cell of its own after it, tagged `injected-parameters`; one of an earlier run is replaced.
"""

import ast
import math
from collections.abc import Iterable, Mapping
from typing import Any, Final

PARAMETERS: Final = "parameters"
INJECTED: Final = "injected-parameters"


def _tagged(cell: Mapping[str, Any], tag: str) -> bool:
    return tag in cell.get("metadata", {}).get("tags", ())


def defaults_of(notebook: Mapping[str, Any]) -> list[str]:
    """The names that the cells tagged `parameters` assign."""
    found: list[str] = []
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code" and _tagged(cell, PARAMETERS):
            found += _assigned("".join(cell["source"]))
    return list(dict.fromkeys(found))


def _assigned(source: str) -> Iterable[str]:
    try:
        tree = ast.parse(source)
    except SyntaxError:  # the kernel will say so, or its language is another one
        return
    for statement in tree.body:
        targets = statement.targets if isinstance(statement, ast.Assign) else []
        if isinstance(statement, ast.AnnAssign):
            targets = [statement.target]
        for target in targets:
            yield from (node.id for node in ast.walk(target) if isinstance(node, ast.Name))


def injected(notebook: dict[str, Any], values: Mapping[str, Any], cell: Any) -> None:  # noqa: ANN401  # a cell of nbformat's
    """Put a cell that assigns values after the one with the defaults, or first where there is none."""
    cells = [one for one in notebook["cells"] if not _tagged(one, INJECTED)]
    if values:
        at = max((i + 1 for i, one in enumerate(cells) if _tagged(one, PARAMETERS)), default=0)
        cells.insert(at, cell)
    notebook["cells"] = cells


def assignments(values: Mapping[str, Any]) -> str:
    """The code of such a cell."""
    return "\n".join(["# Parameters", *(f"{name} = {literal(value)}" for name, value in values.items())])


def literal(value: Any) -> str:  # noqa: ANN401  # any JSON
    """A JSON value as Python writes it."""
    if isinstance(value, float) and not math.isfinite(value):
        return f'float("{value}")'
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key!r}: {literal(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(literal(item) for item in value) + "]"
    return repr(value)


ASKS: Final = """\
import json
def told(value):
    for way in ("model_dump", "tolist", "item", "to_dict"):
        if callable(getattr(value, way, None)):
            return getattr(value, way)(mode="json") if way == "model_dump" else getattr(value, way)()
    if isinstance(value, (set, frozenset, tuple)):
        return list(value)
    raise TypeError(f"it is a {type(value).__name__}, which is no JSON")
found, wrong = {}, []
for name in names:
    if name not in known:
        wrong.append(f"there is no variable {name}")
        continue
    try:
        found[name] = json.loads(json.dumps(known[name], default=told, allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        is_nan = str(error).startswith("Out of range float")
        wrong.append(f"{name} cannot be returned: {'it has nan or infinity, which is no JSON' if is_nan else error}")
with open(path, "w", encoding="utf-8") as file:
    json.dump({"found": found, "wrong": wrong}, file)
"""
"""Writes variables of the kernel into a file, as JSON: those of `known` that `names` has, to `path`."""


def asking(names: Iterable[str], path: str) -> str:
    """The code that has a kernel do so, in names of its own: the notebook may call its variables `type` or `open`."""
    given = f"{{'names': {[*names]!r}, 'path': {path!r}, 'known': _orch.globals()}}"
    return f"import builtins as _orch\ntry:\n    _orch.exec({ASKS!r}, {given})\nfinally:\n    del _orch\n"
