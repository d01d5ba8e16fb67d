"""A Markdown file → front matter and body, by lines alone; what the front matter says is read elsewhere.

Survives: blank lines before the front matter, spaces behind its fences, `...` as its end, front matter that never ends
(an error: its keys would silently become text), a horizontal rule in the body, and headings in blocks of code, which
are comments of a program.
"""

import re
from typing import Final

from orchestration.loading.findings import Finding, Refused
from orchestration.records import dataclass

_OPENING: Final = re.compile(r"\n*---[ \t]*(?:\n|\Z)")
_CLOSING: Final = re.compile(r"^(?:---|\.\.\.)[ \t]*$", re.MULTILINE)
_HEADING: Final = re.compile(r"^ {0,3}(?:(```|~~~)|#[ \t]+(.+?)[ \t]*#*[ \t]*$)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Page:
    """The two parts of a file; the front matter begins on `first_line`."""

    front: str
    body: str
    first_line: int
    has_front: bool = True


def split(text: str, shown: str) -> Page:
    """Take a file apart.

    Raises:
        Refused: its front matter begins but does not end.
    """
    opening = _OPENING.match(text)
    if opening is None:
        return Page("", text, 1, has_front=False)
    first_line = text.count("\n", 0, opening.end()) + 1
    closing = _CLOSING.search(text, opening.end())
    if closing is None:
        what = "the front matter that begins here does not end"
        raise Refused(Finding(what, shown, "put a line `---` after it", max(first_line - 1, 1)))
    return Page(text[opening.end() : closing.start()], text[closing.end() :], first_line)


def without_blank_edges(text: str) -> str:
    """The text from its first to its last line that is not blank; what stands in these lines stays as it is."""
    end = text.find("\n", len(text.rstrip()))
    start = text.rfind("\n", 0, len(text) - len(text.lstrip())) + 1
    return text[start : None if end < 0 else end]


def first_heading(body: str) -> str | None:
    """The text of the first `# heading`."""
    fenced_by = None
    for found in _HEADING.finditer(body):
        fence, title = found.groups()
        if fence is None and fenced_by is None:
            return str(title)
        if fence is not None:
            fenced_by = fence if fenced_by is None else None if fence == fenced_by else fenced_by
    return None
