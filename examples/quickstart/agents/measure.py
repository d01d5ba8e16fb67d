"""Counts lines: code, words for people (comments, docstrings, prose) and blank ones, for each kind of file."""

import ast
import io
import tokenize
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from agents.facts import save
from agents.index import File, content_of, indexed
from agents.syntax import parse

PROSE = frozenset({"markdown", "restructuredtext", "other text"})
COMMENT_MARKS = {"sql": ("--",)} | dict.fromkeys(
    ("c", "c++", "css", "go", "java", "javascript", "rust", "typescript"),
    ("//", "/*", "*"),
)
USUAL_MARKS = ("#",)


@dataclass(slots=True)
class Count:
    """Lines of some files; the three sorts add up to the lines."""

    files: int = 0
    lines: int = 0
    code: int = 0
    words: int = 0
    blank: int = 0

    def add(self, other: "Count") -> None:
        """Add another count to this one."""
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def to_dict(self) -> dict[str, int]:
        """The count as JSON."""
        return {name: getattr(self, name) for name in self.__slots__}


def count(kind: str, content: bytes) -> Count:
    """Count the lines of one text file; they end at newlines only, as editors and `wc` see it."""
    lines = content.decode("utf-8", "replace").split("\n")
    if lines[-1] == "":
        lines.pop()
    blank = sum(not line.strip() for line in lines)
    words = sum(1 for number in _words(kind, lines) if lines[number - 1].strip())
    return Count(1, len(lines), len(lines) - blank - words, words, blank)


def _words(kind: str, lines: list[str]) -> set[int]:
    """The numbers of the lines that speak to people."""
    if kind in PROSE:
        return set(range(1, len(lines) + 1))
    if kind == "python" and (module := parse("\n".join(lines))) is not None:
        return _docstrings(module) | _python_comments(lines)
    marks = COMMENT_MARKS.get(kind, USUAL_MARKS)
    return {number for number, line in enumerate(lines, 1) if line.lstrip().startswith(marks)}


def _docstrings(module: ast.Module) -> set[int]:
    found: set[int] = set()
    for node in ast.walk(module):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if ast.get_docstring(node, clean=False) is not None:
            found.update(range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1))
    return found


def _python_comments(lines: list[str]) -> set[int]:
    tokens = tokenize.generate_tokens(io.StringIO("\n".join(lines)).readline)
    try:
        return {token.start[0] for token in tokens if token.type == tokenize.COMMENT and _stands_alone(token)}
    except (tokenize.TokenError, SyntaxError):  # the parser and the tokenizer disagree at odd ends of files
        return set()


def _stands_alone(token: tokenize.TokenInfo) -> bool:
    return not token.line[: token.start[1]].strip()


async def measure() -> AsyncIterator[dict[str, Any]]:
    """Count the tree's lines kind by kind, tell of each kind, and end with the totals as outputs."""
    files = [file for file in indexed() if file.kind != "binary"]
    kinds: dict[str, Count] = {}
    folders: dict[str, Count] = {}
    for kind in sorted({file.kind for file in files}):
        for file in (file for file in files if file.kind == kind):
            counted = count(kind, content_of(file))
            kinds.setdefault(kind, Count()).add(counted)
            folders.setdefault(_folder(file), Count()).add(counted)
        yield {"type": "progress", "message": f"{kind}: {kinds[kind].lines} lines in {kinds[kind].files} files"}
    total = Count()
    for counted in kinds.values():
        total.add(counted)
    save(
        "measure",
        {
            "total": total.to_dict(),
            "kinds": {kind: kinds[kind].to_dict() for kind in sorted(kinds, key=lambda kind: -kinds[kind].lines)},
            "folders": {name: folders[name].to_dict() for name in sorted(folders)},
        },
    )
    yield {"type": "done", "lines": total.lines, "code": total.code, "text_files": total.files}


def _folder(file: File) -> str:
    parts = PurePosixPath(file.path).parts
    return parts[0] if len(parts) > 1 else "(top)"
