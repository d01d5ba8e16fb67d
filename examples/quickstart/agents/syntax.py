"""Reads Python as syntax trees, also where somebody else's file is broken."""

import ast
import warnings
from collections.abc import Iterator

from agents.index import File, content_of, indexed


def parse(text: str | bytes) -> ast.Module | None:
    """The syntax tree, None for what this Python cannot read (another version's syntax, a template, a fragment)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about escapes in other people's strings
        try:
            return ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):  # the last for absurdly nested expressions
            return None


def python_files() -> Iterator[tuple[File, ast.Module | None]]:
    """Every Python file of the index with its syntax tree."""
    for file in indexed("python"):
        yield file, parse(content_of(file))
