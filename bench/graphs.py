"""A batch whose tasks depend on many others, beside one of as many tasks that depend on nothing."""

import shutil
from functools import partial
from pathlib import Path

from bench.measuring import Runner, median_ratio, rounds
from bench.reporting import Row

LAYERS, WIDTH = 20, 50
"""Each task of a layer depends on all of the one before: 47,500 dependencies of 1,000 tasks."""


def _project(folder: Path, *, dense: bool) -> Path:
    (folder / "tasks").mkdir(parents=True)
    (folder / "orchestration.yaml").write_text("agents:\n  cheap: {kind: shell, command: /bin/true}\n")
    lines = ["tasks:"]
    for layer in range(LAYERS):
        needs = ", ".join(f"T{layer - 1}-{n}" for n in range(WIDTH)) if dense and layer else ""
        lines += [f"  - {{id: T{layer}-{n}, agent: cheap, depends_on: [{needs}]}}" for n in range(WIDTH)]
    (folder / "tasks" / "all.yaml").write_text("\n".join(lines) + "\n")
    return folder


def graphs(orch: str, folder: Path, times: int) -> list[Row]:
    """A row for the whole commands, loading included."""
    runners = []
    for name in ("flat", "dense"):
        project = _project(folder / name, dense=name == "dense")
        argv = [orch, "-C", str(project), "--quiet", "run-batch", "--max-concurrent", "4"]
        fresh = partial(shutil.rmtree, project / ".orchestration", ignore_errors=True)
        runners.append(Runner(name, argv, prepare=fresh))
    ratio = median_ratio(rounds(runners, times), "dense", "flat")
    return [Row("1,000 tasks with 47,500 dependencies ÷ without any", ratio, "times", goal="≤ 1.15")]
