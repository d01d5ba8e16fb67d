"""What stands in a Markdown document: fenced blocks with the words before them, tables, headings, links.

A comment on the line before a fence says what a sample is (`samples` has the list of words). Edges survived: a comment
with a word that means nothing (an error, else a slip would switch a sample off), fences inside of lists, fences that
hold fences, bars and backticks in cells, two headings of one name.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent.parent
MARKS: Final = frozenset({"file", "continues", "prints", "pytest", "notebook", "task", "settings"})

_FENCE: Final = re.compile(r"^(?P<indent> *)(?P<ticks>`{3,})(?P<language>[\w-]*) *$")
_COMMENT: Final = re.compile(r"^ *<!--(?P<text>.*)-->$")
_NAME: Final = re.compile(r"# ([\w./-]+\.yaml)\n")  # a comment in the sample itself that says which file it is
_LINK: Final = re.compile(r"\[(?:[^\[\]]|\[[^\]]*\])*\]\(<?([^()\s>]+)>?(?: \"[^\"]*\")?\)")
_CODE: Final = re.compile(r"(`+)(.+?)\1(?!`)")
_HEADING: Final = re.compile(r"^(#{1,6}) +(.+?) *#*$")


class BrokenSample(AssertionError):
    """A sample does not do what the document says; the text begins with its place."""


@dataclass(frozen=True, slots=True)
class Fence:
    """One fenced block, with what the comment before it says; `line` is that of its opening."""

    document: str
    line: int
    language: str
    text: str
    marks: Mapping[str, str] = field(default_factory=dict)

    @property
    def place(self) -> str:
        """Where it stands."""
        return f"{self.document}:{self.line}"

    def breaks(self, why: str) -> BrokenSample:
        """The error that says so."""
        return BrokenSample(f"{self.place}: {why}")


def read(name: str) -> str:
    """The text of a document, by its path from the top of the checkout."""
    return (ROOT / name).read_text(encoding="utf-8")


def fences_of(document: str, text: str) -> list[Fence]:
    """All fences of a document.

    Raises:
        BrokenSample: one does not end, or the comment before it has an unknown word.
    """
    return [fence for _, fence in _walk(document, text) if fence is not None]


def prose_of(document: str, text: str) -> str:
    """The document without its fences; lines keep their numbers."""
    return "\n".join(line for line, fence in _walk(document, text) for line in _lines_for(line, fence))


def _lines_for(line: str, fence: Fence | None) -> list[str]:
    return [line] if fence is None else [""] * (fence.text.count("\n") + 2)


def _walk(document: str, text: str) -> Iterator[tuple[str, Fence | None]]:
    """Each line that is outside of fences, and each fence."""
    lines = text.split("\n")
    at = 0
    while at < len(lines):
        opening = _FENCE.match(lines[at])
        if opening is None:
            yield lines[at], None
            at += 1
            continue
        ends = [i for i in range(at + 1, len(lines)) if lines[i].strip() == opening["ticks"]]
        if not ends:
            raise BrokenSample(f"{document}:{at + 1}: the fence does not end")
        body = "".join(f"{line.removeprefix(opening['indent'])}\n" for line in lines[at + 1 : ends[0]])
        marks = _marks(document, at, lines[at - 1] if at else "")
        named = _NAME.match(body)
        if opening["language"] == "yaml" and named is not None:
            marks.setdefault("file", named[1])
        yield lines[at], Fence(document, at + 1, opening["language"], body, marks)
        at = ends[0] + 1


def _marks(document: str, line: int, before: str) -> dict[str, str]:
    comment = _COMMENT.match(before)
    if comment is None:
        return {}
    pairs = [part.partition(":") for part in comment["text"].split(";")]
    marks = {name.strip(): value.strip() for name, _, value in pairs}
    if unknown := marks.keys() - MARKS:
        raise BrokenSample(f"{document}:{line}: unknown words before a sample: {', '.join(sorted(unknown))}")
    return marks


def table_of(text: str, heading: str, first_column: str) -> list[dict[str, str]]:
    """The rows of the first table below a heading whose first column is called so, each as column → cell.

    Raises:
        LookupError: there is no such heading or table.
    """
    return tables_of(text, heading, first_column)[0]


def tables_of(text: str, heading: str, first_column: str) -> list[list[dict[str, str]]]:
    """All such tables; raises like `table_of`."""
    lines = iter(_below(text, heading))
    found = []
    for line in lines:
        columns = _cells(line)
        if columns[:1] == [first_column]:
            next(lines)
            rows = [_cells(row) for row in takewhile(lambda row: row.startswith("|"), lines)]
            found.append([dict(zip(columns, row, strict=True)) for row in rows])
    if not found:
        raise LookupError(f"below “{heading}” there is no table whose first column is {first_column!r}")
    return found


def _below(text: str, heading: str) -> Sequence[str]:
    """The lines from a heading to the next one of its level or above."""
    lines = prose_of(heading, text).split("\n")
    starts = [i for i, line in enumerate(lines) if re.fullmatch(rf"#+ {re.escape(heading)}", line)]
    if not starts:
        raise LookupError(f"there is no heading “{heading}”")
    level = lines[starts[0]].index(" ")
    ends = [i for i in range(starts[0] + 1, len(lines)) if re.match(rf"#{{1,{level}}} ", lines[i])]
    return lines[starts[0] + 1 : ends[0] if ends else None]


def _cells(line: str) -> list[str]:
    """The cells of a row; a bar behind a backslash belongs to its cell."""
    if not line.startswith("|"):
        return []
    return [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def codes_in(text: str) -> list[str]:
    """What stands between backticks."""
    return [found[2].strip() for found in _CODE.finditer(text)]


def name_in(cell: str) -> str:
    """The one piece of code in a cell."""
    (name,) = codes_in(cell)
    return name


def links_of(document: str, text: str) -> list[tuple[int, str]]:
    """The targets of all links, each with its line; what looks like a link in code is none."""
    lines = prose_of(document, text).split("\n")
    return [
        (number, target)
        for number, line in enumerate(lines, 1)
        for target in _LINK.findall(_CODE.sub(lambda found: "`" * len(found[0]), line))
    ]


def anchors_of(document: str, text: str) -> set[str]:
    """The anchors that the headings of a document have where it is shown as a page."""
    times: Counter[str] = Counter()
    anchors = set()
    for line in prose_of(document, text).split("\n"):
        if heading := _HEADING.match(line):
            plain = _LINK.sub(lambda found: found[0][1 : found[0].index("](")], heading[2]).lower()
            slug = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
            anchors.add(f"{slug}-{times[slug]}" if times[slug] else slug)
            times[slug] += 1
    return anchors
