"""Loading and validating 10,000 task files, against a plain read of the same files by PyYAML's C loader."""

import time
from pathlib import Path

import yaml

from bench.reporting import Row
from orchestration.loading import load_project

COUNT = 10_000
_TASK = """\
---
id: TASK-{i:05d}
title: Do the thing number {i}
agent: shell
priority: high
labels: [one, two]
depends_on: [{needs}]
estimate_hours: 1.5
verify:
  - test -e README.md
retry: {{max: 3, backoff: {{initial: 1s}}}}
---
Do it well, and say what you did.
"""


def loading(folder: Path) -> list[Row]:
    """Rows for the whole load, checks included."""
    tasks = folder / "loading" / "tasks"
    tasks.mkdir(parents=True)
    for i in range(COUNT):
        needs = f"TASK-{i - 1:05d}" if i % 10 else ""
        (tasks / f"{i:05d}.md").write_text(_TASK.format(i=i, needs=needs))
    (folder / "loading" / "orchestration.yaml").touch()
    ours, theirs = [], []
    for _ in range(3):
        began = time.perf_counter()
        project = load_project(folder / "loading")
        ours.append(time.perf_counter() - began)
        began = time.perf_counter()
        for path in sorted(tasks.iterdir()):
            yaml.load(path.read_text().split("---\n")[1], Loader=yaml.CSafeLoader)
        theirs.append(time.perf_counter() - began)
    if len(project.tasks) != COUNT:
        raise AssertionError(f"{len(project.tasks)} tasks were loaded")
    return [
        Row(f"load and validate {COUNT:,} task files", min(ours) * 1000, "ms"),
        Row("÷ plain CSafeLoader of the same files", min(ours) / min(theirs), "times", goal="≤ 1.3"),
    ]
