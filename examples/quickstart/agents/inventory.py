"""Takes stock of the Python tests: how many test functions there are in which folder."""

import ast
import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

from agents.facts import save
from agents.syntax import python_files

TEST_FILE = re.compile(r"test_.*\.py|.*_test\.py|tests?\.py")


def tests_of(module: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """The test functions that pytest and unittest would both take: at the top, or in a class."""
    for node in module.body:
        inner = node.body if isinstance(node, ast.ClassDef) else [node]
        for one in inner:
            if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef) and one.name.startswith("test"):
                yield one


def is_table(test: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether a test runs once for each row of a table."""
    return any("parametrize" in ast.unparse(decorator) for decorator in test.decorator_list)


def survey() -> dict[str, Any]:
    """Count the tests of the tree; returns the outputs for the tasks that follow."""
    folders: dict[str, dict[str, int]] = {}
    for file, module in python_files():
        path = PurePosixPath(file.path)
        if module is None or not TEST_FILE.fullmatch(path.name):
            continue
        tests = list(tests_of(module))
        row = folders.setdefault(str(path.parent), {"files": 0, "tests": 0, "tables": 0})
        row["files"] += 1
        row["tests"] += len(tests)
        row["tables"] += sum(map(is_table, tests))
    total = {key: sum(row[key] for row in folders.values()) for key in ("files", "tests", "tables")}
    save("tests", {**total, "folders": dict(sorted(folders.items()))})
    return {"tests": total["tests"], "test_files": total["files"]}
