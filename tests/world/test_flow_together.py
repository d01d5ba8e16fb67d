"""All that flows can do at once: the same under any limit and hash seed, and after any number of deaths."""

import json
import os
import signal
import subprocess
import sys
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
    run = told(child(limit, tmp_path, "r"))
    assert statuses(run) == EXPECTED
    began = (tmp_path / "began.txt").read_text().split()
    assert "right" not in began
    assert "never" not in began
    for name in ("choose", "left", "leaf0", "leaf1", "leaf2", "leaf3"):
        assert began.count(name) == 1 or (began.count(name) == 2 and died_in(began, name, die_at))
    again = told(child(limit, tmp_path, "r"))
    assert again == run
    assert (tmp_path / "began.txt").read_text().split() == began  # a run that is over does nothing


def died_in(began: list[str], name: str, die_at: str) -> bool:
    """Whether a step may have been cut off by the death: it is that one, or ran when it came."""
    return name in began[: began.index(die_at) + 1]


def test_a_run_survives_one_death_after_the_other(tmp_path: Path) -> None:
    deaths = [child(2, tmp_path, "r", die_at).returncode for die_at in ("choose", "left", "square", "leaf3")]
    assert deaths.count(-signal.SIGKILL) >= 2, deaths  # what has ended already cannot kill it any more
    assert statuses(told(child(2, tmp_path, "r"))) == EXPECTED
