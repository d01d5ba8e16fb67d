"""What it costs to call `orch` at all, against `python -I -c pass` of the same environment."""

import sys
from pathlib import Path

from bench.batches import make_backlog
from bench.measuring import Runner, median, median_ratio, rounds
from bench.reporting import Row

_GOALS = {
    "import orchestration": "≤ 2",
    "import AsyncPipeline": "",
    "orch version": "≤ 4",
    "orch --help": "≤ 8",
    "orch list": "",
    "one task": "≤ 25",
}


def startup(orch: str, folder: Path, times: int) -> list[Row]:
    """Rows for the commands that shells call in loops."""
    project = make_backlog(folder / "startup", 1)
    python = [sys.executable, "-I", "-c"]
    runners = [
        Runner("python", [*python, "pass"]),
        Runner("import asyncio", [*python, "import asyncio"]),
        Runner("import orchestration", [*python, "import orchestration"]),
        Runner("import AsyncPipeline", [*python, "from orchestration import AsyncPipeline"]),
        Runner("orch version", [orch, "version"]),
        Runner("orch --help", [orch, "--help"]),
        Runner("orch list", [orch, "-C", str(project), "list"]),
        Runner("one task", [orch, "-C", str(project), "execute-task", "T0", "--force"]),
    ]
    costs = rounds(runners, times)
    rows = [Row("python -I -c pass", median(costs["python"], "wall") * 1000, "ms")]
    for name, goal in _GOALS.items():
        floor = "import asyncio" if name.startswith("import") else "python"
        rows.append(Row(f"{name} ÷ {floor}", median_ratio(costs, name, floor), "times", goal=goal))
    return rows
