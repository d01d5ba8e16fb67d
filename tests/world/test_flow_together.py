"""All that flows can do at once: the same under any limit and hash seed, and after any number of deaths."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.docs.pages import ROOT

pytestmark = pytest.mark.slow

LIMITS = (1, 2, 4, 6)
SEEDS = tuple(map(str, range(10)))


def child(*arguments: object, seed: str = "random") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-W", "error", "-m", "tests.world.flow_children", *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60, cwd=ROOT)


def told(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def statuses(run: dict[str, Any]) -> dict[str, str]:
    return {name: status for name, status, *_ in run["records"]}


EXPECTED = {
    "end": "success",
    "choose": "success",
    "left": "success",
    "right": "skipped",
    "lost": "skipped",
    "shaky": "success",
    "sub": "success",
    "sub/total": "success",
    "sub/p": "success",
    "sub/q": "success",
    "sub/never": "skipped",
    "may": "skipped",
    "spare": "success",
    "bad": "failed",
    "below": "blocked",
    **{f"leaf{n}": "success" for n in range(4)},
}


def test_outputs_states_and_order_are_the_same_under_any_limit_and_hash_seed() -> None:
    """Each seed with one limit, each limit with several seeds; all against all would take a minute."""
    runs = [told(child(LIMITS[n % len(LIMITS)], seed=seed)) for n, seed in enumerate(SEEDS)]
    assert statuses(runs[0]) == EXPECTED
    assert list(statuses(runs[0])) == list(EXPECTED)
    assert runs[0]["outputs"]["end"] == sorted(runs[0]["outputs"]["end"])
    assert {name: outputs for name, _, _, _, outputs, _ in runs[0]["records"]}["sub/total"] == {"result": 18}
    for run in runs[1:]:
        assert run == runs[0]


@pytest.mark.parametrize(("die_at", "limit"), [("choose", 4), ("left", 1), ("square", 4), ("shaky", 2), ("leaf3", 6)])
def test_a_killed_run_goes_on_with_the_branch_it_took_and_does_nothing_twice_that_had_ended(
    tmp_path: Path, die_at: str, limit: int
) -> None:
    done = child(limit, tmp_path, "r", die_at)
    assert done.returncode == -signal.SIGKILL
    first, ended = begun(tmp_path), ended_in(tmp_path / "state")
    run = told(child(limit, tmp_path, "r"))
    assert statuses(run) == EXPECTED
    began = begun(tmp_path)
    assert "right" not in began
    assert "never" not in began
    for name in ("choose", "left", "leaf0", "leaf1", "leaf2", "leaf3"):
        was_cut_off = name in first and name not in ended
        assert began.count(name) == (2 if was_cut_off else 1), (name, first, ended)
    again = told(child(limit, tmp_path, "r"))
    assert again == run
    assert begun(tmp_path) == began  # a run that is over does nothing


def begun(folder: Path) -> list[str]:
    """The steps that have begun, in all lives of the run."""
    return (folder / "began.txt").read_text().split()


def ended_in(state: Path) -> set[str]:
    """The steps whose end had been made durable."""
    with closing(sqlite3.connect(state / "state.db")) as file:
        rows = file.execute("SELECT task_id FROM events WHERE type = 'task_completed'").fetchall()
    return {task_id for (task_id,) in rows}


def test_a_run_survives_one_death_after_the_other(tmp_path: Path) -> None:
    deaths = [child(2, tmp_path, "r", die_at).returncode for die_at in ("choose", "left", "square", "leaf3")]
    assert deaths.count(-signal.SIGKILL) >= 2, deaths  # what has ended already cannot kill it any more
    assert statuses(told(child(2, tmp_path, "r"))) == EXPECTED
