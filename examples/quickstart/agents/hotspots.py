"""Ranks the files where work is most likely to hurt: those that are both tangled and often changed."""

from typing import Any

from agents.facts import load, save
from agents.wording import visible

SHOWN = 10


def rank(commits: int, functions: int) -> dict[str, Any]:
    """Multiply each Python file's complexity by the number of commits that changed it.

    Both numbers come from the tasks before: without commits there is nothing to multiply with, and the ranking, by
    complexity alone, says so.

    Args:
        commits: How many commits the history has; 0 if there is none.
        functions: How many functions were measured.
    """
    complexity: dict[str, int] = load("functions")["complexity_by_file"]
    changes: dict[str, int] = load("history")["changes"] if commits else {}
    rows: list[dict[str, Any]] = [
        {
            "file": file,
            "complexity": ways,
            "changes": changes.get(file, 0),
            "score": ways * (changes.get(file, 0) if commits else 1),
        }
        for file, ways in complexity.items()
    ]
    rows.sort(key=lambda row: (-row["score"], -row["complexity"], row["file"]))
    by = "complexity x changes" if commits else "complexity alone: there is no history"
    save("hotspots", {"by": by, "files": rows[:SHOWN], "functions": functions})
    return {"hottest": visible(rows[0]["file"]) if rows else "none", "hottest_score": rows[0]["score"] if rows else 0}
