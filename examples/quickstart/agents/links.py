"""Follows every relative link of the tree's Markdown files: `python3 -m agents.links`.

A link is broken if its file is not in the tree, or if no heading of that file makes its anchor (as GitHub makes them).
Links to other hosts are counted, not visited: a survey must not depend on other people's servers.
"""

import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import PurePosixPath
from posixpath import normpath
from urllib.parse import unquote

from agents.facts import pass_on, save
from agents.index import SNAPSHOT, indexed
from agents.wording import visible

FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})(.*)$")
CODE = re.compile(r"(`+)(?!`).+?(?<!`)\1(?!`)")
COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
LINK = re.compile(r"\]\(\s*(<[^<>\n]*>|[^\s()<>]*(?:\([^\s()]*\)[^\s()]*)*)(?:\s+[\"'(][^\n]*?[\"')])?\s*\)")
DEFINITION = re.compile(r"^ {0,3}\[(?!\^)[^\]]+\]:\s*(\S+)")
HEADING = re.compile(r"^ {0,3}#{1,6}\s+(.*?)(?:\s+#+)?\s*$")
UNDERLINE = re.compile(r"^ {0,3}(?:=+|-+)\s*$")
NAMED = re.compile(r"<[a-zA-Z][^>]*\s(?:id|name)=[\"']([^\"']+)[\"']")
OTHER_HOST = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*:|//")


@dataclass(frozen=True, slots=True)
class Broken:
    """A link that leads nowhere."""

    file: str
    line: int
    target: str
    why: str


def prose(text: str) -> list[str]:
    """The lines of a Markdown text, with fenced code and comments blanked out."""
    text = COMMENT.sub(lambda comment: "\n" * comment[0].count("\n"), text)
    lines, fence = [], ""
    for line in text.split("\n"):
        mark = FENCE.match(line)
        if fence:
            closes = mark and mark[1].startswith(fence) and not mark[2].strip()
            fence = "" if closes else fence
            lines.append("")
        elif mark and not (mark[1][0] == "`" and "`" in mark[2]):
            fence = mark[1]
            lines.append("")
        else:
            lines.append(line)
    return lines


def links(lines: list[str]) -> Iterator[tuple[int, str]]:
    """Every link's line number and target."""
    for number, line in enumerate(lines, 1):
        bare = CODE.sub("", line)
        targets = [*LINK.findall(bare), *DEFINITION.findall(bare)]
        yield from ((number, target.strip("<>")) for target in targets)


def anchors(lines: list[str]) -> set[str]:
    """The anchors of a Markdown file: one for each heading, numbered where headings repeat, and those it names."""
    titles = [found[1] for line in lines if (found := HEADING.match(line))]
    titles += [line for line, under in pairwise(lines) if UNDERLINE.match(under) and is_underlined(line)]
    seen: Counter[str] = Counter()
    made = {name for line in lines for name in NAMED.findall(line)}
    for title in titles:
        slug = slug_of(title)
        made.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
        seen[slug] += 1
    return made


def is_underlined(line: str) -> bool:
    """Whether a line of signs below this one makes it a heading; below a list, a table or nothing it is a rule."""
    return bool(line.strip()) and not HEADING.match(line) and not line.lstrip().startswith(("|", "-", "*", ">"))


def slug_of(title: str) -> str:
    """The anchor that a heading makes."""
    shown = re.sub(r"!?\[([^\]]*)\](?:\([^)]*\)|\[[^\]]*\])", r"\1", title)
    shown = re.sub(r"</?[a-zA-Z][^>]*>", "", shown).strip().lower()
    return re.sub(r"[^\w\- ]", "", shown).replace(" ", "-")


class Checker:
    """Knows the tree's files and, once asked for, the anchors of each Markdown file."""

    def __init__(self) -> None:
        self.files = {file.path for file in indexed()}
        self.folders = {str(parent) for path in self.files for parent in PurePosixPath(path).parents}
        self._anchors: dict[str, set[str]] = {}

    def lines(self, path: str) -> list[str]:
        """The prose of one file."""
        return prose((SNAPSHOT / path).read_bytes().decode("utf-8", "replace"))

    def fault(self, source: str, target: str) -> str | None:
        """Why a link is broken, None if it leads somewhere."""
        name, _, anchor = target.partition("#")
        name = unquote(name.partition("?")[0])
        path = normpath(name.lstrip("/") if name.startswith("/") else PurePosixPath(source).parent / name)
        place = path if name else source
        if place.startswith(".."):
            return "leads out of the tree"
        if place not in self.files:
            return None if place in self.folders else "no such file in the tree"
        if not anchor or PurePosixPath(place).suffix.lower() not in {".md", ".markdown"}:
            return None
        if place not in self._anchors:
            self._anchors[place] = anchors(self.lines(place))
        return None if unquote(anchor).lower() in self._anchors[place] else f"no heading of {place} makes #{anchor}"


def main() -> int:
    """Follow all links; broken ones are a finding for the report, not a failure of this task."""
    checker = Checker()
    documents = indexed("markdown")
    found = [(file.path, number, target) for file in documents for number, target in links(checker.lines(file.path))]
    inside = [link for link in found if not OTHER_HOST.match(link[2])]
    broken = [Broken(*link, why) for link in inside if (why := checker.fault(link[0], link[2]))]
    for one in broken:
        print(visible(f"{one.file}:{one.line}: {one.target}: {one.why}"))
    print(f"{len(inside)} relative links in {len(documents)} documents, {len(broken)} broken")
    facts = {
        "documents": len(documents),
        "links": len(found),
        "followed": len(inside),
        "elsewhere": len(found) - len(inside),
        "broken": [asdict(one) for one in broken],
    }
    save("links", facts)
    pass_on(links=len(inside), broken=len(broken))
    return 0


if __name__ == "__main__":
    sys.exit(main())
