"""Which tasks a selection means, and that to find them takes no longer for each of many than for each of a few."""

import math
import time
from pathlib import Path

import pytest

from orchestration.errors import UnknownTask
from orchestration.loading import Project, load_project
from orchestration.orchestrator.selection import Selection

BACKLOG = """
tasks:
  - {id: A, labels: [Fast, ui], phase: Build, priority: high}
  - {id: B, labels: [slow], phase: build}
  - {id: C, phase: Test, priority: high}
  - {id: D}
"""


def _project(folder: Path, backlog: str) -> Project:
    (folder / "tasks").mkdir()
    (folder / "tasks" / "all.yaml").write_text(backlog, encoding="utf-8")
    return load_project(folder)


@pytest.mark.parametrize(
    ("selection", "meant"),
    [
        (Selection(), "ABCD"),
        (Selection.of(None), "ABCD"),
        (Selection.of([]), ""),
        (Selection.of(["C", "A", "C"]), "AC"),
        (Selection(labels=("fast", "SLOW")), "AB"),
        (Selection(phases=("BUILD",)), "AB"),
        (Selection(priorities=("high",)), "AC"),
        (Selection(("A", "B"), labels=("slow",)), "B"),
        (Selection(labels=("ui",), phases=("test",)), ""),
    ],
)
def test_all_that_is_asked_for_must_hold_and_the_order_is_that_of_the_backlog(
    tmp_path: Path, selection: Selection, meant: str
) -> None:
    assert "".join(task.id for task in selection.choose(_project(tmp_path, BACKLOG))) == meant


def test_ids_that_the_backlog_does_not_have_are_named(tmp_path: Path) -> None:
    with pytest.raises(UnknownTask, match="there is no task E, F"):
        Selection.of(["E", "A", "F"]).choose(_project(tmp_path, BACKLOG))


def test_to_be_named_takes_no_longer_for_each_of_many(tmp_path: Path) -> None:
    lines = "".join(f"  - {{id: T{n}}}\n" for n in range(8_000))
    project = _project(tmp_path, f"tasks:\n{lines}")

    def seconds_for(selection: Selection) -> float:
        best = math.inf
        for _ in range(5):
            began = time.perf_counter()
            assert len(selection.choose(project)) == 8_000
            best = min(best, time.perf_counter() - began)
        return best

    by_name = Selection.of([task.id for task in project.tasks])
    assert seconds_for(by_name) < 10 * seconds_for(Selection())
