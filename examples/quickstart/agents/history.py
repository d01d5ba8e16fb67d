"""Summarises the git history of the tree, as a script agent: how much, when, by how many, what changes most.

A clone may be shallow and a tree may have no history at all; both are said plainly and neither is a failure.
"""

import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from agents.facts import save
from agents.protocol import answer
from agents.tree import git, source_tree
from agents.wording import counted

MOST_COMMITS = 20_000  # bounds time and memory on old projects; the facts say when it cut
SHOWN = 10
DAYS = 42  # a history up to this long is drawn by days,
WEEKS = 53  # up to this many weeks by weeks,
MONTHS = 36  # and any longer one by its last months
RECORD, FIELD = "\x1e", "\x1f"


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit: its day in UTC, its author, and the files that it changed."""

    day: date
    author: str
    files: list[str] = field(default_factory=list)
    added: int = 0
    removed: int = 0


def commits_of(tree: Path) -> list[Commit]:
    """The commits that touch the tree, newest first.

    Raises:
        OSError: There is no git, no checkout or no commit; the message says which.
    """
    inside = git(tree, "rev-parse", "--show-prefix").strip()
    paths = ["--relative", "--", "."] if inside else []
    form = f"--format={RECORD}%ct{FIELD}%aN"
    log = git(tree, "log", "--numstat", "--no-renames", f"--max-count={MOST_COMMITS}", form, *paths)
    return [_commit(record) for record in log.decode("utf-8", "replace").split(RECORD)[1:]]


def _commit(record: str) -> Commit:
    head, *rows = record.rstrip("\n").split("\n")
    stamp, author = head.split(FIELD)
    changes = [row.split("\t", 2) for row in rows if row.count("\t") >= 2]  # noqa: PLR2004  # added, removed, path
    return Commit(
        day=datetime.fromtimestamp(int(stamp), UTC).date(),
        author=author,
        files=[path for _, _, path in changes],
        added=sum(int(added) for added, _, _ in changes if added != "-"),  # a dash for files that are no text
        removed=sum(int(removed) for _, removed, _ in changes if removed != "-"),
    )


def periods(days: list[date]) -> tuple[str, list[dict[str, Any]]]:
    """The length of a period, and the commits in each from the first to the last, the empty ones too."""
    first, last = min(days), max(days)
    if (last - first).days <= DAYS:
        name, starts = "day", [first + timedelta(n) for n in range((last - first).days + 1)]
    elif (last - first).days <= 7 * WEEKS:
        monday = first - timedelta(first.weekday())
        name, starts = "week", [monday + timedelta(7 * n) for n in range((last - monday).days // 7 + 1)]
    else:
        name, starts = "month", [day for day in _months(last) if day >= first.replace(day=1)]
    ends = [*starts[1:], date.max]
    counts = [sum(start <= day < end for day in days) for start, end in zip(starts, ends, strict=True)]
    return name, [{"start": start.isoformat(), "commits": n} for start, n in zip(starts, counts, strict=True)]


def _months(last: date) -> Iterator[date]:
    for back in range(MONTHS - 1, -1, -1):
        year, month = divmod(last.year * 12 + last.month - 1 - back, 12)
        yield date(year, month + 1, 1)


def survey(tree: Path) -> dict[str, Any]:
    """The facts; where there is no history, `available` is false and `why` says why."""
    try:
        commits = commits_of(tree)
        shallow = git(tree, "rev-parse", "--is-shallow-repository").strip() == b"true"
    except OSError as error:
        return {"available": False, "why": str(error), "commits": 0, "authors": 0, "changes": {}}
    if not commits:
        return {"available": False, "why": "no commit touches this folder", "commits": 0, "authors": 0, "changes": {}}
    changes = Counter(path for commit in commits for path in commit.files)
    authors = Counter(commit.author for commit in commits)
    most = sorted(changes, key=lambda path: (-changes[path], path))[:SHOWN]
    period, bars = periods([commit.day for commit in commits])
    return {
        "available": True,
        "shallow": shallow,
        "cut": len(commits) == MOST_COMMITS,
        "commits": len(commits),
        "authors": len(authors),
        "first": min(commit.day for commit in commits).isoformat(),
        "last": max(commit.day for commit in commits).isoformat(),
        "added": sum(commit.added for commit in commits),
        "removed": sum(commit.removed for commit in commits),
        "period": period,
        "periods": bars,
        "most_changed": [{"file": path, "commits": changes[path]} for path in most],
        "changes": dict(sorted(changes.items())),
    }


def summarise(_: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The sentence and the outputs of this task."""
    facts = survey(source_tree())
    save("history", facts)
    said = f"{counted(facts['commits'], 'commit')} by {counted(facts['authors'], 'person', 'people')}"
    said = said if facts["available"] else f"no history: {facts['why']}"
    return said, {"commits": facts["commits"], "authors": facts["authors"]}


if __name__ == "__main__":
    sys.exit(answer(summarise))
